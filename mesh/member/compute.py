"""What a target does with placements: accept, queue or refuse; run; report; obey stops.

The target alone writes what happened to an attempt. It has the last word: fence, stop, engine,
capacity. A refusal is named and costs no retry.
"""

from __future__ import annotations

from collections.abc import Iterable

from mesh.gossip.events import StartTimer
from mesh.member.events import RunAttempt
from mesh.member.facts import Facts
from mesh.member.outbox import Outbox
from runtime.attempt import (
    NODE_RESTARTED,
    AttemptCore,
    AttemptEffect,
    AttemptEvent,
    DeadlinePassed,
    Order,
    Report,
    StopAsked,
    WakeAt,
)
from runtime.budget import Budget
from scheduler.ids import AttemptId, Digest
from scheduler.instant import Instant
from scheduler.job_view import JobView
from scheduler.jobs import (
    AttemptState,
    Failure,
    JobSpec,
    Observation,
    Refusal,
    Resources,
    StopReason,
)
from scheduler.ownership import is_stale
from scheduler.records import Kind
from scheduler.slots import AttemptView
from scheduler.spec import named_blobs

ATTEMPT_TIMER = "attempt"
STOPPED_JOB = "the job was stopped"
DONE_ELSEWHERE = "its slot has an accepted result"
ENDED = "an earlier run of it has ended here"


