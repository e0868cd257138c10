"""The full screen under test: the app on a feed server, driven by Textual's pilot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events

from mesh.edge.cli.connect import Endpoint
from mesh.edge.cli.feed import FeedThread
from mesh.edge.render_columns import line_text
from mesh.edge.tui.app import TopApp
from mesh.edge.tui.drawn import Drawn
from tests.mesh.edge.feed_server import FeedServer

PATIENCE_S = 20.0
LOOK_S = 0.02


class Screen:
    """What a person sees, and does."""

    def __init__(self, app: TopApp, pilot: Any) -> None:
        self.app = app
        self.pilot = pilot

    def text(self) -> str:
        """All that stands on the page, from top to bottom."""
        drawn = [one for one in self.app.screen.query(Drawn) if one.display]
        drawn.sort(key=lambda one: one.region.y)
        return "\n".join(line_text(line) for one in drawn for line in one.lines)

    async def shows(self, *wanted: str, without: str = "") -> str:
        """Once all of these are on the page, and `without` is not."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            text = self.text()
            if all(one in text for one in wanted) and not (without and without in text):
                return text
            assert time.monotonic() < deadline_s, f"not {wanted} (or {without!r}):\n{text}"
            await self.pilot.pause(LOOK_S)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Once it holds."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline_s, f"not {what}:\n{self.text()}"
            await self.pilot.pause(LOOK_S)

    def typed_ahead(self, *keys: str) -> None:
        """Keys that come all at once, as over a slow line."""
        for key in keys:
            self.app.post_message(events.Key(key, None))

    async def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        await self.pilot.press(*keys)


def on_screen(
    server: FeedServer,
    scenario: Callable[[Screen], Awaitable[None]],
    *,
    size: tuple[int, int] = (80, 24),
    more: tuple[Endpoint, ...] = (),
    exact: bool = False,
) -> TopApp:
    """Run the app on a server through a scenario, which begins once all that the server had to say
    so far is on the screen: a key pressed before has no row to act on."""
    here = Endpoint("127.0.0.1", server.port)
    feed = FeedThread([here, *more], lambda: None)
    feed.start()
    feed.begun()
    app = TopApp(feed, here, exact=exact)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            screen, last_id = Screen(app, pilot), server.last_id
            await screen.until(lambda: feed.last_id == last_id and not feed.inbox, "all told")
            await pilot.pause()
            await scenario(screen)

    asyncio.run(run())
    return app
