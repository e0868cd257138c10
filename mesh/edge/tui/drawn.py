"""Widgets that draw lines of spans, and send to the terminal only the cells that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mesh.edge.palette import PALETTE
from mesh.edge.render import text_width
from mesh.edge.render_columns import Line


class Drawn(Widget):
    """Shows the lines that it was given last."""

    def __init__(self, *, id: str, palette: Mapping[str, Style] = PALETTE) -> None:
        super().__init__(id=id)
        self.lines: list[Line] = []
        self._palette = palette
        self._chosen = -1

    def put(self, lines: Sequence[Line], *, chosen: int = -1) -> None:
        """Show these, `chosen` being a line that stands out; refresh the cells that differ."""
        before, self.lines = self.lines, list(lines)
        was_chosen, self._chosen = self._chosen, chosen
        width = self.size.width
        changed: list[Region] = []
        for y in range(max(len(before), len(self.lines))):
            old = before[y] if y < len(before) else []
            new = self.lines[y] if y < len(self.lines) else []
            if (y == was_chosen) != (y == chosen):
                changed.append(Region(0, y, width, 1))
            elif old != new:
                changed.append(difference(old, new, y, width))
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One line for Textual."""
        width = self.size.width
        line = self.lines[y] if y < len(self.lines) else []
        segments = [Segment(text, self._palette[style]) for text, style in line]
        strip = Strip(segments).adjust_cell_length(width)
        return strip.apply_style(self._palette["chosen"]) if y == self._chosen else strip


def difference(old: Line, new: Line, y: int, width: int) -> Region:
    """The cells between the first span that differs and the last one."""
    if len(old) != len(new):
        return Region(0, y, width, 1)
    begin = x = end = 0
    found = False
    for was, now in zip(old, new, strict=True):
        wide = text_width(now[0])
        if was != now:
            if text_width(was[0]) != wide:
                begin = begin if found else x
                return Region(begin, y, max(width - begin, 1), 1)
            begin, found = (begin if found else x), True
            end = x + wide
        x += wide
    return Region(begin, y, max(end - begin, 1), 1)
