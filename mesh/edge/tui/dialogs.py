"""Questions before something is done, and the page of help."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widget import Widget

from mesh.edge.render import text_width
from mesh.edge.render_columns import Line, wrap_line
from mesh.edge.render_hints import help_lines, keys_line
from mesh.edge.tui.drawn import Drawn
from mesh.edge.tui.pager import Pager
from mesh.edge.tui.screens import Page

BOX_COLUMNS = 64


class Question(ModalScreen[bool]):
    """Asks for a yes; its result is whether that came."""

    def __init__(self, title: str, text: str, yes: str) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._yes = yes

    def compose(self) -> Iterable[Widget]:
        """A box in the middle."""
        palette = self.app.palette  # type: ignore[attr-defined]
        with Container(id="middle"):
            yield Drawn(id="box", palette=palette)

    def on_mount(self) -> None:
        """Draw it."""
        self.call_after_refresh(self._draw)

    def on_resize(self, event: events.Resize) -> None:
        """Draw it anew."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        width = min(BOX_COLUMNS, self.app.size.width - 2)
        inner = width - 4
        rows: list[Line] = [[(self._title, "bold")], []]
        rows += [[(one, "")] for one in wrap_line(self._text, inner)]
        rows += [[], keys_line((("y", self._yes), ("n", "leave it")), inner)]
        lines: list[Line] = [[("┌" + "─" * (width - 2) + "┐", "")]]
        for row in rows:
            used = sum(text_width(text) for text, _ in row)
            lines.append([("│ ", ""), *row, (" " * max(inner - used, 0) + " │", "")])
        lines.append([("└" + "─" * (width - 2) + "┘", "")])
        box = self.query_one("#box", Drawn)
        box.styles.width, box.styles.height = width, len(lines)
        box.put(lines)

    def on_key(self, event: events.Key) -> None:
        """`y` alone is a yes: Enter may have been meant for what was there before."""
        event.stop()
        if event.key in ("y", "Y", "upper_y"):
            self.dismiss(True)
        elif event.key in ("n", "N", "escape", "q", "ctrl+c"):
            self.dismiss(False)

    def on_click(self, event: events.Click) -> None:
        """On the words, what they say; beside the box, no."""
        box = self.query_one("#box", Drawn)
        x, y = event.screen_x - box.region.x, event.screen_y - box.region.y
        if box.region.contains(event.screen_x, event.screen_y):
            if y == len(box.lines) - 2:
                self.dismiss(x < len(f"| y  {self._yes}   "))
        else:
            self.dismiss(False)


class HelpPage(Page):
    """All keys."""

    keys = (("Esc", "back"), ("q", "quit"))
    has_banner = False

    def compose(self) -> Iterable[Widget]:
        """Text to scroll through."""
        yield from self.frame(body=[Pager(id="pager", palette=self.top_app.palette)])

    def on_mount(self) -> None:
        """Fill it."""
        super().on_mount()
        pager = self.query_one("#pager", Pager)
        pager.fill(help_lines())
        pager.focus()
