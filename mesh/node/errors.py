"""The parent of all that keeps a node from starting."""


class NodeError(Exception):
    """A node cannot start or go on: `str(error)` is one clear sentence with what to do next."""


def only_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that a tree of groups holds; the group itself when there are several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return group
        error = error.exceptions[0]
    return error
