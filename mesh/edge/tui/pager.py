"""Lines to scroll through: a story, facts, a program's output as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from rich.style import Style
from textual import events

from mesh.edge.palette import PALETTE
from mesh.edge.render_columns import Line, line_text, wrap_line
from mesh.edge.tui.drawn import Drawn
from mesh.edge.tui.rows import WHEEL_LINES

KEPT_LINES = 10_000
"""Of output that goes on for days, the end."""


class Pager(Drawn, can_focus=True):
    """Shows lines, long ones broken; at its end it stays there as more comes."""

    def __init__(self, *, id: str, palette: Mapping[str, Style] = PALETTE) -> None:
        super().__init__(id=id, palette=palette)
        self._texts: deque[Line] = deque(maxlen=KEPT_LINES)
        self._wrapped: deque[Line] = deque(maxlen=KEPT_LINES)
        self.top = 0
        self.follows = False

    def fill(self, lines: Iterable[Line]) -> None:
        """Other lines in place of all."""
        self._texts = deque(lines, maxlen=KEPT_LINES)
        self._wrap_all()
        self.redraw()

    def add(self, lines: Iterable[Line]) -> None:
        """More at the end."""
        at_end = self.follows and self.top >= self._last_top
        for line in lines:
            self._texts.append(line)
            self._wrapped.extend(self._wrap(line))
        if at_end:
            self.top = self._last_top
        self.redraw()

    @property
    def _last_top(self) -> int:
        return max(len(self._wrapped) - self.size.height, 0)

    def _wrap_all(self) -> None:
        self._wrapped = deque(
            (one for line in self._texts for one in self._wrap(line)), maxlen=KEPT_LINES
        )

    def _wrap(self, line: Line) -> list[Line]:
        """Lines of one span are broken; others are laid out by who made them."""
        width = max(self.size.width, 20)
        if len(line) != 1:
            return [line]
        text, style = line[0]
        indent = len(text) - len(text.lstrip()) + 2
        return [[(one, style)] for one in wrap_line(text, width, indent=min(indent, 12))]

    def redraw(self) -> None:
        """Draw what is in sight."""
        self.top = max(0, min(self.top, self._last_top))
        end = min(self.top + self.size.height, len(self._wrapped))
        self.put([self._wrapped[at] for at in range(self.top, end)])

    def text(self) -> str:
        """All of it."""
        return "\n".join(line_text(one) for one in self._texts)

    def on_key(self, event: events.Key) -> None:
        """Keys that move."""
        page = max(self.size.height - 1, 1)
        targets = {
            "up": self.top - 1, "k": self.top - 1, "down": self.top + 1, "j": self.top + 1,
            "pageup": self.top - page, "pagedown": self.top + page, "space": self.top + page,
            "home": 0, "g": 0, "end": self._last_top, "G": self._last_top,
            "upper_g": self._last_top,
        }  # fmt: skip
        if event.key in targets:
            event.stop()
            self.top = targets[event.key]
            self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel scrolls."""
        event.stop()
        self.top += WHEEL_LINES
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel scrolls."""
        event.stop()
        self.top -= WHEEL_LINES
        self.redraw()

    def on_resize(self, event: events.Resize) -> None:
        """Break the lines anew."""
        at_end = self.follows and self.top >= self._last_top
        self._wrap_all()
        self.top = self._last_top if at_end else self.top
        self.lines = []
        self.redraw()
        self.refresh()
