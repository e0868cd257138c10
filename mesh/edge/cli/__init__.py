"""The command line: each command talks HTTP to a node and imports what it needs when it runs."""
