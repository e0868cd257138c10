"""`node list | describe`, `faults cut | heal`, `agent alive`, `version`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

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

FAULTS = "/api/v1/mesh/faults"
node = typer.Typer(no_args_is_help=True, help="Look at the members of the mesh.")
faults = typer.Typer(
    no_args_is_help=True,
    help="Try out a split, at a node that runs on this machine with --allow-faults.",
)
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


@node.command("describe", cls=ClientCommand)
def node_describe(
    ctx: typer.Context,
    node_id: Annotated[
        str, typer.Argument(metavar="ID|NAME", help="A node's id, the beginning of one, or a name.")
    ],
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a node: what it offers, what it runs and refused, what it sends."""
    from mesh.edge.render_node import describe_node

    answer = connect(ctx).get(f"/api/v1/mesh/nodes/{quote(node_id, safe='')}")
    show(answer, output, lambda width: describe_node(answer, width))


@faults.command("cut", cls=ClientCommand)
def faults_cut(
    ctx: typer.Context,
    nodes: Annotated[
        list[str], typer.Argument(metavar="NODE...", help="Ids or names of the others.")
    ],
) -> None:
    """Cut the asked node off from these nodes, and from no others, as if a cable broke."""
    answer = connect(ctx).send("PUT", FAULTS, {"Cut": nodes})
    print(f"cut off from {', '.join(render.plain(one) for one in answer['Cut'])}")


@faults.command("heal", cls=ClientCommand)
def faults_heal(ctx: typer.Context) -> None:
    """End the cut of the asked node."""
    connect(ctx).send("PUT", FAULTS, {"Cut": []})
    print("no cut any more")


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
