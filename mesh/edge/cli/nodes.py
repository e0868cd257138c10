"""The groups `node`, `faults` and `agent`, and `version`."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.edge import render
from mesh.edge.cli.arguments import NodeArgument
from mesh.edge.cli.options import (
    ClientCommand,
    Output,
    OutputOption,
    WideOption,
    connect,
    parameters,
    show,
    show_table,
)
from mesh.edge.cli.paths import NODES, mesh_node_path

FAULTS = "/api/v1/mesh/faults"
node = typer.Typer(
    no_args_is_help=True, help="Look at the members of the mesh, cordon and drain them."
)
faults = typer.Typer(
    no_args_is_help=True,
    help="Try out a split, at a node here with --allow-faults.",
)
agent = typer.Typer(no_args_is_help=True, help="Ask one node about itself.")


@node.command("list", cls=ClientCommand)
def node_list(
    ctx: typer.Context,
    labels: Annotated[str, typer.Option("--labels", help="Only nodes with these labels.")] = "",
    filter_status: Annotated[
        str, typer.Option("--filter-status", help="connected or disconnected.")
    ] = "",
    wide: WideOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the members as the asked node sees them: capacities are free / all."""
    query = parameters(**{"labels": labels, "filter-status": filter_status})
    nodes = connect(ctx).get(NODES, query)["Nodes"]
    show_table(nodes, output, lambda now_ms: render.node_table(nodes, now_ms), wide=wide)


@node.command("describe", cls=ClientCommand)
def node_describe(
    ctx: typer.Context,
    node_id: NodeArgument,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a node: what it offers, what it runs and refused, what it sends."""
    from mesh.edge.render_node import describe_node

    answer = connect(ctx).get(mesh_node_path(node_id))
    show(answer, output, lambda width: describe_node(answer, width))


ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for people who look at it.")]


@node.command("cordon", cls=ClientCommand)
def node_cordon(ctx: typer.Context, node_id: NodeArgument, reason: ReasonOption = "") -> None:
    """Give a node no new work. What runs or waits there goes on."""
    from mesh.edge.cli.intents import say_intent, set_intent

    say_intent(set_intent(connect(ctx), node_id, "cordoned", reason))


@node.command("uncordon", cls=ClientCommand)
def node_uncordon(ctx: typer.Context, node_id: NodeArgument, reason: ReasonOption = "") -> None:
    """Let a node take work again, after a cordon or a drain."""
    from mesh.edge.cli.intents import say_intent, set_intent

    say_intent(set_intent(connect(ctx), node_id, "", reason))


@node.command("drain", cls=ClientCommand)
def node_drain(
    ctx: typer.Context,
    node_id: NodeArgument,
    reason: ReasonOption = "",
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="How long what runs may go on.")
    ] = "10m",
    now: Annotated[bool, typer.Option("--now", help="Move what runs at once.")] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait until the node is empty.")
    ] = False,
) -> None:
    """Empty a node. It gets no new work, and what waits there goes elsewhere.

    What runs may end until the time is over; then it is stopped and placed elsewhere too, which
    costs its job no retry.
    """
    from mesh.edge.cli.intents import parse_duration_s, say_intent, set_intent, wait_until_empty

    deadline_s = 0 if now else parse_duration_s(timeout)
    api = connect(ctx)
    answer = set_intent(api, node_id, "draining", reason, deadline_s)
    say_intent(answer)
    if not no_wait:
        wait_until_empty(api, answer["NodeID"], deadline_s)


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
