"""`join` and `devstack`: nodes started from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.join import FLAGS, Flag, start_node

Texts = list[str]
MAX_NODES = 50
"""Each is a process of its own on one machine."""


class JoinCommand(TyperCommand):
    """`join` with the flags of the one table; it is this one that shows them."""

    def __init__(self, *args: Any, params: Sequence[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or ()), *map(_option, FLAGS)], **kwargs)


def _option(flag: Flag) -> TyperOption:
    def keep(ctx: typer.Context, param: Any, value: Any) -> None:
        ctx.meta[flag.setting] = list(value) if flag.repeated else value or None

    return TyperOption(
        param_decls=[flag.name],
        type=bool if flag.switch else str,
        is_flag=flag.switch,
        multiple=flag.repeated,
        metavar=flag.metavar or None,
        help=flag.help,
        callback=keep,
        expose_value=False,
    )


def join(ctx: typer.Context) -> None:
    """Start a node: it finds the others of its mesh, or founds one of its own.

    Every flag can be a variable too, as BACALHAU_MESH_NAME, or a key of the settings file.
    """
    start_node({flag.setting: ctx.meta[flag.setting] for flag in FLAGS})


def devstack(
    nodes: Annotated[
        int, typer.Option("--nodes", min=1, max=MAX_NODES, help="How many nodes to start.")
    ] = 3,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="Where their folders are kept; removed at the end if not given."
        ),
    ] = None,
    allow_path: Annotated[
        Texts | None,
        typer.Option("--allow-path", metavar="GLOB[:ro|rw]", help="Data that all of them offer."),
    ] = None,
) -> None:
    """Run a small mesh on this machine until Ctrl-C; nothing leaves the machine."""
    from mesh.edge.devstack import DevstackFailed, run_devstack

    try:
        run_devstack(nodes, folder, allow_path or [])
    except DevstackFailed as failure:
        raise CommandFailed(str(failure), Exit.JOB_FAILED) from None
