"""`node list`, `agent alive`, `version`."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.edge import render
from mesh.edge.cli.options import (
    ClientCommand,
    Output,
    OutputOption,
    connect,
    parameters,
    show,
)

node = typer.Typer(no_args_is_help=True, help="Look at the members of the mesh.")
agent = typer.Typer(no_args_is_help=True, help="Ask one node about itself.")


@node.command("list", cls=ClientCommand)
def node_list(
    ctx: typer.Context,
    labels: Annotated[str, typer.Option("--labels", help="Only nodes with these labels.")] = "",
    filter_status: Annotated[
        str, typer.Option("--filter-status", help="connected or disconnected.")
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the members as the asked node sees them: capacities are free / all."""
    query = parameters(**{"labels": labels, "filter-status": filter_status})
    nodes = connect(ctx).get("/api/v1/orchestrator/nodes", query)["Nodes"]
    show(nodes, output, lambda width: render.node_table(nodes, width))


@agent.command("alive", cls=ClientCommand)
def agent_alive(ctx: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """Say whether a node answers; exit code 3 if none does."""
    answer = connect(ctx).get("/api/v1/agent/alive")
    show(answer, output, lambda _: f"Status: {answer['Status']}")


def version(
    ctx: typer.Context,
    client: Annotated[bool, typer.Option("--client", help="Do not ask a node.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print the versions of this command and of the node."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        own = installed("bacalhau-mesh")
    except PackageNotFoundError:
        own = "unknown"
    versions = {"Client": own}
    if not client:
        server = connect(ctx).get("/api/v1/agent/version")
        versions["Server"] = str(server["Mesh"]["Version"])
        versions["API"] = f"Bacalhau {server['GitVersion']}"
    show(
        versions,
        output,
        lambda _: "\n".join(f"{name}: {render.plain(text)}" for name, text in versions.items()),
    )
