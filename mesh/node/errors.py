"""The parent of all that keeps a node from starting."""


class NodeError(Exception):
    """A node cannot start or go on: `str(error)` is one clear sentence with what to do next."""
