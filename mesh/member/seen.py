"""`seen` registers: what each member holds, so that answers can be called settled.

A member publishes its context while something is unsettled, some seconds apart, and only when it
has changed. A job is settled when every member's context covers the records that its state rests
on; one absent member keeps it provisional.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mesh.gossip.core import Gossip
from mesh.gossip.events import GossipEffect, StartTimer
from mesh.member.facts import Facts
from mesh.member.outbox import Outbox
from mesh.member.registers import SEEN, RegisterError, decode_seen_untrusted, encode_seen
from mesh.trust import Certificate
from scheduler.ids import JobId, NodeId
from scheduler.instant import Instant
from scheduler.job_view import JobView
from scheduler.settled import caught_up, is_settled

SEEN_TIMER = "seen"
FIRST_SEEN_S = 0.5
"""After something became unsettled: a calm mesh settles within a second."""
SEEN_EVERY_S = 5.0
"""At most, while something stays unsettled: a context is some 40 bytes a log."""

Context = dict[tuple[NodeId, int], int]


class ToldSettled(Protocol):
    """Takes a job that is settled, and how many members confirmed it."""

    def __call__(self, job: JobView, members: int, now: Instant, *, awaited: bool) -> None:
        """`awaited`: it was unsettled while every member's word was known, and all that they had
        written. Without that it may have been settled before our start already."""


class Seen:
    """Contexts of all members, and the jobs that have ended and are not settled."""

    def __init__(
        self,
        facts: Facts,
        gossip: Gossip,
        outbox: Outbox,
        certificates: Mapping[NodeId, Certificate],
        told: ToldSettled,
    ) -> None:
        self._facts = facts
        self._certificates = certificates
        """Of every member: one that was not heard of since our start has a say too."""
        self._gossip = gossip
        self._outbox = outbox
        self._told = told
        self._contexts: dict[NodeId, Context] = {}
        self._unsettled: dict[JobId, bool] = {}
        """Whether it was so when every member's word was known, and what it had written."""
        self._settled: dict[JobId, int] = {}
        """Job to the revision at which it was settled."""
        self._published: Context = {}
        self._published_s = -SEEN_EVERY_S
        self._armed = False

    def job_ended(self, job: JobId, now: Instant) -> None:
        """A job is terminal: it is to be settled."""
        view = self._facts.view.jobs[job]
        if self._settled.get(job) != view.revision:
            self._unsettled.setdefault(job, False)
            self._arm(now)

    def is_settled(self, job: JobId) -> bool:
        """Every member holds what the job's state rests on."""
        return self._settled.get(job) == self._facts.view.jobs[job].revision

    @property
    def unsettled_count(self) -> int:
        """Jobs that have ended and are not settled."""
        return len(self._unsettled)

    def register_changed(self, node: NodeId, payload: bytes, now: Instant) -> None:
        """A member's context; what cannot be read says nothing."""
        try:
            self._contexts[node] = decode_seen_untrusted(payload)
        except RegisterError:
            return
        self._settle(now)
        if self._unsettled:
            self._arm(now)

    def timer_fired(self, now: Instant) -> list[GossipEffect]:
        """Publish what we hold, if it is news: others wait for it though we may have settled."""
        self._armed = False
        held = {key: seq for key, (seq, _) in self._facts.ledger.context().items()}
        effects: list[GossipEffect] = []
        if held != self._published:
            self._published, self._published_s = held, now.monotonic_s
            effects = self._gossip.publish(SEEN, encode_seen(held), now)
        # Also when nothing new is held: a job may have ended only once records were folded again.
        self._settle(now)
        if self._unsettled:
            self._arm(now)
        return effects

    def _arm(self, now: Instant) -> None:
        if not self._armed:
            self._armed = True
            at_s = max(now.monotonic_s + FIRST_SEEN_S, self._published_s + SEEN_EVERY_S)
            self._outbox.send(StartTimer((SEEN_TIMER,), at_s))

    def _settle(self, now: Instant) -> None:
        members = sorted(self._certificates)
        held = {key: seq for key, (seq, _) in self._facts.ledger.context().items()}
        self._contexts[self._facts.node] = held
        all_known = all(one in self._contexts for one in members) and caught_up(
            self._contexts, members, held=held
        )
        for job_id, awaited in list(self._unsettled.items()):
            job = self._facts.view.jobs[job_id]
            if is_settled(job, self._contexts, members, held=held):
                del self._unsettled[job_id]
                self._settled[job_id] = job.revision
                job.resting = None  # hardly ever asked again, and there are thousands of such jobs
                self._facts.changed[job_id] = None
                self._told(job, len(members), now, awaited=awaited)
            elif not job.state().terminal:
                del self._unsettled[job_id]
            elif all_known:
                self._unsettled[job_id] = True
