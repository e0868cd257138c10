"""One mailbox, one member, one loop: take all that waits, handle it, perform what is asked for.

Nothing is decided here. An effect is performed by the function that the composition root gave for
its type, in the order in which effects come, and none of these may block.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import trio

from mesh.gossip.events import StartTimer, TimerFired
from mesh.member.events import MemberEffect, MemberEvent
from mesh.node.store import FlushFailed
from scheduler.instant import Instant

MAX_WAITING = 4096
"""Events in the mailbox beyond which links stop reading: a quarter of a second of work."""

TURNS_IN_A_ROW = 3
"""What performing answers at once (an input that is here, a result that is no file) is handled in
the same run of the loop; other tasks wait for no more than these."""

Event = MemberEvent | FlushFailed


class MemberLike(Protocol):
    """What the loop needs of a member."""

    def start(self, now: Instant) -> list[MemberEffect]:
        """The first effects."""

    def handle(self, event: MemberEvent, now: Instant) -> list[MemberEffect]:
        """What one event asks for."""

    def end_tick(self, now: Instant) -> list[MemberEffect]:
        """What the whole batch asks for."""


class Mailbox:
    """Events for the one reader; posting never blocks and may be done from trio's thread alone."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._filled = trio.Event()
        self._taken = trio.Event()

    def post(self, event: Event) -> None:
        """Add one event."""
        self._events.append(event)
        self._filled.set()

    def clear(self) -> None:
        """Forget what waits: it was meant for a member that is no more."""
        self._events.clear()

    @property
    def waits(self) -> bool:
        """Something is there."""
        return bool(self._events)

    async def wait_for_room(self) -> None:
        """Returns while the loop keeps up; what reads from strangers waits here."""
        while len(self._events) >= MAX_WAITING:
            await self._taken.wait()

    async def take(self, until_s: float) -> deque[Event]:
        """Everything that waits, as soon as there is something; nothing once it is `until_s`."""
        if self._events:
            await trio.lowlevel.checkpoint()
        else:
            with trio.CancelScope(deadline=until_s):
                await self._filled.wait()
        return self.take_now()

    def take_now(self) -> deque[Event]:
        """Everything that waits."""
        events, self._events = self._events, deque()
        self._filled = trio.Event()
        self._taken.set()
        self._taken = trio.Event()
        return events


class Timers:
    """A heap of due times, one timer for each token; starting one again replaces it."""

    def __init__(self) -> None:
        self._due_s: dict[tuple[str, ...], float] = {}
        self._heap: list[tuple[float, int, tuple[str, ...]]] = []
        self._numbers = itertools.count()

    def start(self, timer: StartTimer) -> None:
        """Fire it at its time."""
        self._due_s[timer.token] = timer.at_s
        heapq.heappush(self._heap, (timer.at_s, next(self._numbers), timer.token))

    def next_s(self) -> float:
        """When the next one is due; infinity when there is none."""
        while self._heap and self._due_s.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def take_due(self, now_s: float) -> list[TimerFired]:
        """Those whose time has come, in order of it; each fires once."""
        fired = []
        while self.next_s() <= now_s:
            due_s, _, token = heapq.heappop(self._heap)
            del self._due_s[token]
            fired.append(TimerFired(token, due_s))
        return fired


class Loop:
    """One member's life from its start to a failed flush, or until cancelled."""

    def __init__(
        self,
        *,
        member: MemberLike,
        mailbox: Mailbox,
        now: Callable[[], Instant],
        perform: Mapping[type[Any], Callable[[Any], None]],
        observe: Callable[[Any], None],
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self._member = member
        self._mailbox = mailbox
        self._now = now
        self._timers = Timers()
        self._perform: dict[type[Any], Callable[[Any], None]] = {
            **perform,
            StartTimer: self._timers.start,
        }
        self._observe = observe
        self._started = started

    async def run(self) -> FlushFailed:
        """Returns when the disk failed: the member must be thrown away and built again from it."""
        self.perform_all(self._member.start(self._now()))
        self._started()
        while True:
            events = await self._mailbox.take(self._timers.next_s())
            failed, turns = self._turn(events), 1
            while failed is None and turns < TURNS_IN_A_ROW and self._mailbox.waits:
                failed, turns = self._turn(self._mailbox.take_now()), turns + 1
            if failed is not None:
                return failed

    def _turn(self, events: Iterable[Event]) -> FlushFailed | None:
        now = self._now()
        effects: list[MemberEffect] = []
        for event in itertools.chain(self._timers.take_due(now.monotonic_s), events):
            if isinstance(event, FlushFailed):
                return event
            self._observe(event)
            effects += self._member.handle(event, now)
        effects += self._member.end_tick(now)
        self.perform_all(effects)
        return None

    def perform_all(self, effects: list[MemberEffect]) -> None:
        """Each effect by the function for its type, in order."""
        for effect in effects:
            self._observe(effect)
            self._perform[type(effect)](effect)
