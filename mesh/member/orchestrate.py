"""What an owner does with a view: claim, decide, write the plan down, keep what must wait in order.

Nothing polls: a job is looked at when one of its records changed, and waiting ones when something
changed that could let them run.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mesh.gossip.events import StartTimer
from mesh.member.absence import Absence
from mesh.member.facts import Facts
from mesh.member.outbox import Outbox
from scheduler.decide import decide
from scheduler.ids import Dot, JobId
from scheduler.instant import Instant, hlc_wall_ms
from scheduler.job_view import JobView
from scheduler.jobs import Expiry, JobSpec, JobState, Plan, Waiting
from scheduler.lifecycle import SlotState
from scheduler.ownership import FIRST_TERM, candidate
from scheduler.reconcile import WITHDRAW_AFTER_MS
from scheduler.records import Kind

EXPIRY_TIMER = "expiry"
WITHDRAW_TIMER = "withdraw"
AGAIN_TIMER = "again"
WAKE_TIMER = "wake"
JOB_TIMERS = (EXPIRY_TIMER, WITHDRAW_TIMER, AGAIN_TIMER, WAKE_TIMER)
FRUITLESS_WAKES_MAX = 8
"""When room was freed, waiting jobs are tried in order until so many in a row found none: one free
place must not cost a walk over every job that waits, at once."""
WAKE_ON_S = 0.1
"""So much later as many more are tried, until each has been: those in front may want what is
nowhere, or what is free may be too small for them."""


class Orchestrate:
    """The jobs that this node owns."""

    def __init__(self, facts: Facts, absence: Absence, outbox: Outbox, *, boot: int) -> None:
        self._facts = facts
        self._absence = absence
        self._outbox = outbox
        self._boot = boot
        self._waiting: dict[JobId, Waiting] = {}
        self._deadlines: dict[JobId, tuple[Dot, dict[str, float]]] = {}
        """Of a job we own, its version and the monotonic seconds at which that runs out of time, by
        the reason."""
        self._withdrawals: dict[JobId, float] = {}
        """Jobs with attempts that waited at their target, by the monotonic second at which to look
        again. One timer runs, for the first: nearly all have begun long before."""
        self._again: dict[JobId, int] = {}
        """Wall times at which jobs that wait are to be looked at again."""
        self._unwoken: dict[JobId, None] = {}
        """Jobs that wait and were not looked at since something changed, longest first."""
        self._wakes_on = False

    def waiting(self, job: JobId) -> Waiting | None:
        """Why slots of a job we own stay unplaced; of any job, that its spec is not here."""
        return self._waiting.get(job) or self._without_spec(self._facts.view.jobs[job])

    def _without_spec(self, job: JobView) -> Waiting | None:
        version = job.version
        if version is None or version.spec in self._facts.specs or not job.open_count():
            return None
        reachable = self._facts.index.is_reachable(version.author)
        return Waiting(
            job.open_count(),
            (),
            possible=True,
            spec_holder=version.author,
            holder_reachable=reachable,
        )

    def queue_position(self, job: JobId) -> int | None:
        """Place in our queue, from 1; None when it does not wait."""
        return self._in_order().index(job) + 1 if job in self._waiting else None

    def consider(self, job: JobView, now: Instant) -> bool:
        """Look at a job; True when something was written."""
        self._unwoken.pop(job.id, None)
        spec = self._facts.spec_of(job)
        if job.version is None or job.state().terminal:
            self._forget(job.id)
            return False
        self._absence.watch(job, now)
        if self._absence.owner_is_gone(job, now) and not self._claim(job, now):
            self._forget(job.id)
            return False
        if job.owner is None or job.owner[1] != self._facts.node or spec is None:
            self._forget(job.id)
            return False
        if self._expire(job, spec, now):
            return True
        plan = decide(
            job,
            spec,
            self._facts.index,
            seed=self._boot,
            overdue=self._absence.overdue(job, now),
            now_ms=now.wall_ms,
        )
        self._write(job, plan, now)
        if plan.ends is not None:
            elapsed_ms = max(0, now.wall_ms - hlc_wall_ms(job.version.hlc))
            self._write_end(job, plan.ends, elapsed_ms, now)
            return True
        self._watch_assigned(job, now)
        if plan.waiting != self._waiting.get(job.id):
            self._facts.changed[job.id] = None
        if plan.waiting is None:
            self._waiting.pop(job.id, None)
        else:
            self._waiting[job.id] = plan.waiting
            self._watch_refusals(job, plan.waiting, now)
        return bool(plan.placements or plan.stops)

    def timer_fired(self, kind: str, job: JobId, now: Instant) -> None:
        """A deadline of a job, the end of an attempt's patience at its target, or the turn of more
        of those that wait."""
        if kind == WITHDRAW_TIMER:
            self._look_at_assigned(now)
            return
        if kind == WAKE_TIMER:
            self._wakes_on = False
            for one in list(self._unwoken)[:FRUITLESS_WAKES_MAX]:
                del self._unwoken[one]
                self._facts.look_at(one)
            self._wake_on(now)
            return
        if kind == AGAIN_TIMER:
            self._again.pop(job, None)
        if job in self._facts.view.jobs:
            self._facts.touch(job)

    def _forget(self, job: JobId) -> None:
        self._waiting.pop(job, None)
        self._deadlines.pop(job, None)
        self._again.pop(job, None)

    # --- time ---------------------------------------------------------------------------------

    def _expire(self, job: JobView, spec: JobSpec, now: Instant) -> bool:
        """Say that a job ran out of time; True when it has."""
        assert job.version is not None, "a job without a version has no timeouts"
        timeouts = spec.task.timeouts
        limits = {"queue_timeout": timeouts.queue_s, "total_timeout": timeouts.total_s}
        said = job.expired()
        known = None if said is None else said[1].value
        if job.id not in self._deadlines or self._deadlines[job.id][0] != job.version.dot:
            # Time that passed before we owned it, or before this start, is told by the wall clocks
            # alone; from here on only the monotonic clock counts.
            elapsed_s = max(0.0, (now.wall_ms - hlc_wall_ms(job.version.hlc)) / 1000)
            ends = {
                reason: now.monotonic_s + max(0.0, limit_s - elapsed_s)
                for reason, limit_s in limits.items()
                if limit_s
            }
            self._deadlines[job.id] = (job.version.dot, ends)
            for at_s in ends.values():
                self._outbox.send(StartTimer((EXPIRY_TIMER, job.id, str(at_s)), at_s))
        for reason, at_s in self._deadlines[job.id][1].items():
            unplaced = job.state() in (JobState.PENDING, JobState.QUEUED)
            if reason == known or known == "total_timeout":
                continue
            if at_s <= now.monotonic_s and (unplaced or reason != "queue_timeout"):
                self._write_end(job, Expiry(reason), limits[reason] * 1000, now)
                return True
        return False

    def _write_end(self, job: JobView, why: Expiry, elapsed_ms: int, now: Instant) -> None:
        assert job.version is not None, "what ends is a version"
        body = {
            "job": job.id,
            "birth": job.birth,
            "version": job.version.dot,
            "reason": why.value,
            "elapsed_ms": elapsed_ms,
        }
        self._facts.write(Kind.JOB_EXPIRED, body, now)

    def _watch_assigned(self, job: JobView, now: Instant) -> None:
        """Look again at attempts that wait at their target: another node may have room by then."""
        if job.slots.count(SlotState.ASSIGNED) and job.id not in self._withdrawals:
            at_s = now.monotonic_s + WITHDRAW_AFTER_MS / 1000
            if not self._withdrawals:
                self._outbox.send(StartTimer((WITHDRAW_TIMER, job.id), at_s))
            self._withdrawals[job.id] = at_s

    def _look_at_assigned(self, now: Instant) -> None:
        """Those whose time has come, in order of it; the timer runs on for the first of the rest
        that still waits."""
        for job_id, at_s in list(self._withdrawals.items()):
            job = self._facts.view.jobs.get(job_id)
            waits = job is not None and job.slots.count(SlotState.ASSIGNED) > 0
            if waits and at_s > now.monotonic_s:
                self._outbox.send(StartTimer((WITHDRAW_TIMER, job_id), at_s))
                return
            del self._withdrawals[job_id]
            if waits:
                self._facts.touch(job_id)

    def _watch_refusals(self, job: JobView, waiting: Waiting, now: Instant) -> None:
        """Look again when a refusal lapses that time alone may undo."""
        if waiting.again_ms is not None and self._again.get(job.id) != waiting.again_ms:
            self._again[job.id] = waiting.again_ms
            at_s = now.monotonic_s + max(0, waiting.again_ms - now.wall_ms) / 1000
            self._outbox.send(StartTimer((AGAIN_TIMER, job.id), at_s))

    # --- order --------------------------------------------------------------------------------

    def wake(self, looked_at: Collection[JobId], now: Instant) -> None:
        """Room was freed or a node changed: try those that wait, first come first, but for those
        that were looked at since."""
        fruitless = 0
        waiting = [job for job in self._in_order() if job not in looked_at]
        self._unwoken.update(dict.fromkeys(waiting))
        for job in waiting:
            if job not in self._waiting:
                continue
            if self.consider(self._facts.view.jobs[job], now):
                fruitless = 0
                continue
            fruitless += 1
            if fruitless >= FRUITLESS_WAKES_MAX:
                break
        self._wake_on(now)

    def _wake_on(self, now: Instant) -> None:
        if self._unwoken and not self._wakes_on:
            self._wakes_on = True
            self._outbox.send(StartTimer((WAKE_TIMER, ""), now.monotonic_s + WAKE_ON_S))

    def _in_order(self) -> list[JobId]:
        jobs = self._facts.view.jobs

        def order(job: JobId) -> tuple[int, int, JobId]:
            version = jobs[job].version
            return (0 if version is None else -version.priority, jobs[job].created_hlc, job)

        return sorted(self._waiting, key=order)

    def _claim(self, job: JobView, now: Instant) -> bool:
        """Own a job whose owner is gone, or that has none, when everyone here would name us."""
        if candidate(job.id, self._facts.readings.values()) != self._facts.node:
            return False
        term = FIRST_TERM if job.owner is None else job.owner[0] + 1
        body = {"job": job.id, "birth": job.birth, "term": term}
        self._facts.write(Kind.OWNER_CLAIMED, body, now, cause=job.birth)
        return True

    def _write(self, job: JobView, plan: Plan, now: Instant) -> None:
        assert job.version is not None, "a plan is made for a version"
        assert job.owner is not None, "a plan is made by the owner"
        for attempt, reason in plan.stops:
            body = {"job": job.id, "birth": job.birth, "attempt": attempt, "reason": reason}
            cause = job.attempts[attempt].last_heard
            self._facts.write(Kind.ATTEMPT_STOP_REQUESTED, body, now, cause=cause)
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
