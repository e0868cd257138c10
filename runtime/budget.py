"""What a node can run at once, and what waits for its turn (pure).

Reserved is what was promised to attempts, not what they use. Waiting attempts keep their order: a
large one is not starved by small ones that would fit sooner.
"""

from __future__ import annotations

from collections import deque

from scheduler.ids import AttemptId
from scheduler.jobs import TARGET_QUEUE_SLOTS, Refusal, Resources


class Budget:
    """Capacity, reservations, and a bounded queue."""

    def __init__(self, capacity: Resources, *, queue_slots: int = TARGET_QUEUE_SLOTS) -> None:
        self.capacity = capacity
        self._queue_slots = queue_slots
        self._reserved: dict[AttemptId, Resources] = {}
        self._waiting: deque[tuple[AttemptId, Resources]] = deque()
        self.used = Resources()

    @property
    def free(self) -> Resources:
        """What is not reserved; below zero where the capacity has shrunk under running work."""
        return self.capacity.minus(self.used)

    @property
    def running(self) -> tuple[AttemptId, ...]:
        """Attempts that hold a reservation, in order of reserving."""
        return tuple(self._reserved)

    @property
    def waiting(self) -> tuple[AttemptId, ...]:
        """Attempts in the queue, the next one first."""
        return tuple(attempt for attempt, _ in self._waiting)

    def hold(self, attempt: AttemptId, resources: Resources) -> None:
        """Reserve for what runs already, whether it fits or not: it was promised before."""
        if attempt not in self._reserved:
            self._take(attempt, resources)

    def reserve(self, attempt: AttemptId, resources: Resources) -> bool:
        """Reserve now; False when it does not fit, or others wait already."""
        if attempt in self._reserved:
            return True
        if self._waiting or not resources.fits(self.free):
            return False
        self._take(attempt, resources)
        return True

    def queue(self, attempt: AttemptId, resources: Resources) -> Refusal | None:
        """Wait for room. TOO_LARGE for what can never fit, QUEUE_FULL where too many wait."""
        if not resources.fits(self.capacity):
            return Refusal.TOO_LARGE
        if attempt in self.waiting or attempt in self._reserved:
            return None
        if len(self._waiting) >= self._queue_slots:
            return Refusal.QUEUE_FULL
        self._waiting.append((attempt, resources))
        return None

    def release(self, attempt: AttemptId) -> tuple[AttemptId, ...]:
        """The attempt has ended, or waits no more. Returns those that hold a reservation from now
        on."""
        resources = self._reserved.pop(attempt, None)
        if resources is not None:
            self.used = self.used.minus(resources)
        else:
            self._waiting = deque(one for one in self._waiting if one[0] != attempt)
        return self._admit_waiting()

    def set_capacity(self, capacity: Resources) -> tuple[AttemptId, ...]:
        """The machine offers something else now. Returns those that hold a reservation from now
        on."""
        self.capacity = capacity
        return self._admit_waiting()

    def _admit_waiting(self) -> tuple[AttemptId, ...]:
        admitted: list[AttemptId] = []
        while self._waiting and self._waiting[0][1].fits(self.free):
            attempt, resources = self._waiting.popleft()
            self._take(attempt, resources)
            admitted.append(attempt)
        return tuple(admitted)

    def _take(self, attempt: AttemptId, resources: Resources) -> None:
        self._reserved[attempt] = resources
        self.used = self.used.plus(resources)
