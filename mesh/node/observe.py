"""What people may know of a running node: counters, the last events, and a few lines on stderr."""

from __future__ import annotations

import functools
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, TextIO

from mesh.gossip.events import LinkClosed, LinkId, LinkOpened
from mesh.member.commands import Submitted
from mesh.member.events import Answer, AttemptReported
from runtime.attempt import EngineEnded, EngineStarted, InputsFailed, ResultsFailed
from scheduler.ids import NodeId

RECENT = 256
"""Events kept for a look at what just happened: some seconds of a busy node."""
SHORT = 12
"""Characters of an id that tell two apart in one cluster: `e-` or `j-` and ten, `n-` likewise."""


@functools.lru_cache(maxsize=1)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


class Observer:
    """Sees every event and effect of the loop; costs two dictionary look-ups for most."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._peers: dict[LinkId, NodeId] = {}
        self._tell: dict[type, Callable[[Any], None]] = {
            LinkOpened: self._link_opened,
            LinkClosed: self._link_closed,
            Answer: self._answered,
            AttemptReported: self._attempt,
        }
        self.counters: Counter[str] = Counter()
        self.recent: deque[tuple[int, str]] = deque(maxlen=RECENT)
        """(wall milliseconds, sentence)."""

    def stopping(self) -> None:
        """This node says goodbye: links that end from now on tell nothing about the others."""
        del self._tell[LinkClosed]

    def note(self, item: Any) -> None:
        """One event or effect."""
        kind = type(item)
        self.counters[kind.__name__] += 1
        tell = self._tell.get(kind)
        if tell is not None:
            tell(item)

    def say(self, sentence: str) -> None:
        """One line for people. Control characters never reach a terminal."""
        line = sentence
        if not sentence.isprintable():
            line = "".join(
                one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in sentence
            )
        self.recent.append((time.time_ns() // 1_000_000, line))
        try:
            self._out.write(f"{_clock(int(time.time()))} {line}\n")
            self._out.flush()
        except (OSError, ValueError):
            # Nobody reads any more; that is no reason to stop working.
            self.counters["lines_lost"] += 1

    def _link_opened(self, event: LinkOpened) -> None:
        if event.peer not in self._peers.values():
            self.say(f"peer {event.peer[:SHORT]} at {event.address}")
        self._peers[event.link] = event.peer

    def _link_closed(self, event: LinkClosed) -> None:
        peer = self._peers.pop(event.link, None)
        if peer is not None and peer not in self._peers.values():
            self.say(f"peer {peer[:SHORT]} {'left' if event.goodbye else 'lost'}")

    def _answered(self, effect: Answer) -> None:
        if isinstance(effect.answer, Submitted) and effect.answer.created:
            self.say(f"job {effect.answer.job[:SHORT]} accepted")

    def _attempt(self, event: AttemptReported) -> None:
        name = f"attempt {event.attempt[:SHORT]}"
        match event.event:
            case EngineStarted():
                self.say(f"{name} runs")
            case EngineEnded(exit_code=code, failure=""):
                self.say(f"{name} ended with exit code {code}")
            case EngineEnded(failure=failure, message=message):
                self.say(f"{name} failed, {failure}: {message}")
            case InputsFailed(message=message) | ResultsFailed(message=message):
                self.say(f"{name} failed: {message}")
