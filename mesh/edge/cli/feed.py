"""A thread that reads the live feed of a node, and goes on wherever it broke off."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mesh.edge.cli.connect import Endpoint, NodeApi, WaitedTooLong
from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.cli.paths import WATCH

NO_LIMIT_S = 10 * 365 * 86_400.0
FIRST_WAIT_S, LAST_WAIT_S = 0.25, 5.0
"""A node that starts again is back in a second; one that is gone costs a try every 5 s."""


QUIET_S = 25.0
"""The feed says something every 10 s: two silences mean that nobody is there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A node answers."""

    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Told:
    """One frame."""

    event: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lost:
    """The feed broke off, or could not be opened; it is tried again by itself."""

    endpoint: Endpoint
    why: str


News: TypeAlias = Opened | Told | Lost


class FeedThread:
    """News of a mesh in `inbox`, in order; `wake` is called from the thread when there is some.

    With several endpoints the next one is asked when one does not answer. `begun` waits until the
    first one did, or none.
    """

    def __init__(self, endpoints: Sequence[Endpoint], wake: Callable[[], None]) -> None:
        self.inbox: deque[News] = deque()
        self.wake = wake
        self._endpoints = list(endpoints)
        self._stopped = threading.Event()
        self._tried = threading.Event()
        self._failure: CommandFailed | None = None
        self.last_id = ""
        """Of the frame that was told last."""
        # A read that waits must not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, daemon=True, name="feed")

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """No more tries; what is being read is left alone."""
        self._stopped.set()

    def begun(self) -> None:
        """Return once a node answers. CommandFailed when none of them did."""
        self._tried.wait()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        wait_s, at, failed = FIRST_WAIT_S, 0, 0
        while not self._stopped.is_set():
            endpoint = self._endpoints[at]
            began_s = time.monotonic()
            try:
                self._read(endpoint)
                why = "it ended the feed"
            except (CommandFailed, WaitedTooLong, ValueError) as error:
                why = getattr(error, "message", "it does not speak the API of a mesh node")
                failed += 1
                if failed >= len(self._endpoints) and not self._tried.is_set():
                    self._failure = _as_failure(error, endpoint)
                    self._tried.set()
                    return
            if self._tried.is_set() and time.monotonic() - began_s > LAST_WAIT_S:
                wait_s = FIRST_WAIT_S
            if len(self._endpoints) > 1:
                # Another node numbers its news in its own way.
                at, self.last_id = (at + 1) % len(self._endpoints), ""
            pause_s = wait_s if self._tried.is_set() else 0.0
            self._tell(Lost(endpoint, why))
            self._stopped.wait(pause_s)
            wait_s = min(2 * wait_s, LAST_WAIT_S)

    def _read(self, endpoint: Endpoint) -> None:
        def opened() -> None:
            self._tell(Opened(endpoint))
            self._tried.set()

        deadline_s = time.monotonic() + NO_LIMIT_S
        frames = NodeApi(endpoint).frames(
            WATCH, last_id=self.last_id, deadline_s=deadline_s, opened=opened, quiet_s=QUIET_S
        )
        for frame in frames:
            if self._stopped.is_set():
                return
            self._tell(Told(frame.event, frame.data))
            self.last_id = frame.id

    def _tell(self, news: News) -> None:
        self.inbox.append(news)
        self.wake()


def _as_failure(error: Exception, endpoint: Endpoint) -> CommandFailed:
    if isinstance(error, CommandFailed):
        return error
    return CommandFailed(f"{endpoint} does not speak the API of a mesh node", Exit.NO_NODE)