class Compute:
    """The attempts placed on this node."""

    def __init__(self, facts: Facts, outbox: Outbox, *, lasting_engines: Iterable[str]) -> None:
        self._facts = facts
        self._lasting_engines = frozenset(lasting_engines)
        self._outbox = outbox
        self._budget: Budget | None = None
        """None until the machine was measured: placements wait for it."""
        self._engines: tuple[str, ...] = ()
        self._cores: dict[AttemptId, AttemptCore] = {}
        self._waiting: dict[AttemptId, None] = {}

    def restart(self, now: Instant) -> None:
        """Go on with attempts accepted by an earlier boot where their programs outlive it (P23);
        say of the others that they died with it (P28)."""
        for attempt in list(self._facts.view.live_on(self._facts.node)):
            if attempt.state is AttemptState.ASSIGNED:
                continue
            job = self._facts.view.jobs[attempt.job]
            spec = self._spec_of(job, attempt)
            if spec is not None and spec.task.engine.type in self._lasting_engines:
                core = self._make_core(job, attempt, spec)
                self._perform(attempt.id, core.resume(attempt.state, now), now)
            else:
                reason = Failure.NODE_RESTART.value
                failed = Observation(AttemptState.FAILED, reason, NODE_RESTARTED)
                self._observe(attempt, failed, now)

    def measured(self, capacity: Resources, engines: Iterable[str], now: Instant) -> None:
        """The machine was measured, at start or again."""
        self._engines = tuple(engines)
        if self._budget is None:
            self._budget = Budget(capacity)
            for resumed, core in self._cores.items():
                self._budget.hold(resumed, core.order.spec.task.resources)
            for attempt in list(self._facts.view.live_on(self._facts.node)):
                self._facts.dirty[attempt.job] = None
            return
        self._begin(self._budget.set_capacity(capacity), now)

    def consider(self, job: JobView, now: Instant) -> None:
        """A job has changed: see to every attempt of it that is here."""
        self._obey_old_word(job, now)
        if self._budget is None or not job.live_by_node.get(self._facts.node):
            return
        for attempt in list(job.live_attempts()):
            if attempt.node == self._facts.node:
                self._consider_attempt(job, attempt, now)

    def reported(self, attempt: AttemptId, event: AttemptEvent, now: Instant) -> None:
        """The executor tells what happened."""
        core = self._cores.get(attempt)
        if core is not None:
            self._perform(attempt, core.handle(event, now), now)

    def timer_fired(self, attempt: AttemptId, now: Instant) -> None:
        """A deadline that an attempt's core had asked to be woken for."""
        self.reported(attempt, DeadlinePassed(), now)

    @property
    def running(self) -> int:
        """Attempts that hold capacity."""
        return len(self._cores)

    @property
    def queued(self) -> int:
        """Attempts that wait for capacity here."""
        return len(self._waiting)

    # --- placements -------------------------------------------------------------------------------

    def _consider_attempt(self, job: JobView, attempt: AttemptView, now: Instant) -> None:
        stop = _reason_to_stop(job, attempt)
        core = self._cores.get(attempt.id)
        if core is not None:
            if stop and stop != StopReason.WITHDRAWN:
                self._perform(attempt.id, core.handle(StopAsked(stop), now), now)
            return
        if stop == StopReason.WITHDRAWN:
            self._refuse(attempt, Refusal.WITHDRAWN, "Its owner found room at another node.", now)
            return
        if stop:
            message = f"Not started: {stop}."
            self._observe(attempt, Observation(AttemptState.CANCELLED, stop, message), now)
            return
        spec = self._spec_of(job, attempt)
        if spec is not None and attempt.id not in self._waiting:
            self._admit(job, attempt, spec, now)

    def _obey_old_word(self, job: JobView, now: Instant) -> None:
        """Stop what we had ended before: an old disk had lost that, a peer brought it back."""
        for attempt in list(self._cores):
            ended = self._facts.view.attempts[attempt]
            if ended.job == job.id and not ended.live:
                self._perform(attempt, self._cores[attempt].handle(StopAsked(ENDED), now), now)

    def _admit(self, job: JobView, attempt: AttemptView, spec: JobSpec, now: Instant) -> None:
        assert self._budget is not None, "placements wait until the machine was measured"
        if is_stale((attempt.term, attempt.owner), job.owner):
            self._refuse(attempt, Refusal.STALE_TERM, "Another node owns this job by now.", now)
        elif spec.task.engine.type not in self._engines:
            message = f"The {spec.task.engine.type} engine is not available on this node now."
            self._refuse(attempt, Refusal.ENGINE_MISSING, message, now)
        elif self._budget.reserve(attempt.id, spec.task.resources):
            self._start(job, attempt, spec, now)
        elif (refusal := self._budget.queue(attempt.id, spec.task.resources)) is not None:
            message = "It asks for more than this node has, or too many wait here already."
            self._refuse(attempt, refusal, message, now)
        else:
            self._waiting[attempt.id] = None

    def _begin(self, admitted: Iterable[AttemptId], now: Instant) -> None:
        """These hold a reservation from now on."""
        for attempt_id in admitted:
            self._waiting.pop(attempt_id, None)
            attempt = self._facts.view.attempts[attempt_id]
            job = self._facts.view.jobs[attempt.job]
            spec = self._facts.specs[job.versions[attempt.version].spec]
            if is_stale((attempt.term, attempt.owner), job.owner):
                self._refuse(attempt, Refusal.STALE_TERM, "Another node owns this job by now.", now)
            else:
                self._start(job, attempt, spec, now)

    def _start(self, job: JobView, attempt: AttemptView, spec: JobSpec, now: Instant) -> None:
        core = self._make_core(job, attempt, spec)
        self._perform(attempt.id, core.start(now), now)

    def _spec_of(self, job: JobView, attempt: AttemptView) -> JobSpec | None:
        version = job.versions.get(attempt.version)
        return None if version is None else self._facts.specs.get(version.spec)

    def _make_core(self, job: JobView, attempt: AttemptView, spec: JobSpec) -> AttemptCore:
        version = job.versions[attempt.version]
        core = AttemptCore(
            Order(
                attempt=attempt.id,
                job=job.id,
                version_number=version.number,
                index=attempt.index,
                count=version.count,
                spec=spec,
                holders={digest: self._holders(job, digest) for digest in named_blobs(spec)},
            )
        )
        self._cores[attempt.id] = core
        return core

    def _holders(self, job: JobView, digest: Digest) -> tuple[str, ...]:
        """Nodes that hold a blob for all we know: where it was sent to first, then who says so."""
        holders = {job.birth.author: None}
        for node in sorted(self._facts.readings):
            if digest in self._facts.readings[node].blobs:
                holders[node] = None
        holders.pop(self._facts.node, None)
        return tuple(holders)

    # --- running ----------------------------------------------------------------------------------

    def _perform(self, attempt: AttemptId, effects: list[AttemptEffect], now: Instant) -> None:
        behind_flush = False
        for effect in effects:
            match effect:
                case Report(observation):
                    self._observe(self._facts.view.attempts[attempt], observation, now)
                    # Intent is durable before anything starts, the end before anything is removed;
                    # the steps between may be lost with the process that takes them.
                    behind_flush |= (
                        observation.state is AttemptState.ACCEPTED or observation.state.terminal
                    )
                case WakeAt(at_s):
                    self._outbox.send(StartTimer((ATTEMPT_TIMER, attempt), at_s))
                case _ if behind_flush:
                    self._outbox.hold(RunAttempt(attempt, effect))
                case _:
                    self._outbox.send(RunAttempt(attempt, effect))
        core = self._cores.get(attempt)
        if core is not None and core.terminal:
            del self._cores[attempt]
            self._release(attempt, now)

    def _refuse(self, attempt: AttemptView, refusal: Refusal, message: str, now: Instant) -> None:
        self._observe(attempt, Observation(AttemptState.REFUSED, refusal.value, message), now)

    def _observe(self, attempt: AttemptView, observation: Observation, now: Instant) -> None:
        if observation.state.terminal and attempt.id not in self._cores:
            self._waiting.pop(attempt.id, None)
        body = {
            "job": attempt.job,
            "birth": self._facts.view.jobs[attempt.job].birth,
            "attempt": attempt.id,
            "state": int(observation.state),
            "reason": observation.reason or None,
            "message": observation.message or None,
            "exit_code": observation.exit_code,
            "result": observation.result,
            "result_bytes": observation.result_bytes or None,
            "stdout_tail": observation.stdout_tail or None,
            "stderr_tail": observation.stderr_tail or None,
            "stdout_bytes": observation.stdout_bytes or None,
            "stderr_bytes": observation.stderr_bytes or None,
            "elapsed_ms": observation.elapsed_ms or None,
        }
        self._facts.write(Kind.ATTEMPT_OBSERVED, body, now, cause=attempt.placed)
        if observation.state.terminal and attempt.id not in self._cores:
            self._release(attempt.id, now)

    def _release(self, attempt: AttemptId, now: Instant) -> None:
        if self._budget is not None:
            self._begin(self._budget.release(attempt), now)


def _reason_to_stop(job: JobView, attempt: AttemptView) -> str:
    """Why an attempt may not run here any more; "" when it may."""
    if attempt.ending:
        return attempt.ending
    if job.stopped():
        return STOPPED_JOB
    if job.version is not None and attempt.version == job.version.dot:
        accepted = job.accepted(attempt.index)
        if accepted is not None and accepted.id != attempt.id:
            return DONE_ELSEWHERE
    return ""
