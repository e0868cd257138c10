"""How much of each node is taken, as far as records tell: what a decision reserves from.

Kept attempt by attempt, so that a decision costs nodes and placements, never history.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from scheduler.attempts import AttemptView
from scheduler.ids import AttemptId, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, NodeReading, Resources


class Load(NamedTuple):
    """What the live attempts of one node want together."""

    wanted: Resources = Resources()
    """By all of them."""
    waiting: Resources = Resources()
    """By those that are only assigned."""
    live_count: int = 0
    waiting_count: int = 0

    def with_one(self, resources: Resources, *, waiting: bool) -> Load:
        return Load(
            self.wanted.plus(resources),
            self.waiting.plus(resources) if waiting else self.waiting,
            self.live_count + 1,
            self.waiting_count + waiting,
        )

    def without_one(self, resources: Resources, *, waiting: bool) -> Load:
        return Load(
            self.wanted.minus(resources),
            self.waiting.minus(resources) if waiting else self.waiting,
            self.live_count - 1,
            self.waiting_count - waiting,
        )

    def free(self, capacity: Resources) -> Resources:
        """What is left; negative in a dimension where assigned attempts wait for it."""
        return capacity.minus(self.wanted)

    def queued(self, capacity: Resources) -> int:
        """Assigned attempts that cannot start yet.

        Told from sums alone: what is wanted beyond the capacity, over the mean size of those that
        wait. Exact where they are alike, an estimate where not; the node has the last word.
        """
        excess = 0
        for free, waiting in zip(self.free(capacity), self.waiting, strict=True):
            if free < 0 < waiting:
                excess = max(excess, -(free * self.waiting_count // waiting))
        return min(excess, self.waiting_count)


class _Held(NamedTuple):
    node: NodeId
    resources: Resources
    waiting: bool


class CapacityIndex:
    """Readings and loads by node; every update costs O(1)."""

    def __init__(self) -> None:
        self._readings: dict[NodeId, NodeReading] = {}
        self._loads: dict[NodeId, Load] = {}
        self._held: dict[AttemptId, _Held] = {}
        self._offer_changed: dict[NodeId, Hlc] = {}
        self._freed: dict[NodeId, Hlc] = {}

    def set_reading(self, reading: NodeReading, *, heard: Hlc) -> None:
        """The latest reading of a node; `heard` is our clock when it came.

        A difference in anything but reachability, latency, boot and cached blobs ends what earlier
        refusals of that node forbid.
        """
        before = self._readings.get(reading.node)
        self._readings[reading.node] = reading
        if before is not None and _offer(before) != _offer(reading):
            latest = max(self.offer_changed(reading.node), heard)
            self._offer_changed[reading.node] = latest

    def remove(self, node: NodeId) -> None:
        """Forget a node's reading; what runs there is still counted, should it come back."""
        self._readings.pop(node, None)

    def readings(self) -> list[NodeReading]:
        """Every known node, in order of node id."""
        return [self._readings[node] for node in sorted(self._readings)]

    def is_reachable(self, node: NodeId) -> bool:
        """A known node that can be reached from here."""
        reading = self._readings.get(node)
        return reading is not None and reading.reachable

    def speaks_for(self, attempt: AttemptView) -> bool:
        """Its node can be reached, and what it said last of the attempt, if anything, it said in
        its present run."""
        reading, observed = self._readings.get(attempt.node), attempt.observed
        if reading is None or not reading.reachable:
            return False
        return observed is None or observed.epoch >= reading.boot

    def add(self, attempt: AttemptId, node: NodeId, resources: Resources, *, waiting: bool) -> None:
        """A live attempt, or a new word on one that was added before."""
        held = _Held(node, resources, waiting)
        if self._held.get(attempt) == held:
            return
        self.release(attempt)
        self._held[attempt] = held
        self._loads[node] = self.load(node).with_one(resources, waiting=waiting)

    def release(self, attempt: AttemptId) -> None:
        """An attempt takes nothing any more; unknown ones never did."""
        held = self._held.pop(attempt, None)
        if held is not None:
            load = self.load(held.node).without_one(held.resources, waiting=held.waiting)
            self._loads[held.node] = load

    def follow(self, attempt: AttemptView, resources: Resources) -> None:
        """Take over what the view says of an attempt: `View.take_touched`, `View.resources`."""
        if attempt.live:
            waiting = attempt.state is AttemptState.ASSIGNED
            self.add(attempt.id, attempt.node, resources, waiting=waiting)
            return
        self.release(attempt.id)
        if attempt.state is not AttemptState.REFUSED:
            latest = max(self._freed.get(attempt.node, Hlc(0)), attempt.observed_hlc)
            self._freed[attempt.node] = latest

    def load(self, node: NodeId) -> Load:
        return self._loads.get(node, Load())

    def free(self, node: NodeId) -> Resources:
        """What is left of a known node; KeyError when it is not known."""
        return self.load(node).free(self._readings[node].capacity)

    def offer_changed(self, node: NodeId) -> Hlc:
        """When a node last changed what it offers: refusals older than that say nothing."""
        return self._offer_changed.get(node, Hlc(0))

    def room_changed(self, node: NodeId) -> Hlc:
        """When an attempt last ended there or its offer changed: new hope for want of room."""
        return max(self.offer_changed(node), self._freed.get(node, Hlc(0)))


def _offer(reading: NodeReading) -> NodeReading:
    return replace(reading, reachable=True, rtt_ms=0.0, blobs=frozenset(), boot=0)
