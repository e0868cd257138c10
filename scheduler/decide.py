"""What the owner of a job does now: reconcile, filter, rank, plan.

A plan is a value; nothing here writes or sends. The same job, readings, loads and seed give the
same plan, so that a past decision can be replayed. The cost is that of nodes and of what is placed,
not of the job's size.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Collection
from itertools import chain
from random import Random

from scheduler.attempts import AttemptView
from scheduler.capacity import CapacityIndex, Load
from scheduler.feasibility import could_ever, room_under, verdict_under
from scheduler.ids import AttemptId, NodeId, random_attempt_id
from scheduler.instant import Hlc, hlc_wall_ms
from scheduler.job_view import JobView
from scheduler.jobs import (
    AttemptState,
    Expiry,
    JobSpec,
    Placement,
    Plan,
    Refusal,
    StopReason,
    Verdict,
    Waiting,
)
from scheduler.policy import FREE_TO_ASK_AGAIN, IMAGE_REFUSALS, NOBODY_CAN, Barred
from scheduler.ranking import Standing, demand, has_image, rank
from scheduler.reconcile import replacements, surplus, waiting_too_long

PLACEMENTS_AT_ONCE = 256
"""A placement record is 2 KiB at most: half a MiB in one flush, 5 ms of signing and writing."""
NEXT_BEST = 5
"""Runners-up kept in a placement, so that it stays below 2 KiB."""
ASK_AGAIN = 8
"""Times that one node may send one slot back before it is left alone, until something ends there:
as many as its queue has places, TARGET_QUEUE_SLOTS."""
IMAGE_AGAIN_MS = 60_000
IMAGE_AGAIN_MOST_MS = 3_600_000
"""A registry may be back, or the image be pushed, and nothing tells: a node that could get no image
is asked again after a minute, then after twice as long each time, up to an hour."""


def decide(
    job: JobView,
    spec: JobSpec,
    index: CapacityIndex,
    *,
    seed: int,
    limit: int = PLACEMENTS_AT_ONCE,
    overdue: Collection[AttemptId] = (),
    now_ms: int = 0,
) -> Plan:
    """What its owner does now about a job whose winning version has this spec.

    `seed` is the deciding node's boot: with the job, its term and its attempts so far it makes the
    attempt ids, so that a node which lost its memory never gives one out twice. `overdue` are live
    attempts whose node has been out of reach for as long as `policy.replace_after_s` says; `now_ms`
    is the wall clock, without which nothing is withdrawn. When `limit` placements are given out
    there may be more to do once they are folded; `waiting` is set only when slots stay open for
    want of a node, `ends` when none will ever be found.
    """
    stops = surplus(job, spec, index, overdue=overdue)
    lost = replacements(job, overdue)
    late = waiting_too_long(job, index, now_ms=now_ms)
    wanted = job.open_count() + len(lost)
    if not wanted and not late:
        return Plan(stops=stops)
    board = _Board(job, spec, index, _random(job, seed), now_ms)
    if (ends := board.hopeless()) is not None:
        return Plan(stops=stops, ends=ends)
    placements = _placements(job, board, lost, limit)
    unplaced = wanted - len(placements)
    if unplaced:
        full = len(placements) == limit
        return Plan(tuple(placements), stops, None if full else board.waiting(unplaced))
    told = dict(stops)
    withdrawn = [
        (one.id, StopReason.WITHDRAWN.value)
        for one in late
        if one.id not in told
        and board.take_room(job.slot_attempts(one.version, one.index), away_from=one.node)
    ]
    return Plan(tuple(placements), stops + tuple(withdrawn))


def verdicts(job: JobView, spec: JobSpec, index: CapacityIndex) -> tuple[Verdict, ...]:
    """What each known node would answer to one more slot now, with scores, by node id."""
    return _Board(job, spec, index, Random(0)).verdicts()


def why_waiting(job: JobView, spec: JobSpec, index: CapacityIndex) -> Waiting | None:
    """Why no node would take one more slot, as seen from here; None where one would, or where no
    slot is open: for readers that are not the job's owner."""
    wanted = job.open_count()
    if not wanted:
        return None
    board = _Board(job, spec, index, Random(0))
    return board.waiting(wanted) if board.is_full else None


