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
KEPT_KEYS = 2
"""`?` and `q`, and on pages the way back."""
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


def _tab_names(counts: Sequence[int], width: int) -> list[str]:
    """The names of the tables with how much is in them, as far as there is room for that."""
    named = [f"{number} {name.capitalize()}" for number, name in enumerate(TABS, 1)]
    counted = [f" {name} {count} " for name, count in zip(named, counts, strict=True)]
    forms = (counted, [f" {name} " for name in named], named)
    return next((one for one in forms if len(" ".join(one)) <= width), named)


def tabs_line(tab: str, counts: Sequence[int], filter_text: str, width: int) -> Line:
    """The names of the tables; the one that is shown stands out."""
    line: Line = []
    for name, text in zip(TABS, _tab_names(counts, width), strict=True):
        line += [(text, "key" if name == tab else "dim"), (" ", "")]
    if filter_text:
        line.append((f" only: {filter_text}", "warn"))
    return line


def tab_at(x: int, counts: Sequence[int], width: int) -> str:
    """The name of the table under a place of the line, "" where there is none."""
    end = 0
    for name, text in zip(TABS, _tab_names(counts, width), strict=True):
        end += len(text) + 1
        if x < end:
            return name
    return ""


def keys_line(pairs: Sequence[tuple[str, str]], width: int) -> Line:
    """Keys and what they do. Where there is no room for all, the last two stay, which tell how to
    leave and how to learn of the others, and of those before them the first ones."""
    texts = [(f" {key} ", f" {word}  ") for key, word in pairs]
    sizes = [len(key) + len(word) for key, word in texts]
    last = max(len(texts) - KEPT_KEYS, 0)
    room, shown = width + 2 - sum(sizes[last:]), 0  # the blanks after the last may be cut
    while shown < last and sizes[shown] <= room:
        room -= sizes[shown]
        shown += 1
    line: Line = []
    for key, word in (*texts[:shown], *texts[last:]):
        line += [(key, "key"), (word, "")]
    return line


def help_lines() -> list[Line]:
    """The page of help."""
    return [[(text, "")] for text in HELP.strip("\n").splitlines()]
