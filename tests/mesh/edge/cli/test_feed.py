from __future__ import annotations

import threading
import time

import pytest

from mesh.edge.cli.connect import Endpoint
from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.cli.feed import FeedThread, Lost, News, Opened, Told
from tests.mesh.edge.feed_server import FeedServer

PATIENCE_S = 20.0


class Heard:
    """What a feed's thread told, in order."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.news: list[News] = []
        self._woken = threading.Event()
        self.feed = FeedThread(endpoints, self._woken.set)
        self.feed.start()

    def until(self, kind: type, count: int = 1) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while sum(isinstance(one, kind) for one in self.news) < count:
            self._woken.wait(0.05)
            self._woken.clear()
            while self.feed.inbox:
                self.news.append(self.feed.inbox.popleft())
            assert time.monotonic() < deadline_s, self.news


def here(server: FeedServer) -> Endpoint:
    return Endpoint("127.0.0.1", server.port)


def test_frames_in_order_and_on_from_the_last() -> None:
    frames = [{"event": "snapshot", "data": {"A": 1}}, {"event": "changes", "data": {"B": 2}}]
    with FeedServer(frames) as server:
        heard = Heard(here(server))
        heard.feed.begun()
        heard.until(Told, 2)
        port = server.port
    heard.until(Lost)
    with FeedServer(frames, port) as again:
        heard.until(Opened, 2)
        heard.feed.stop()
        assert again.last_ids == ["1-2"]
    assert heard.news[:3] == [
        Opened(Endpoint("127.0.0.1", port)),
        Told("snapshot", {"A": 1}),
        Told("changes", {"B": 2}),
    ]


def test_nobody_there() -> None:
    feed = FeedThread([Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)], lambda: None)
    feed.start()
    with pytest.raises(CommandFailed, match="no node answers at") as failed:
        feed.begun()
    assert failed.value.code is Exit.NO_NODE


def test_the_second_where_the_first_is_not_there() -> None:
    with FeedServer([]) as server:
        heard = Heard(Endpoint("127.0.0.1", 1), here(server))
        heard.feed.begun()
        heard.until(Opened)
        assert heard.news[-1] == Opened(here(server))
        heard.feed.stop()


def test_a_node_that_says_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.edge.cli.feed.QUIET_S", 0.05)
    with FeedServer([]) as server:
        heard = Heard(here(server))
        heard.until(Lost)
        heard.until(Opened, 2)
        heard.feed.stop()


def test_something_that_is_no_feed() -> None:
    with FeedServer([]) as server:
        server.frames = [b"data: {not json\n\n"]
        heard = Heard(here(server))
        heard.until(Lost)
        heard.feed.stop()
        lost = next(one for one in heard.news if isinstance(one, Lost))
        assert lost.why == "it does not speak the API of a mesh node"
