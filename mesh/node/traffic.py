"""How much went over the links of a node, lately and in all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

STEP_S = 60.0
KEPT_STEPS = 60
"""An hour, in minutes: what is older counts in the total alone."""


class Traffic:
    """Bytes of one direction, before TLS."""

    def __init__(self, now_s: Callable[[], float] = trio.current_time) -> None:
        self._now_s = now_s
        self._begun_s: float | None = None
        self._steps: dict[int, int] = {}
        self.total_bytes = 0

    def add(self, size_bytes: int) -> None:
        """So much went now."""
        step = int(self._now_s() // STEP_S)
        if self._begun_s is None:
            self._begun_s = self._now_s()
        if step not in self._steps:
            kept = {one: size for one, size in self._steps.items() if one > step - KEPT_STEPS}
            self._steps = {**kept, step: 0}
        self._steps[step] += size_bytes
        self.total_bytes += size_bytes

    def per_hour_bytes(self) -> int:
        """Of the last hour; of a shorter time since the first byte, what an hour like it makes."""
        if self._begun_s is None:
            return 0
        now_s = self._now_s()
        oldest = int(now_s // STEP_S) - KEPT_STEPS
        sent = sum(size for step, size in self._steps.items() if step > oldest)
        span_s = min(max(now_s - self._begun_s, STEP_S), KEPT_STEPS * STEP_S)
        return round(sent * KEPT_STEPS * STEP_S / span_s)


def traffic_facts(sent: Traffic, received: Traffic) -> Mapping[str, int]:
    """For people, by name."""
    return {
        "sent_bytes": sent.total_bytes,
        "sent_per_hour_bytes": sent.per_hour_bytes(),
        "received_bytes": received.total_bytes,
        "received_per_hour_bytes": received.per_hour_bytes(),
    }
