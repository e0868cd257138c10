"""`top`: the mesh on a full screen, or once as text."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import connect

ONCE_WAIT_S = 30.0
"""A node that answers sends its picture in a second; this is for one under load."""
PIPE_COLUMNS, WIDE_COLUMNS = 120, 200
"""Where no terminal says how wide it is: a mail, a report."""


def top(
    ctx: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="Print one frame and end: for pipes and reports.")
    ] = False,
    any_node: Annotated[
        bool,
        typer.Option(
            "--any-node",
            help="When the node is gone, ask the next one that BACALHAU_MESH_API names "
            "(several with commas between).",
        ),
    ] = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="Exact times, and with --once every row.")
    ] = False,
) -> None:
    """Watch the mesh: nodes, jobs, executions and events as they change, and splits as they come.

    It shows what the asked node knows. Press `?` for its keys.
    """
    from mesh.edge.cli.connect import other_endpoints
    from mesh.edge.cli.feed import FeedThread

    endpoints = [connect(ctx).endpoint]
    if any_node:
        endpoints += [one for one in other_endpoints() if one not in endpoints]
    if not once and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise bad_input("top needs a terminal", "Print one frame with: bacalhau-mesh top --once")
    feed = FeedThread(endpoints, lambda: None)
    feed.start()
    if once:
        _print_once(feed, wide=wide)
        return
    # While the node makes its picture, what draws it is loaded.
    from mesh.edge.tui.app import TopApp

    feed.begun()
    app = TopApp(feed, endpoints[0], exact=wide)
    app.run()
    if app.failure is not None:
        raise app.failure
    if app.return_code:
        raise typer.Exit(app.return_code)


def _print_once(feed: object, *, wide: bool) -> None:
    import threading

    from mesh.edge.cli.feed import FeedThread, Lost, Opened, Told
    from mesh.edge.feed_reader import Picture
    from mesh.edge.render_columns import Look, line_text
    from mesh.edge.render_top import frame

    assert isinstance(feed, FeedThread)
    arrived = threading.Event()
    feed.wake = arrived.set
    feed.begun()
    picture, deadline_s, opened = Picture(), time.monotonic() + ONCE_WAIT_S, False
    while not picture.complete:
        arrived.clear()
        while feed.inbox and not picture.complete:
            news = feed.inbox.popleft()
            if isinstance(news, Told):
                picture.apply(news.event, news.data)
            elif isinstance(news, Opened):
                opened = True
            elif opened and isinstance(news, Lost):
                raise CommandFailed(news.why, Exit.NO_NODE, "Ask again, also at another node")
        if not picture.complete and not arrived.wait(max(deadline_s - time.monotonic(), 0.0)):
            raise CommandFailed(
                f"the node told no picture within {ONCE_WAIT_S:.0f} s", Exit.WAITED_TOO_LONG
            )
    feed.stop()
    assert picture.mesh is not None
    look = Look(picture.mesh["Time"], exact=wide)
    lines = frame(picture, look, _width(wide=wide), every=wide)
    if not sys.stdout.isatty():
        print("\n".join(line_text(one) for one in lines))
        return
    from rich.console import Console

    from mesh.edge.palette import palette, rich_line

    console = Console(highlight=False)
    for line in lines:
        console.print(rich_line(line, palette()))


def _width(*, wide: bool) -> int:
    import os
    import shutil

    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns
    return WIDE_COLUMNS if wide else PIPE_COLUMNS
