"""The full screen: it paints the picture that the live feed brings, four times a second at most."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.app import App, ScreenStackError
from textual.binding import Binding

from mesh.edge.cli.connect import Endpoint
from mesh.edge.cli.feed import FeedThread, Lost, Opened, Told
from mesh.edge.feed_reader import Picture
from mesh.edge.palette import palette
from mesh.edge.render_columns import Look
from mesh.edge.render_times import span_text
from mesh.edge.render_top import TABS
from mesh.edge.tui.dialogs import HelpPage
from mesh.edge.tui.main import MainPage
from mesh.edge.tui.screens import Page

REFRESH_S = 0.25
"""People do not read faster, and a slow line has its rest."""
TICK_S = 1.0
"""Ages are counted in seconds at the least."""
SAID_S = 10.0
CLOCKS_AGREE_MS = 2_000
"""A node whose clock is further from ours is believed: all its times are of that clock."""
ENDED_BY_SIGNAL = 128


class TopApp(App[None]):
    """One picture, and pages that show parts of it."""

    CSS = """
    Screen { background: ansi_default; color: ansi_default; overflow: hidden hidden; }
    Drawn { height: 1; width: 1fr; background: ansi_default; color: ansi_default; }
    #header { height: 2; }
    #banner { height: 0; display: none; }
    .table { height: 1fr; }
    Pager { height: 1fr; }
    Question { background: transparent; align: center middle; }
    #middle { width: auto; height: auto; background: ansi_default; }
    #box { width: 64; height: 10; }
    """
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[Any]] = [
        Binding("q", "quit", "", priority=False),
        Binding("ctrl+c", "quit", "", priority=True),
        Binding("ctrl+q", "quit", "", priority=True),
        Binding("ctrl+z", "suspend_process", "", priority=True),
        Binding("escape", "back", ""),
        Binding("question_mark,f1", "help", ""),
    ]

    def __init__(self, feed: FeedThread, endpoint: Endpoint, *, exact: bool = False) -> None:
        styles = palette()  # textual takes NO_COLOR out of the environment
        super().__init__(ansi_color=True)
        self.feed = feed
        self.endpoint = endpoint
        self.exact = exact
        self.palette: Mapping[str, Style] = styles
        self.picture = Picture()
        self.look = Look(_now_ms(), exact)
        self.lost: Lost | None = None
        self.healed_ms = 0
        self.failure: Exception | None = None
        """A mistake of ours that has ended the app."""
        self.said = ("", "")
        """A sentence for the line at the bottom, and its style."""
        self._said_s = 0.0
        self._lost_since_ms = 0
        self._clock_offset_ms = 0
        self._was_split = False
        self._changed: dict[str, set[str] | None] = {}
        self._shown_s = 0.0
        self._waits = False
        self._main = MainPage()
        self._loop: asyncio.AbstractEventLoop | None = None
        # Textual finds its app there: the feed's thread has none of its own.
        self._contextvars = contextvars.copy_context()

    def on_mount(self) -> None:
        """Listen to the feed, to the clock and to signals."""
        self._loop = asyncio.get_running_loop()
        self._contextvars = contextvars.copy_context()
        for number in (signal.SIGTERM, signal.SIGHUP):
            try:
                self._loop.add_signal_handler(number, self._end_by_signal, number)
            except (NotImplementedError, ValueError, RuntimeError):
                pass  # not in the main thread, as under test
        self._take_news()
        self.push_screen(self._main)
        self.feed.wake = self._wake
        self.set_interval(TICK_S, self._tick)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self.feed.stop()

    def _page(self) -> Page | None:
        """The page that is shown; None under a question, and while the app begins or ends."""
        try:
            return self.screen if isinstance(self.screen, Page) else None
        except ScreenStackError:
            return None

    def _end_by_signal(self, number: int) -> None:
        self.exit(return_code=ENDED_BY_SIGNAL + number)

    def _fatal_error(self) -> None:
        """Textual's, for any error that nobody caught: the screen is given back, and who started
        the app tells of it."""
        self.failure = self._exception
        self._close_messages_no_wait()

    # News.

    def _wake(self) -> None:
        """From the feed's thread: there is news."""
        if not self._waits and self._loop is not None:
            self._waits = True
            try:
                self._loop.call_soon_threadsafe(self._plan, context=self._contextvars)
            except RuntimeError:
                pass  # the app has ended

    def _plan(self) -> None:
        wait_s = max(self._shown_s + REFRESH_S - time.monotonic(), 0.0)
        self.set_timer(wait_s, self._show) if wait_s > 0.01 else self.call_next(self._show)

    def _show(self) -> None:
        self._waits = False
        self._shown_s = time.monotonic()
        self._take_news()
        self.look = Look(_now_ms() + self._clock_offset_ms, self.exact)
        changed, self._changed = self._changed, {}
        if (page := self._page()) is not None:
            page.show(None if None in changed.values() else changed)

    def _tick(self) -> None:
        if self.said[0] and time.monotonic() > self._said_s + SAID_S:
            self.said = ("", "")
        if not self._waits and time.monotonic() > self._shown_s + TICK_S / 2:
            self._show()

    def _take_news(self) -> None:
        while self.feed.inbox:
            match self.feed.inbox.popleft():
                case Opened(endpoint):
                    self.endpoint, self.lost = endpoint, None
                case Told(event, data):
                    self._apply(event, data)
                case Lost() as lost:
                    if self.lost is None:
                        self._lost_since_ms = _now_ms() + self._clock_offset_ms
                    self.lost = lost

    def _apply(self, event: str, data: Mapping[str, Any]) -> None:
        self.picture.apply(event, data)
        if "Mesh" in data:
            self._heard_mesh(data["Mesh"])
        if event != "changes":
            self._changed = dict.fromkeys(TABS)
            return
        for tab in TABS:
            key, known = tab.capitalize(), self._changed.setdefault(tab, set())
            if known is not None and tab != "events":
                known.update(row["ID"] for row in data.get(key, ()))
                known.update(data.get("Gone", {}).get(key, ()))
            elif known is not None and data.get(key):
                known.add("new")

    def _heard_mesh(self, mesh: Mapping[str, Any]) -> None:
        offset_ms = mesh["Time"] - _now_ms()
        self._clock_offset_ms = offset_ms if abs(offset_ms) > CLOCKS_AGREE_MS else 0
        if self._was_split and not mesh["Split"]:
            self.healed_ms = mesh["Time"]
        self._was_split = mesh["Split"]

    def lost_sentence(self) -> str:
        """What is said while the node does not answer."""
        assert self.lost is not None
        age = span_text(_now_ms() + self._clock_offset_ms - self._lost_since_ms)
        return f"{self.lost.why}. What you see is {age} old; it is asked again by itself."

    # Keys.

    def say(self, sentence: str, style: str = "") -> None:
        """Tell something in the line at the bottom."""
        self.said, self._said_s = (sentence, style), time.monotonic()
        if (page := self._page()) is not None:
            page.show({})

    async def on_event(self, event: events.Event) -> None:
        """Keys go to the page that is shown first, in the order in which they come."""
        if isinstance(event, events.Key) and self._is_escape_and_letter(event):
            return
        page = self._page() if isinstance(event, events.Key) else None
        if page is not None and page.take_key(event):  # type: ignore[arg-type]
            event.stop()
        elif page is not None and event.key == "escape":  # type: ignore[attr-defined]
            # At once: the next key, which may be here already, is for the page below.
            event.stop()
            await self.action_back()
        else:
            await super().on_event(event)

    def _is_escape_and_letter(self, event: events.Key) -> bool:
        """A terminal sends Alt with a letter as it sends Esc and that letter, as they come together
        over a slow line: it is taken for these two, for Alt means nothing here."""
        letter = event.character or ""
        if not event.key.startswith("alt+") or not letter.isalpha():
            return False
        self.post_message(events.Key("escape", "\x1b"))
        self.post_message(events.Key(letter, letter))
        return True

    async def action_back(self) -> None:
        """Esc: one page back; on the first, end what is under way there."""
        if self.screen is self._main:
            self._main.back()
        else:
            self.pop_screen()

    def action_help(self) -> None:
        """All keys."""
        if not isinstance(self.screen, HelpPage):
            self.push_screen(HelpPage())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
