"""`python -m mesh` is the command `bacalhau-mesh`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main() -> None:
    """The command `bacalhau-mesh`. A node does not load what only the other commands need."""
    try:
        code = run_command(sys.argv[1:])
    except Exception as error:
        if sys.argv[1:2] == ["join"]:
            raise  # a node's log is for those who look after it
        from mesh.edge.cli.mistakes import tell_mistake

        code = tell_mistake(error)
    sys.exit(code)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    if arguments[:1] == ["join"] and "--help" not in arguments:
        from mesh.edge.cli.errors import CommandFailed, report
        from mesh.edge.join import join

        try:
            join(arguments[1:])
        except CommandFailed as failure:
            return report(failure)
        return 0
    from mesh.edge.cli.app import run_command as run_client_command

    return run_client_command(arguments)


if __name__ == "__main__":
    main()
