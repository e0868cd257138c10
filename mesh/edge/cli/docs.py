"""`docs/cli.md` from the commands themselves: `python -m mesh.edge.cli.docs > docs/cli.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from mesh.edge.cli.app import PROGRAM, command_tree
from mesh.edge.cli.errors import Exit

INTRODUCTION = f"""# The command line

This page is made from the commands themselves by `make docs`.

Exit codes: {Exit.DONE:d} done; {Exit.JOB_FAILED:d} the job failed or was stopped, or the node
refused; {Exit.BAD_INPUT:d} bad usage or input; {Exit.NO_NODE:d} no node answers;
{Exit.WAITED_TOO_LONG:d} waited too long, the job goes on.

Which node a command asks, the first that is named: `--api-host` and `--api-port`,
`BACALHAU_API_HOST` and `BACALHAU_API_PORT`, `BACALHAU_MESH_API`, the socket of the node that runs
on `--data-dir` (`~/.bacalhau-mesh` if not given), `127.0.0.1:1234`.
"""


def cli_page() -> str:
    """The page."""
    return INTRODUCTION + "".join(_sections(command_tree(), PROGRAM))


def _sections(command: Any, path: str) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield _section(command, path)
        return
    for name, one in inner.items():
        yield from _sections(one, f"{path} {name}")


def _section(command: Any, path: str) -> str:
    help_text = str(command.help).replace("\b\nExample: ", "    ", 1).strip("\n")
    lines = [f"\n## {path}\n", help_text, ""]
    for parameter in command.params:
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        if parameter.param_type_name == "argument":
            names = parameter.metavar or parameter.name.upper()
        lines.append(f"- `{names}`: {parameter.help}{_default(parameter)}")
    return "\n".join(lines) + "\n"


def _default(parameter: Any) -> str:
    default = getattr(parameter.default, "value", parameter.default)
    if isinstance(default, bool) or default in (None, "", 0):
        return ""
    return f" Default `{default}`."


if __name__ == "__main__":
    sys.stdout.write(cli_page())
