"""Running one job on one machine: the attempt's core, what fits at once, and engines behind one
port."""
