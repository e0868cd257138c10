"""Time as the cores see it: an argument, never a clock.

Durations and timers use the monotonic part; hybrid logical clocks and people use the wall part.
"""

from __future__ import annotations

from typing import NamedTuple, NewType

Hlc = NewType("Hlc", int)
"""A hybrid logical clock reading: wall milliseconds shifted left by 16 bits, plus a counter."""

HLC_COUNTER_BITS = 16

MAX_DRIFT_MS = 60_000
"""How far a peer's clock may pull ours ahead (P22): its data are applied all the same."""


class Instant(NamedTuple):
    """One reading of both clocks: seconds that only grow, and milliseconds since 1970."""

    monotonic_s: float
    wall_ms: int


def hlc_wall_ms(hlc: Hlc) -> int:
    """The wall-clock part of a reading, in milliseconds since 1970."""
    return hlc >> HLC_COUNTER_BITS


class HybridClock:
    """The node's own hybrid clock: strictly growing (I20), following peers within bounds."""

    def __init__(self, last: Hlc = Hlc(0)) -> None:
        self.last = last

    def tick(self, now: Instant) -> Hlc:
        """A new reading, greater than every one given or followed before."""
        self.last = Hlc(max(self.last + 1, max(now.wall_ms, 0) << HLC_COUNTER_BITS))
        return self.last

    def follow(self, heard: Hlc, now: Instant) -> bool:
        """Move past a peer's reading; False when it is too far ahead and was not followed (P22)."""
        if hlc_wall_ms(heard) > now.wall_ms + MAX_DRIFT_MS:
            return False
        self.last = Hlc(max(self.last, heard))
        return True
