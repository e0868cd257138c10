"""`join` and `devstack`: nodes started from the command line."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mesh.edge.cli.errors import CommandFailed, Exit, bad_input

if TYPE_CHECKING:
    from mesh.node.config import NodeConfig

Texts = list[str]
MAX_NODES = 50
"""Each is a process of its own on one machine."""


def join(
    lab: Annotated[
        str,
        typer.Option("--lab", help="The secret that all nodes of one mesh share; - reads stdin."),
    ] = "",
    name: Annotated[str, typer.Option("--name", help="Shown to people; the host's if none.")] = "",
    data_dir: Annotated[
        str, typer.Option("--data-dir", help="Everything the node keeps; ~/.bacalhau-mesh.")
    ] = "",
    bind: Annotated[
        str,
        typer.Option("--bind", metavar="HOST[:PORT]", help="For peers; all interfaces, port 1235."),
    ] = "",
    api: Annotated[
        str, typer.Option("--api", metavar="HOST:PORT", help="For clients; 127.0.0.1:1234.")
    ] = "",
    label: Annotated[
        Texts | None, typer.Option("--label", metavar="K=V", help="A label of this node.")
    ] = None,
    allow_path: Annotated[
        Texts | None,
        typer.Option(
            "--allow-path", metavar="GLOB[:ro|rw]", help="Data here that jobs may use in place."
        ),
    ] = None,
    peer: Annotated[
        Texts | None,
        typer.Option("--peer", metavar="HOST:PORT", help="A member to try besides those found."),
    ] = None,
    no_mdns: Annotated[
        bool, typer.Option("--no-mdns", help="Do not look for peers on the local network.")
    ] = False,
    config: Annotated[
        str, typer.Option("--config", help="Settings in YAML; DATA_DIR/config.yaml if none.")
    ] = "",
) -> None:
    """Start a node: it finds the others of its mesh, or founds one of its own.

    Every flag can be a variable too, as BACALHAU_MESH_NAME, or a key of the settings file.
    """
    from mesh.node.config import ConfigError, load_config

    flags = {
        "lab": lab,
        "name": name,
        "data_dir": data_dir,
        "bind": bind,
        "api": api,
        "label": label,
        "allow_path": allow_path,
        "peer": peer,
        "no_mdns": no_mdns or None,
        "config": config,
    }
    try:
        settings = load_config(flags)
    except ConfigError as error:
        raise bad_input(str(error)) from None
    _run(settings)


def _run(config: NodeConfig) -> None:
    import trio

    from mesh.edge.http.server import AddressUnusable, serve_doors
    from mesh.node.errors import NodeError
    from mesh.node.node import run_node

    try:
        trio.run(partial(run_node, config, serve_doors=serve_doors))
    except (NodeError, AddressUnusable) as error:
        raise bad_input(str(error)) from None


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
