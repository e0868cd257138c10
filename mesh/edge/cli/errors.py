"""How a command fails: one sentence, a hint, and an exit code that scripts can rely on."""

from __future__ import annotations

import sys
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    JOB_FAILED = 1
    """The job failed, was stopped, or the node refused what was asked."""
    BAD_INPUT = 2
    """Bad usage, or input that cannot be used."""
    NO_NODE = 3
    WAITED_TOO_LONG = 4
    """The job goes on."""


class CommandFailed(Exception):
    """Ends a command: the sentence goes to stderr, the code to the caller."""

    def __init__(self, message: str, code: Exit, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


def bad_input(message: str, hint: str = "") -> CommandFailed:
    """What the user wrote cannot be used."""
    return CommandFailed(message, Exit.BAD_INPUT, hint)


def report(failure: CommandFailed) -> int:
    """Tell why a command failed, on stderr; its exit code."""
    from mesh.edge.render import plain

    for line in failure.message.splitlines():
        print(f"Error: {plain(line)}", file=sys.stderr)
    if failure.hint:
        print(f"Hint: {plain(failure.hint)}", file=sys.stderr, flush=True)
    return int(failure.code)
