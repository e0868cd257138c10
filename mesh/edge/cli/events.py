"""`events`: what happens in the mesh, one line each."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import Output, OutputOption, connect, show_table
from mesh.edge.cli.paths import WATCH

if TYPE_CHECKING:
    from mesh.edge.cli.connect import NodeApi
    from mesh.edge.feed_rows import EventRow

ANSWER_S = 60.0
"""For a look at what happened; following has no end."""
ENDLESS_S = 10 * 365 * 86_400.0
FIRST_WAIT_S, LAST_WAIT_S = 0.25, 5.0
"""Between two tries of a node that is away."""
LINES = 20
"""A screen of 24 lines shows them all."""


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on, until Ctrl-C.")] = False,
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=0, max=100, help="The last so many, 100 at most.")
    ] = LINES,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what happened in the mesh of late, as the asked node learned of it since its start."""
    if follow and output not in (Output.TABLE, Output.JSON):
        raise bad_input(
            f"events that are followed cannot be shown as {output.value}",
            "Use --output table, or --output json for one document a line",
        )
    api = connect(ctx)
    if not follow:
        shown = _latest(api, lines)
        show_table(shown, output, lambda now_ms: _table(shown, now_ms))
        return
    try:
        for one in _followed(api, lines):
            print(json.dumps(one) if output is Output.JSON else _line(one), flush=True)
    except KeyboardInterrupt:
        return


def _latest(api: NodeApi, lines: int) -> list[EventRow]:
    from mesh.edge.feed_reader import Picture

    picture = Picture()
    for frame in api.frames(WATCH, {"topics": "events"}, deadline_s=time.monotonic() + ANSWER_S):
        picture.apply(frame.event, frame.data)
        if picture.complete:
            break
    return list(picture.events)[-lines:] if lines else []


def _followed(api: NodeApi, lines: int) -> Iterator[EventRow]:
    """Events for as long as somebody wants them; a node that is away is asked again."""
    told = _Told(lines)
    wait_s = 0.0
    while True:
        try:
            for frame in api.frames(
                WATCH,
                {"topics": "events"},
                last_id=told.last_id,
                deadline_s=time.monotonic() + ENDLESS_S,
            ):
                wait_s = 0.0
                yield from told.news(frame.id, frame.data.get("Events", ()))
        except CommandFailed as failure:
            if failure.code is not Exit.NO_NODE or not told.last_id:
                raise
            if not wait_s:
                print(f"{failure.message}; it is asked again.", file=sys.stderr, flush=True)
        wait_s = min(max(2 * wait_s, FIRST_WAIT_S), LAST_WAIT_S)
        time.sleep(wait_s)


class _Told:
    """What was shown: a new snapshot repeats some of it, a new start of the node counts anew."""

    def __init__(self, lines: int) -> None:
        self.last_id = ""
        self._seq = 0
        self._lines = lines

    def news(self, frame_id: str, rows: Iterable[EventRow]) -> list[EventRow]:
        """Those of a frame that were not shown."""
        boot = frame_id.partition("-")[0]
        first = not self.last_id
        if frame_id and boot != self.last_id.partition("-")[0]:
            self._seq = 0
        self.last_id = frame_id
        news = [one for one in rows if one["Seq"] > self._seq]
        self._seq = max((one["Seq"] for one in news), default=self._seq)
        return news[len(news) - min(self._lines, len(news)) :] if first else news


def _table(rows: list[EventRow], now_ms: int | None) -> Any:
    from mesh.edge.render import Table

    return Table(
        ("TIME", "KIND", "LEVEL", "WHAT HAPPENED"),
        [(_when(one, now_ms), one["Kind"], one["Level"], one["Sentence"]) for one in rows],
    )


def _when(row: EventRow, now_ms: int | None) -> str:
    """With its day where that is not today, and where exact times are wanted."""
    from mesh.edge.render_times import clock_text, day_or_clock_text, exact_text

    clock = clock_text(row["Time"])
    is_today = now_ms is not None and day_or_clock_text(row["Time"], now_ms) == clock
    return clock if is_today else exact_text(row["Time"])


def _line(row: EventRow) -> str:
    from mesh.edge.render import plain

    mark = {"info": " ", "warning": "!", "error": "x"}.get(row["Level"], " ")
    when = _when(row, time.time_ns() // 1_000_000)
    return f"{when} {mark} {plain(row['Sentence'])}"
