"""What all pages of the full screen share: the header, the banners, the lines at the bottom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from rich.style import Style
from textual import events
from textual.screen import Screen

from mesh.edge.render import plain
from mesh.edge.render_columns import Line, fit_line
from mesh.edge.render_hints import keys_line
from mesh.edge.render_top import banner_lines, header_lines, lost_lines, spare_lines
from mesh.edge.tui.drawn import Drawn

if TYPE_CHECKING:
    from mesh.edge.tui.app import TopApp

BANNER_SHARE = 5
"""Of the screen, what banners may take: on 24 lines four; what they are about has the rest."""
Changed = Mapping[str, set[str] | None]
"""By table the ids of rows that changed; None for all of them."""


class Page(Screen[None]):
    """A page over the whole screen."""

    keys: Sequence[tuple[str, str]] = ()
    has_banner = True

    @property
    def top_app(self) -> TopApp:
        """The application, by its own type."""
        return cast("TopApp", self.app)

    def drawn(self, name: str) -> Drawn:
        """One of its widgets that show lines."""
        return self.query_one(f"#{name}", Drawn)

    def frame(self, *, body: Iterable[Drawn]) -> Iterable[Drawn]:
        """All widgets, the page's own between those of every page."""
        palette: Mapping[str, Style] = self.top_app.palette
        yield Drawn(id="header", palette=palette)
        yield Drawn(id="banner", palette=palette)
        yield from body
        yield Drawn(id="status", palette=palette)
        yield Drawn(id="hints", palette=palette)

    def put(self, name: str, lines: Sequence[Line]) -> None:
        """Show lines in a widget that is as high as they are many."""
        widget = self.drawn(name)
        fitted = [fit_line(one, self.app.size.width) for one in lines]
        if len(fitted) != len(widget.lines) or not widget.styles.height:
            widget.styles.height = len(fitted)
            widget.display = bool(fitted)
        widget.put(fitted)

    def show(self, changed: Changed | None = None) -> None:
        """Draw what is different; `changed` names the rows, None that all may be."""
        app = self.top_app
        mesh, look, width = app.picture.mesh, app.look, self.app.size.width
        if mesh is None:
            self.put("header", [[("asking the node ...", "dim")], []])
        else:
            self.put("header", header_lines(mesh, look, width))
        banners = lost_lines(app.lost_sentence(), width) if app.lost else []
        banners += banner_lines(app.picture, look, width, app.healed_ms)
        most = max(self.app.size.height // BANNER_SHARE, 1)
        self.put("banner", spare_lines(banners, most) if self.has_banner else [])
        self.show_body(changed)
        self.put("status", [self.status_line()])
        self.put("hints", [self.hints_line()])

    def take_key(self, event: events.Key) -> bool:
        """A key before anybody else gets it; whether it was one of this page's own."""
        return False

    def show_body(self, changed: Changed | None) -> None:
        """Draw what is this page's own."""

    def status_line(self) -> Line:
        """What the node answered last, else something about what is under the cursor."""
        said, style = self.top_app.said
        return [(f" {plain(said)}", style)] if said else self.about_line()

    def about_line(self) -> Line:
        """Something about what is under the cursor."""
        return []

    def hints_line(self) -> Line:
        """Keys and what they do."""
        return keys_line(self.keys, self.app.size.width)

    def on_mount(self) -> None:
        """Draw once there is room."""
        self.call_after_refresh(self.show)

    def on_resize(self, event: events.Resize) -> None:
        """Everything is laid out by the width."""
        self.call_after_refresh(self.show)

    def on_screen_resume(self) -> None:
        """What changed meanwhile."""
        self.call_after_refresh(self.show)
