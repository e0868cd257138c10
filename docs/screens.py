"""Draws docs/screens/*.svg: the screens of `bacalhau-mesh top` over a seeded mesh.

Everything is drawn by the functions that the full screen uses, from the frames of a feed in
tests/fixtures/feed: calm, split and healed. `make docs` writes them.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from mesh.edge.feed_reader import Picture
from mesh.edge.palette import PALETTE, rich_line
from mesh.edge.render_columns import Line, Look, fit_line, head_line, lay_out, row_line
from mesh.edge.render_hints import ACTIONS, COMMON, keys_line, tabs_line
from mesh.edge.render_top import banner_lines, columns_of, header_lines, rows_of, tab_counts

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "fixtures" / "feed"
COLUMNS, LINES = 100, 24
AFTER_MS = 6_000
"""When the screen is looked at: so long after the last event."""
SHOWN = {"calm": "jobs", "split": "nodes", "healed": "executions"}
FONT_FROM_ELSEWHERE = re.compile(r"\s*@font-face \{.*?\}", re.S)


def screen(name: str) -> str:
    """One screen as SVG, with nothing in it that is fetched from elsewhere."""
    lines = _lines(name, SHOWN[name])
    # Recorded, not printed: the width is that of the picture, not of who makes it.
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True,
        color_system="truecolor", legacy_windows=False, highlight=False,
    )  # fmt: skip
    for line in lines:
        console.print(rich_line(line, PALETTE))
    svg = console.export_svg(
        title=f"bacalhau-mesh top, {name}", theme=DIMMED_MONOKAI, unique_id=f"top-{name}"
    )
    return FONT_FROM_ELSEWHERE.sub("", svg)


def _lines(name: str, tab: str) -> list[Line]:
    picture = Picture()
    for frame in json.loads((FIXTURES / f"{name}.json").read_text()):
        picture.apply(frame["event"], frame["data"])
    assert picture.mesh is not None
    look = Look(max(one["Time"] for one in picture.events) + AFTER_MS)
    columns = columns_of(tab, picture)
    layout = lay_out(columns, COLUMNS)
    rows = sorted(rows_of(tab, picture).values(), key=columns[0].order)
    lines = [
        *header_lines(picture.mesh, look, COLUMNS),
        *banner_lines(picture, look, COLUMNS),
        tabs_line(tab, tab_counts(picture), "", COLUMNS),
        head_line(layout, columns[0].title),
    ]
    lines += [row_line(layout, row, look) for row in rows[: LINES - 2 - len(lines)]]
    lines += [[]] * (LINES - 1 - len(lines))
    hints = keys_line((*ACTIONS[tab], *COMMON), COLUMNS)
    return [fit_line(one, COLUMNS) for one in (*lines, hints)]


def calm() -> str:
    """A whole mesh: its jobs."""
    return screen("calm")


def split() -> str:
    """Two of five nodes cannot be heard: the nodes."""
    return screen("split")


def healed() -> str:
    """After the split: executions, one of them a duplicate."""
    return screen("healed")
