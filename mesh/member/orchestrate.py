"""What an owner does with a view: claim, decide, write the plan down, keep what must wait in order.

Nothing polls: a job is looked at when one of its records changed, and waiting ones when something
changed that could let them run.
"""

from __future__ import annotations

from typing import Any

from mesh.member.facts import Facts
from scheduler.decide import decide
from scheduler.ids import JobId
from scheduler.instant import Instant
from scheduler.job_view import JobView
from scheduler.jobs import Plan, Waiting
from scheduler.ownership import FIRST_TERM, candidate
from scheduler.records import Kind

FRUITLESS_WAKES_MAX = 8
"""When room was freed, waiting jobs are tried in order until so many in a row found none: one free
place must not cost a walk over every job that waits."""


class Orchestrate:
    """The jobs that this node owns."""

    def __init__(self, facts: Facts, *, boot: int) -> None:
        self._facts = facts
        self._boot = boot
        self._waiting: dict[JobId, Waiting] = {}

    def waiting(self, job: JobId) -> Waiting | None:
        """Why slots of a job we own stay unplaced."""
        return self._waiting.get(job)

    def queue_position(self, job: JobId) -> int | None:
        """Place in our queue, from 1; None when it does not wait."""
        return self._in_order().index(job) + 1 if job in self._waiting else None

    def consider(self, job: JobView, now: Instant) -> bool:
        """Look at a job; True when something was written."""
        if job.version is None or job.state().terminal:
            self._waiting.pop(job.id, None)
            return False
        if job.owner is None and not self._claim(job, now):
            return False
        spec = self._facts.spec_of(job)
        if job.owner is None or job.owner[1] != self._facts.node or spec is None:
            self._waiting.pop(job.id, None)
            return False
        plan = decide(job, spec, self._facts.index, seed=self._boot)
        self._write(job, plan, now)
        if plan.waiting is None:
            self._waiting.pop(job.id, None)
        else:
            self._waiting[job.id] = plan.waiting
        return bool(plan.placements or plan.stops)

    def wake(self, now: Instant) -> None:
        """Room was freed or a node changed: try those that wait, first come first."""
        fruitless = 0
        for job in self._in_order():
            if job not in self._waiting:
                continue
            if self.consider(self._facts.view.jobs[job], now):
                fruitless = 0
                continue
            fruitless += 1
            if fruitless >= FRUITLESS_WAKES_MAX:
                return

    def _in_order(self) -> list[JobId]:
        jobs = self._facts.view.jobs

        def order(job: JobId) -> tuple[int, int, JobId]:
            version = jobs[job].version
            return (0 if version is None else -version.priority, jobs[job].created_hlc, job)

        return sorted(self._waiting, key=order)

    def _claim(self, job: JobView, now: Instant) -> bool:
        """Own a job that nobody owns, when we are the one everyone would name."""
        if candidate(job.id, self._facts.readings.values()) != self._facts.node:
            return False
        body = {"job": job.id, "birth": job.birth, "term": FIRST_TERM}
        self._facts.write(Kind.OWNER_CLAIMED, body, now, cause=job.birth)
        return True

    def _write(self, job: JobView, plan: Plan, now: Instant) -> None:
        assert job.version is not None, "a plan is made for a version"
        assert job.owner is not None, "a plan is made by the owner"
        for attempt, reason in plan.stops:
            body = {"job": job.id, "birth": job.birth, "attempt": attempt, "reason": reason}
            self._facts.write(Kind.ATTEMPT_STOP_REQUESTED, body, now)
        term, version = job.owner[0], job.version.dot
        for placement in plan.placements:
            placed: dict[str, Any] = {
                "job": job.id,
                "birth": job.birth,
                "attempt": placement.attempt,
                "version": version,
                "index": placement.index,
                "number": placement.number,
                "term": term,
                "node": placement.node,
                "score": placement.score,
                "next_best": placement.next_best,
                "refusals": placement.refusals,
                "reasons": placement.reasons,
            }
            self._facts.write(Kind.ATTEMPT_PLACED, placed, now, cause=version)
