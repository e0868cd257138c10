"""The lines of `top` that say which keys do what, and its page of help (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.edge.render_columns import Line
from mesh.edge.render_top import TABS

ACTIONS = {
    "nodes": (("Enter", "look"), ("c", "cordon"), ("d", "drain")),
    "jobs": (("Enter", "story"), ("x", "stop"), ("r", "rerun")),
    "executions": (("Enter", "output"),),
    "events": (("Enter", "look"),),
}
COMMON = (("/", "filter"), ("s", "sort"), ("?", "help"), ("q", "quit"))
HELP = """
 1 2 3 4      nodes, jobs, executions, events; Tab the next, Shift-Tab back
 up down j k  move; PgUp PgDn a page, Home End to the ends; the wheel too
 Enter        look into it: a job's story, an execution's output, a node
 Esc          back; takes a filter, a message or a banner away
 /            only rows with these words: Enter keeps the filter, Esc ends it
 s            sort by the next column, S the other way round; or click on one

 x  r         stop a job; run it again (each asks first, as do the next two)
 c  d         cordon a node (no new work), or end that; drain it (work moves)
 q  Ctrl-Z    quit; put it aside, and `fg` brings it back

 A state is what the asked node knows. An answer is provisional until every
 member has confirmed it, then settled. In a split each side goes on; of what
 both did, one result is accepted, the others are kept as duplicates.
 WAIT counts what does not run yet. CPU, MEMORY and DISK are free / all.
"""


def tabs_line(tab: str, counts: Sequence[int], filter_text: str) -> Line:
    """The names of the tables with how much is in them; the one that is shown stands out."""
    line: Line = []
    for number, (name, count) in enumerate(zip(TABS, counts, strict=True), 1):
        text = f" {number} {name.capitalize()} {count} "
        line += [(text, "key" if name == tab else "dim"), (" ", "")]
    if filter_text:
        line.append((f" only: {filter_text}", "warn"))
    return line


def tab_at(x: int, counts: Sequence[int]) -> str:
    """The name of the table under a place of the line, "" where there is none."""
    end = 0
    for number, (name, count) in enumerate(zip(TABS, counts, strict=True), 1):
        end += len(f" {number} {name.capitalize()} {count} ") + 1
        if x < end:
            return name
    return ""


def keys_line(pairs: Sequence[tuple[str, str]]) -> Line:
    """Keys and what they do."""
    line: Line = []
    for key, word in pairs:
        line += [(f" {key} ", "key"), (f" {word}  ", "")]
    return line


def help_lines() -> list[Line]:
    """The page of help."""
    return [[(text, "")] for text in HELP.strip("\n").splitlines()]
