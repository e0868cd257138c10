"""An owner at work: decides, writes down what it planned, hears what nodes say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scheduler.attempts import AttemptView
from scheduler.capacity import CapacityIndex
from scheduler.decide import decide
from scheduler.ids import AttemptId, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, JobSpec, NodeReading, Plan
from scheduler.view import JobView
from tests.scheduler.histories import ANN, JOB, NODES, Ledger, attempt_id, fold, reading, spec


def index_of(*readings: NodeReading) -> CapacityIndex:
    index = CapacityIndex()
    for one in readings:
        index.set_reading(one, heard=Hlc(1))
    return index


class Owner:
    """ANN owns a job: decides, writes what was planned, and hears what nodes say."""

    def __init__(self, job_spec: JobSpec, *readings: NodeReading, **version: Any) -> None:
        self.spec = job_spec
        self.ledger = Ledger()
        self.birth, self.version = self.ledger.started(**version)
        self.index = index_of(*readings)
        self.view = fold([])
        self._read = 0
        self.catch_up()

    @property
    def job(self) -> JobView:
        return self.view.jobs[JOB]

    def catch_up(self) -> None:
        for fact in self.ledger.facts[self._read :]:
            self.view.apply(*fact)
        self._read = len(self.ledger.facts)
        for attempt in self.view.take_touched():
            self.index.follow(attempt, self.spec.task.resources)

    def act(self, **more: Any) -> Plan:
        plan = decide(self.job, self.spec, self.index, seed=1, **more)
        for one in plan.placements:
            self.ledger.place(
                self.birth, self.version, one.attempt, one.node, index=one.index, number=one.number
            )
        for attempt, reason in plan.stops:
            cause = self.job.attempts[attempt].last_heard
            self.ledger.ask_stop(self.birth, attempt, reason=reason, cause=cause)
        self.catch_up()
        return plan

    def hear(
        self, state: AttemptState, *, reason: str = "", only: NodeId | None = None, **more: Any
    ) -> None:
        for one in list(self.job.live_attempts()):
            if only in (None, one.node):
                self.ledger.observe(self.birth, one.id, one.node, state, reason=reason, **more)
        self.catch_up()

    def placed(self, node: NodeId, *, index: int = 0, author: NodeId = ANN) -> AttemptView:
        """One more attempt of a slot, by this owner or by another side's."""
        name = attempt_id(100 + len(self.job.attempts))
        number = 1 + len(self.job.slot_attempts(self.version, index))
        self.ledger.claim(self.birth, author)
        more: dict[str, Any] = {"author": author, "index": index, "number": number}
        self.ledger.place(self.birth, self.version, name, node, **more)
        self.catch_up()
        return self.job.attempts[name]

    def cut(self, *nodes: NodeId, reachable: bool = False, boot: int = 0) -> None:
        """These cannot be reached any more, or can be again."""
        for one in self.index.readings():
            if one.node in nodes:
                changed = replace(one, reachable=reachable, boot=boot)
                self.index.set_reading(changed, heard=Hlc(self.ledger.hlc))


def owner_of(count: int = 1, *, nodes: int = 3, policy: str = "", **version: int) -> Owner:
    job = spec(disconnect={"ReconcileRunning": policy} if policy else {})
    return Owner(job, *(reading(node) for node in NODES[:nodes]), count=count, **version)


def live(owner: Owner) -> list[AttemptId]:
    return [one.id for one in owner.job.live_attempts()]