def _random(job: JobView, seed: int) -> Random:
    term = 0 if job.owner is None else job.owner[0]
    return Random(f"{seed}/{job.id}/{term}/{len(job.attempts)}")


def _placements(job: JobView, board: _Board, lost: list[int], limit: int) -> list[Placement]:
    placements: list[Placement] = []
    skipped = 0
    assert job.version is not None, "a job with open or lost slots has a version"
    for index in chain(lost, job.open_indexes()):
        if len(placements) + skipped == limit:
            break
        placement = board.place(index, job.slot_attempts(job.version.dot, index))
        if placement is not None:
            placements.append(placement)
        elif board.is_full:
            break
        else:
            skipped += 1
    return placements


class _Board:
    """Nodes that would take one more slot of a job, best first; placing reserves on them."""

    def __init__(
        self, job: JobView, spec: JobSpec, index: CapacityIndex, random: Random, now_ms: int = 0
    ) -> None:
        self._job, self._spec, self._index, self._random = job, spec, index, random
        self._now_ms = now_ms
        self._again_ms: int | None = None
        self._readings = {one.node: one for one in index.readings()}
        self._demand = demand(spec, self._readings.values())
        self._loads: dict[NodeId, Load] = {node: index.load(node) for node in self._readings}
        self._placed: Counter[NodeId] = Counter()
        ties = list(self._readings)
        random.shuffle(ties)
        self._ties = {node: place for place, node in enumerate(ties)}
        self._verdicts: dict[NodeId, Verdict] = {}
        self._ranked: list[tuple[int, int, NodeId]] = []
        self._refusals: Counter[str] = Counter()
        self._denied: dict[NodeId, Verdict] = {}
        for node, reading in self._readings.items():
            self._enter(verdict_under(spec, reading, self._loads[node], refused=self._bar(node)))

    @property
    def is_full(self) -> bool:
        """No node would take one more slot, whatever its history."""
        return not self._ranked

    def place(self, index: int, history: list[AttemptView]) -> Placement | None:
        """Reserve the best node for a slot with these attempts behind it, if one will do."""
        node = None if self.is_full else self._best(self._asked(history))
        if node is None:
            return None
        found = self._verdicts[node]
        runners_up = [one for _, _, one in self._ranked[: NEXT_BEST + 1] if one != node][:NEXT_BEST]
        placement = Placement(
            attempt=random_attempt_id(self._random),
            index=index,
            number=1 + max((one.number for one in history), default=0),
            node=node,
            score=found.score,
            next_best=tuple((one, self._verdicts[one].score) for one in runners_up),
            refusals=dict(sorted(self._refusals.items())),
            reasons=found.reasons,
        )
        self._reserve(node)
        return placement

    def take_room(self, history: list[AttemptView], *, away_from: NodeId) -> bool:
        """Reserve where a slot that waits at one node could begin at once, if there is a place.

        Only nodes count that `place` would choose among, once the slot has been sent back.
        """
        asked = self._asked(history)
        ranked = [node for _, _, node in self._ranked]
        fresh = [node for node in ranked if node not in asked]
        for node in fresh or [one for one in ranked if asked[one] < ASK_AGAIN]:
            free = self._loads[node].free(self._readings[node].capacity)
            if node != away_from and self._spec.task.resources.fits(free):
                self._reserve(node)
                return True
        return False

    def verdicts(self) -> tuple[Verdict, ...]:
        """By node id; a node that an open slot may not ask again has refused before."""
        return tuple(self._denied.get(node, self._verdicts[node]) for node in self._readings)

    def waiting(self, slots: int) -> Waiting:
        """Why this many slots stay open."""
        possible = any(could_ever(self._spec, one) for one in self._readings.values())
        return Waiting(slots, self.verdicts(), possible, again_ms=self._again_ms)

    def hopeless(self) -> Expiry | None:
        """What every node answered that could run the job, if that is what waiting does not help
        against; None while anyone may still say something else. Of nodes that cannot be asked now
        only those count that have answered, or are known to have the image."""
        if not self._job.refusals_by_node:
            return None
        said: set[Expiry | None] = set()
        for node, reading in self._readings.items():
            refused = self._refused(node)
            away = not reading.reachable or reading.intent
            if not could_ever(self._spec, reading) or (
                away and not refused and not has_image(self._spec, reading)
            ):
                continue
            said.add(NOBODY_CAN.get(refused.reason) if refused else None)
        return said.pop() if len(said) == 1 else None

    def _refused(self, node: NodeId) -> Barred | None:
        """A refusal that still says something."""
        refused = self._job.barred(node)
        # Heard with our clock as it stood: of a change right after the refusal, at the same time.
        if refused is None or refused.hlc <= self._index.offer_changed(node):
            return None
        return refused

    def _bar(self, node: NodeId) -> str:
        refused = self._refused(node)
        if refused is None:
            return ""
        if refused.reason in IMAGE_REFUSALS:
            times = self._job.refusals_by_node[node]
            wait_ms = min(IMAGE_AGAIN_MS << min(max(times - 1, 0), 10), IMAGE_AGAIN_MOST_MS)
            again_ms = hlc_wall_ms(refused.hlc) + wait_ms
            if self._now_ms >= again_ms:
                return ""
            self._again_ms = min(again_ms, self._again_ms or again_ms)
        return refused.message or refused.reason

    def _asked(self, history: list[AttemptView]) -> Counter[NodeId]:
        """Nodes that this slot has tried, each with how often it sent the slot back for nothing."""
        asked: Counter[NodeId] = Counter()
        for one in history:
            asked[one.node] += _came_back(one, self._index.room_changed(one.node))
        return asked

    def _best(self, asked: Counter[NodeId]) -> NodeId | None:
        """Another node where possible, else the best of those that may be asked again."""
        ranked = [node for _, _, node in self._ranked] if asked else [self._ranked[0][2]]
        fresh = next((node for node in ranked if node not in asked), None)
        if fresh is not None:
            return fresh
        again = next((node for node in ranked if asked[node] < ASK_AGAIN), None)
        if again is None:
            self._denied |= {node: _denied(node) for node in ranked}
        return again

    def _reserve(self, node: NodeId) -> None:
        del self._ranked[self._ranked.index(self._entry(node))]
        self._placed[node] += 1
        load = self._loads[node].with_one(self._spec.task.resources, waiting=True)
        self._loads[node] = load
        self._enter(room_under(self._spec, self._readings[node], load))

    def _enter(self, verdict: Verdict) -> None:
        node = verdict.node
        if verdict.refusal is not None:
            self._verdicts[node] = verdict
            self._refusals[verdict.refusal.value] += 1
            return
        standing = Standing(
            self._job.live_by_node[node] + self._placed[node], self._job.refusals_by_node[node]
        )
        reading, load = self._readings[node], self._loads[node]
        self._verdicts[node] = rank(verdict, self._demand, reading, load, standing)
        insort(self._ranked, self._entry(node))

    def _entry(self, node: NodeId) -> tuple[int, int, NodeId]:
        return (-self._verdicts[node].score, self._ties[node], node)


def _came_back(attempt: AttemptView, room_changed: Hlc) -> bool:
    """It was sent back, and nothing has happened since that promises another answer."""
    if attempt.state is AttemptState.CANCELLED:
        return not attempt.stop_reason
    if attempt.state is not AttemptState.REFUSED or attempt.observed_hlc < room_changed:
        return False
    return attempt.observation.reason in FREE_TO_ASK_AGAIN


def _denied(node: NodeId) -> Verdict:
    told = f"it sent a slot back {ASK_AGAIN} times; it is asked again when something ends there"
    return Verdict(node, Refusal.REFUSED_BEFORE, told)
