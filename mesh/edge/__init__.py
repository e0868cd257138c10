"""Every door in or out: the HTTP API and the command line. Doors know nodes, nodes no door."""
