"""What a member makes of another's silence: opinions of a reader, never written as a fact.

An owner that is unreachable, and of whom no record and no register has come by any path, is
replaced after a wait that doubles with each takeover. An attempt on an unreachable node is overdue
once its job's `ReplaceAfter` has passed. When the node is back, both opinions are gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mesh.gossip.core import PeerReading
from mesh.gossip.events import PeerState, StartTimer
from mesh.member.facts import Facts
from mesh.member.outbox import Outbox
from scheduler.ids import AttemptId, NodeId
from scheduler.instant import Instant
from scheduler.job_view import JobView
from scheduler.ownership import takeover_wait_s
from scheduler.policy import replace_after_s

ABSENCE_TIMER = "absence"
TAKEOVER_AFTER_S = 3.0
"""On top of being unreachable; none where the owner's process is known dead. On a LAN an owner
that lives is heard of by somebody every half second."""


UNHEARD_S = 5.0
"""A member that says nothing from our start on is away as late as one that falls silent is found
out: a machine whose network comes up a little later than its node must not take everything over."""


@dataclass(frozen=True, slots=True)
class _Away:
    since_s: float
    process_dead: bool


class Absence:
    """Which members are away, since when, and what follows from it for jobs."""

    def __init__(self, facts: Facts, outbox: Outbox, *, wan: bool) -> None:
        self._facts = facts
        self._outbox = outbox
        self._wan = wan
        self._away: dict[NodeId, _Away] = {}
        self._heard_s: dict[NodeId, float] = {}
        self._looks_s: dict[NodeId, float] = {}
        """Of an absent node, the monotonic second at which `look` is to come again."""

    def started(self, members: Iterable[NodeId], now: Instant) -> None:
        """Our process begins, and has not heard of any of these; some may be gone for good."""
        since_s = now.monotonic_s + UNHEARD_S
        for node in sorted(members):
            if node != self._facts.node:
                self._away[node] = _Away(since_s, process_dead=False)
                self._look_at(node, since_s)

    def peer_changed(self, peer: PeerReading, now: Instant) -> None:
        """What this node hears of a peer has changed."""
        if peer.state in (PeerState.ALIVE, PeerState.SUSPECT):
            if self._away.pop(peer.node, None) is not None:
                self._touch_jobs_of(peer.node)
            return
        dead = peer.process_dead or peer.state is PeerState.LEFT
        known = self._away.get(peer.node)
        if known is None or (dead and not known.process_dead):
            since_s = now.monotonic_s if known is None else min(known.since_s, now.monotonic_s)
            self._away[peer.node] = _Away(since_s, dead)
            # Who would take over may be the one that is away now: look at all that is owed.
            for node in list(self._away):
                self.look(node, now)

    def heard(self, author: NodeId, now: Instant) -> None:
        """A new record or register of this node came, by whatever path: it is at work (P5)."""
        self._heard_s[author] = now.monotonic_s

    def look(self, node: NodeId, now: Instant) -> None:
        """Look at what rests on an absent node; wake again when more will be due."""
        self._looks_s.pop(node, None)
        if node not in self._away:
            return
        next_s = math.inf
        for job_id in list(self._facts.active):
            job = self._facts.view.jobs[job_id]
            for due_s in self._due_s(job, node):
                if due_s <= now.monotonic_s:
                    self._facts.touch(job_id)
                else:
                    next_s = min(next_s, due_s)
        if next_s < math.inf:
            self._look_at(node, next_s)

    def watch(self, job: JobView, now: Instant) -> None:
        """Wake in time for what rests on absent nodes in this job: it may have come, or changed,
        when nothing else was due any more."""
        for node in self._away:
            for due_s in self._due_s(job, node):
                if now.monotonic_s < due_s < self._looks_s.get(node, math.inf):
                    self._look_at(node, due_s)

    def overdue(self, job: JobView, now: Instant) -> frozenset[AttemptId]:
        """Live attempts of a job that may be replaced: their node has been away for long enough."""
        late = [
            node
            for node in self._away
            if job.live_by_node.get(node) and self._replace_at_s(job, node) <= now.monotonic_s
        ]
        return frozenset(attempt.id for node in late for attempt in job.live_on(node))

    def owner_is_gone(self, job: JobView, now: Instant) -> bool:
        """Its owner has been away, and silent by any path, for the job's present wait."""
        if job.owner is None:
            return True
        return job.owner[1] in self._away and self._takeover_at_s(job) <= now.monotonic_s

    def _look_at(self, node: NodeId, at_s: float) -> None:
        self._looks_s[node] = at_s
        self._outbox.send(StartTimer((ABSENCE_TIMER, node), at_s))

    def _due_s(self, job: JobView, node: NodeId) -> Iterable[float]:
        if job.owner is not None and job.owner[1] == node:
            yield self._takeover_at_s(job)
        if job.live_by_node.get(node):
            yield self._replace_at_s(job, node)

    def _takeover_at_s(self, job: JobView) -> float:
        assert job.owner is not None, "asked of owned jobs only"
        term, owner = job.owner
        away = self._away[owner]
        if away.process_dead and term == 1:
            return away.since_s
        silent_since_s = max(away.since_s, self._heard_s.get(owner, away.since_s))
        return silent_since_s + takeover_wait_s(TAKEOVER_AFTER_S, term)

    def _replace_at_s(self, job: JobView, node: NodeId) -> float:
        spec, away = self._facts.spec_of(job), self._away[node]
        if spec is None:
            return math.inf
        wait_s = replace_after_s(spec, process_dead=away.process_dead, wan=self._wan)
        return math.inf if wait_s is None else away.since_s + wait_s

    def _touch_jobs_of(self, node: NodeId) -> None:
        for job_id in list(self._facts.active):
            job = self._facts.view.jobs[job_id]
            if job.live_by_node.get(node) or (job.owner is not None and job.owner[1] == node):
                self._facts.touch(job_id)
