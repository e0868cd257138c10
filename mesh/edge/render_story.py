"""A job's story as a timeline for people (pure)."""

from __future__ import annotations

import textwrap

from mesh.edge.render import FINAL_STATES, Document, plain, short_id
from mesh.edge.render_times import exact_text

MIN_TEXT_COLUMNS = 30
INDENT = "  "


def story_text(story: Document, width: int, *, wide: bool = False) -> str:
    """A line for each record: when (since the submission, or in UTC if `wide`), where, what, and
    why; longer ones go on below themselves."""
    state = plain(story["State"]["StateType"])
    if state in FINAL_STATES:
        state += ", settled" if story["Settled"] else ", provisional"
    job = plain(story["JobID"]) if wide else short_id(story["JobID"])
    name = plain(story["Name"])
    named = f" ({name})" if name and name != story["JobID"] else ""
    begun_ms = story["CreateTime"] // 1_000_000
    rows = [_row(item, begun_ms, wide=wide) for item in story["Items"]]
    if not rows:
        return f"{job}{named} is {state}."
    times, nodes = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
    lines = []
    for time, node, depth, text in rows:
        head = f"{time.rjust(times)}  {node.ljust(nodes)}  "
        if width - len(head) < MIN_TEXT_COLUMNS:  # then below it
            lines.append(head.strip())
            head = INDENT
        lines += _lines(head, depth, text, max(width - len(head), MIN_TEXT_COLUMNS))
    if state == "Queued" and (message := story["State"].get("Message")):
        lines += textwrap.wrap(f"Now {plain(message)}", max(width, MIN_TEXT_COLUMNS))
    for now in story.get("Now", ()):
        lines += textwrap.wrap(f"Now {plain(now)}", max(width, MIN_TEXT_COLUMNS))
    return "\n".join([f"{job}{named} is {state}.", *lines])


def _row(item: Document, begun_ms: int, *, wide: bool) -> tuple[str, str, int, str]:
    time_ms = item["Time"] // 1_000_000
    time = f"{exact_text(time_ms)}.{time_ms % 1000:03}" if wide else since_text(time_ms - begun_ms)
    return time, plain(item["NodeName"]), item["Depth"], _sentence(item)


def _sentence(item: Document) -> str:
    """What happened, and why; whose record it is stands in a column of its own."""
    what, because = plain(item["Sentence"]), plain(item["Because"]).strip()
    what = what.removeprefix(f"{plain(item['NodeName'])} ")
    if not because:
        return f"{what}."
    name = because.split()[0] in what.split()
    first = because[0].lower() + because[1:] if because[1:2].islower() and not name else because
    return f"{what}, because {first.rstrip('.')}."


def _lines(head: str, depth: int, text: str, room: int) -> list[str]:
    indent = INDENT * depth
    wrapped = textwrap.wrap(
        text, room, initial_indent=indent, subsequent_indent=indent + INDENT, break_long_words=True
    )
    return [f"{head if at == 0 else ' ' * len(head)}{line}" for at, line in enumerate(wrapped)]


def since_text(span_ms: int) -> str:
    """How long after the submission: `+0.014 s`, `+2 min 05 s`, `+3 h 12 min`; a clock that was
    behind gives `-`."""
    sign, span_ms = ("-", -span_ms) if span_ms < 0 else ("+", span_ms)
    seconds, minutes = span_ms // 1000, span_ms // 60_000
    if minutes < 1:
        return f"{sign}{span_ms / 1000:.3f} s"
    if minutes < 60:
        return f"{sign}{minutes} min {seconds % 60:02} s"
    return f"{sign}{minutes // 60} h {minutes % 60:02} min"
