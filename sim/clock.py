"""The one line of time of a simulated world, and each machine's own clocks along it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from scheduler.instant import Instant

WALL_START_MS = 1_750_000_000_000
"""What every calendar shows when a world begins, but for its machine's own error: June 2025."""

Action = Callable[[], None]


class Clock:
    """A heap of what is to happen; of two things at one time, the one asked for first."""

    def __init__(self) -> None:
        self.now_s = 0.0
        """Seconds since the world began."""
        self._heap: list[tuple[float, int, Action]] = []
        self._asked = 0

    def at(self, at_s: float, action: Action) -> None:
        """Do this then; what is late is done now."""
        self._asked += 1
        heapq.heappush(self._heap, (max(at_s, self.now_s), self._asked, action))

    def after(self, wait_s: float, action: Action) -> None:
        """Do this in so many seconds."""
        self.at(self.now_s + wait_s, action)

    def step(self, until_s: float) -> bool:
        """Do the next thing, if one is due by then; False when none is, and it is `until_s` now."""
        if not self._heap or self._heap[0][0] > until_s:
            self.now_s = max(self.now_s, until_s)
            return False
        self.now_s, _, action = heapq.heappop(self._heap)
        action()
        return True


@dataclass(slots=True)
class MachineClock:
    """The clocks of one machine: how long it has been up, and what its calendar shows."""

    world: Clock
    up_s: float
    """How long the machine was up when the world began."""
    wall_error_ms: int
    """How far its calendar is ahead; somebody may set it while it runs."""

    def now(self) -> Instant:
        """One reading of both clocks."""
        elapsed_s = self.world.now_s
        wall_ms = WALL_START_MS + self.wall_error_ms + round(elapsed_s * 1000)
        return Instant(self.up_s + elapsed_s, wall_ms)

    def world_s(self, monotonic_s: float) -> float:
        """When, on the world's line, this machine's monotonic clock shows that."""
        return monotonic_s - self.up_s
