"""Tables that are drawn line by line, in as many columns as there is room for (pure).

A line is a list of spans, a text with a style word each: who draws it knows what the words mean on
a terminal with colours, and on one without. Every text went through `plain` by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mesh.edge.render import padded, plain, text_width

Span: TypeAlias = tuple[str, str]
"""(text, style word)."""
Line: TypeAlias = list[Span]

STYLES = ("", "good", "work", "warn", "bad", "dim", "bold", "head", "alarm", "calm")
"""The words: `work` is what goes on, `head` the names of columns, `alarm` and `calm` banners."""
GAP = 1
NEEDED = 5
"""Columns with a greater `need` come only once those that grow first have done so."""
MARK_UP, MARK_DOWN = "▲", "▼"


@dataclass(frozen=True, slots=True)
class Look:
    """How things are shown: the reader's clock, and whether times are exact."""

    now_ms: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of rows."""

    title: str
    cell: Callable[[Any, Look], Span]
    """The text, one line of plain characters or not, and its style."""
    order: Callable[[Any], Any]
    """What rows are sorted by; all of one column compare with each other."""
    least: int
    most: int = 0
    """It grows up to here where there is room; 0 for not at all."""
    need: int = 0
    """0 is shown always, of the others those with smaller numbers first."""
    tight: int = 0
    """It shrinks to this where it would not be shown otherwise; 0 for not at all."""
    first: int = 0
    """It grows to this before others grow: what tells rows apart; 0 for with the others."""
    right: bool = False


Layout: TypeAlias = list[tuple[Column, int]]


def lay_out(columns: Sequence[Column], width: int) -> Layout:
    """The columns that fit, in their order, with their widths; all of the width is used as far as
    they can grow."""
    chosen: list[Column] = []
    widths: dict[int, int] = {}
    room = width + GAP
    for column in sorted(columns, key=lambda one: one.need):
        if column.need > NEEDED:
            room = _grow_first(columns, chosen, widths, room)
        wide = column.least
        if column.tight and wide + GAP > room:
            wide = max(column.tight, room - GAP)
        if column.need and wide + GAP > room:
            break
        chosen.append(column)
        widths[id_of(columns, column)] = wide
        room -= wide + GAP
    room = _grow_first(columns, chosen, widths, room)
    _grow(columns, chosen, widths, max(room, 0))
    return [(one, widths[id_of(columns, one)]) for one in columns if one in chosen]


def id_of(columns: Sequence[Column], column: Column) -> int:
    """Its place among all columns."""
    return list(columns).index(column)


def _grow_first(
    columns: Sequence[Column], chosen: Sequence[Column], widths: dict[int, int], room: int
) -> int:
    """Give room to what comes first; how much is left."""
    for column in chosen:
        place = id_of(columns, column)
        given = max(min(room, column.first - widths[place]), 0)
        widths[place] += given
        room -= given
    return room


def _grow(
    columns: Sequence[Column], chosen: Sequence[Column], widths: dict[int, int], room: int
) -> None:
    """Give out the room that is left, to each in proportion to what it would take."""
    wishes = {
        id_of(columns, one): wish
        for one in chosen
        if (wish := one.most - widths[id_of(columns, one)]) > 0 and one.most > one.least
    }
    wanted = sum(wishes.values())
    if not wanted:
        return
    left = min(room, wanted)
    share = left / wanted
    for place, wish in wishes.items():
        given = min(int(wish * share), left)
        widths[place] += given
        left -= given
    for place in wishes:
        if left > 0 and widths[place] < list(columns)[place].most:
            widths[place] += 1
            left -= 1


def head_line(layout: Layout, sorted_by: str = "", *, reverse: bool = False) -> Line:
    """The names of the columns; an arrow at the one that decides the order."""
    spans: Line = []
    for column, width in layout:
        title = column.title
        if title and title == sorted_by:
            title += MARK_DOWN if reverse else MARK_UP
        spans.append((_fitted(title, width, right=column.right), "head"))
        spans.append((" " * GAP, "head"))
    return spans[:-1]


def row_line(layout: Layout, row: Any, look: Look) -> Line:
    """One row: a span for each column, with gaps between."""
    spans: Line = []
    for column, width in layout:
        text, style = column.cell(row, look)
        spans.append((_fitted(plain(text), width, right=column.right), style))
        spans.append((" " * GAP, ""))
    return spans[:-1]


def _fitted(text: str, width: int, *, right: bool) -> str:
    missing = width - text_width(text)
    return " " * missing + text if right and missing > 0 else padded(text, width)


def column_at(layout: Layout, x: int) -> Column | None:
    """The column under a place of a line."""
    end = 0
    for column, width in layout:
        end += width + GAP
        if x < end:
            return column
    return None


def line_text(line: Line) -> str:
    """What stands in a line, without blanks at its end."""
    return "".join(text for text, _ in line).rstrip()


def fit_line(line: Line, width: int) -> Line:
    """Cut to a width, with an ellipsis where something is left out."""
    fitted: Line = []
    for number, (text, style) in enumerate(line):
        wide = text_width(text)
        last = number == len(line) - 1
        if wide > width or (wide == width and not last and line_text(line[number + 1 :])):
            if width > 0:
                fitted.append((padded(text + " " * (wide <= width), width), style))
            return fitted
        fitted.append((text, style))
        width -= wide
    return fitted


def wrap_line(text: str, width: int, *, indent: int = 0) -> list[str]:
    """One line of plain text in lines of at most this width, broken at blanks where there are any;
    all but the first are indented."""
    lines: list[str] = []
    current = text[: len(text) - len(text.lstrip(" "))]
    for word in text[len(current) :].split(" "):
        room = width - (indent if lines else 0)
        joined = f"{current} {word}" if current.strip() else current + word
        if text_width(joined) <= room:
            current = joined
            continue
        if current.strip():
            lines.append(" " * (indent if lines else 0) + current)
            room = width - indent
        while text_width(word) > room > 0:
            lines.append(" " * (indent if lines else 0) + word[:room])
            word = word[room:]
        current = word
    return [*lines, " " * (indent if lines else 0) + current]
