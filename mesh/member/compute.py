"""What a target does with placements: accept, queue or refuse; run; report; obey stops.

The target alone writes what happened to an attempt. It has the last word: fence, stop, engine,
capacity. A refusal is named and costs no retry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mesh.gossip.events import StartTimer
from mesh.member.events import RunAttempt
from mesh.member.facts import Facts
from mesh.member.outbox import Outbox
from runtime.attempt import (
    AttemptCore,
    AttemptEffect,
    AttemptEvent,
    DeadlinePassed,
    Order,
    PrepareInputs,
    Report,
    RunEngine,
    StopAsked,
    StopEngine,
    WakeAt,
)
from runtime.budget import Budget
from scheduler.attempts import AttemptView
from scheduler.claims import ONLY_BEFORE_IT_BEGINS
from scheduler.ids import AttemptId, Digest, Dot, JobId
from scheduler.instant import Instant, hlc_wall_ms
from scheduler.intents import CORDONED, DRAINING
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
from scheduler.spec import named_blobs

ATTEMPT_TIMER = "attempt"
DRAIN_TIMER = "drain"
STOPPED_JOB = "the job was stopped"
DONE_ELSEWHERE = "its slot has an accepted result"
_CLOSED = {
    CORDONED: (Refusal.CORDONED, "This node takes no new work now."),
    DRAINING: (Refusal.DRAINING, "This node is being emptied."),
}
SPEAK_UP_MAX = 8
"""Where only our records get through to an owner it may give up what we run again and again."""
ENDED = "an earlier run of it has ended here"

Moved = Mapping[AttemptId, AttemptView] | None
"""Attempts of a job that changed; None where more of it may have."""


class Compute:
    """The attempts placed on this node."""

    def __init__(
        self, facts: Facts, outbox: Outbox, lasting_engines: Iterable[str], lost: str
    ) -> None:
        self._facts = facts
        self._lasting_engines = frozenset(lasting_engines)
        self._lost = lost
        self._outbox = outbox
        self._budget: Budget | None = None
        """None until the machine was measured: placements wait for it."""
        self._engines: tuple[str, ...] = ()
        self._spoke_up: Counter[AttemptId] = Counter()
        """How often this run said that an attempt given up for lost goes on."""
        self._cores: dict[AttemptId, AttemptCore] = {}
        self._by_job: dict[JobId, dict[AttemptId, None]] = {}
        """The same attempts by job."""
        self._waiting: dict[AttemptId, None] = {}
        self._drain: tuple[Dot, float] | None = None
        """The record that drains this node, and when what runs must go, on the monotonic clock."""

    def restart(self, now: Instant) -> None:
        """Go on with attempts accepted by an earlier boot where their programs outlive it (P23);
        say of the others that they died with it (P28)."""
        self._restart_drain(now)
        for attempt in list(self._facts.view.live_on(self._facts.node)):
            if attempt.state is AttemptState.ASSIGNED:
                continue
            job = self._facts.view.jobs[attempt.job]
            spec = self._spec_of(job, attempt)
            if spec is not None and spec.task.engine.type in self._lasting_engines:
                core = self._make_core(job, attempt, spec)
                self._perform(attempt.id, core.resume(attempt.state, now, lost=self._lost), now)
            else:
                reason = Failure.NODE_RESTART.value
                failed = Observation(AttemptState.FAILED, reason, self._lost)
                self._observe(attempt, failed, now)

    def measured(self, capacity: Resources, engines: Iterable[str], now: Instant) -> None:
        """The machine was measured, at start or again."""
        self._engines = tuple(engines)
        if self._budget is None:
            self._budget = Budget(capacity)
            for resumed, core in self._cores.items():
                self._budget.hold(resumed, core.order.spec.task.resources)
            for attempt in list(self._facts.view.live_on(self._facts.node)):
                self._facts.look_at(attempt.job)
            return
        self._begin(self._budget.set_capacity(capacity), now)

    def intent_changed(self, now: Instant) -> None:
        """What an operator wants of this node, or the end of the time that a drain allows: what
        waits is sent back at once, what runs when the time is over."""
        told = self._facts.view.intents.of(self._facts.node)
        if told is None or told.standing != DRAINING:
            self._drain = None
            return
        if self._drain is None or self._drain[0] != told.dot:
            self._watch_drain(told.dot, told.deadline_s, now)
        for waiting in list(self._waiting):
            attempt = self._facts.view.attempts[waiting]
            self._refuse(attempt, Refusal.DRAINING, _CLOSED[DRAINING][1], now)
        if self._drain is not None and self._drain[1] <= now.monotonic_s:
            for running, core in list(self._cores.items()):
                asked = StopAsked(StopReason.DRAINED.value)
                self._perform(running, core.handle(asked, now), now)

    def _restart_drain(self, now: Instant) -> None:
        """A drain that an earlier boot began goes on: how long it has lasted, wall clocks tell."""
        told = self._facts.view.intents.of(self._facts.node)
        if told is not None and told.standing == DRAINING:
            elapsed_s = max(0.0, (now.wall_ms - hlc_wall_ms(told.hlc)) / 1000)
            self._watch_drain(told.dot, max(0.0, told.deadline_s - elapsed_s), now)

    def _watch_drain(self, dot: Dot, allowed_s: float, now: Instant) -> None:
        self._drain = (dot, now.monotonic_s + allowed_s)
        self._outbox.send(StartTimer((DRAIN_TIMER, str(dot)), self._drain[1]))

    def consider(self, job: JobView, now: Instant) -> None:
        """A job has changed: see to the attempts of it here that this may concern."""
        moved = self._facts.take_moved(job.id)
        self._obey_old_word(job, moved, now)
        if self._budget is None or not job.live_by_node.get(self._facts.node):
            return
        stopped = job.stopped()
        for attempt in self._concerned(job, moved):
            self._consider_attempt(job, attempt, now, stopped=stopped)

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

    def _consider_attempt(
        self, job: JobView, attempt: AttemptView, now: Instant, *, stopped: bool
    ) -> None:
        stop = _reason_to_stop(job, attempt, stopped=stopped)
        core = self._cores.get(attempt.id)
        if core is not None:
            if stop and stop not in ONLY_BEFORE_IT_BEGINS:
                self._perform(attempt.id, core.handle(StopAsked(stop), now), now)
            elif attempt.given_up and self._spoke_up[attempt.id] < SPEAK_UP_MAX:
                self._spoke_up[attempt.id] += 1
                self._observe(attempt, core.observation, now)
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

    def _concerned(self, job: JobView, moved: Moved) -> list[AttemptView]:
        """Live attempts here that changed, or whose slot holds one that did, by id."""
        node = self._facts.node
        if moved is None:
            return job.live_on(node)
        slots = dict.fromkeys((one.version, one.index) for one in moved.values())
        here = [one for slot in slots for one in job.slot_attempts(*slot) if one.node == node]
        return sorted((one for one in here if one.live), key=lambda one: one.id)

    def _obey_old_word(self, job: JobView, moved: Moved, now: Instant) -> None:
        """Stop what we had ended before: an old disk had lost that, a peer brought it back."""
        under_way = self._by_job.get(job.id, {})
        for attempt in [one for one in under_way if moved is None or one in moved]:
            if not self._facts.view.attempts[attempt].live:
                self._perform(attempt, self._cores[attempt].handle(StopAsked(ENDED), now), now)

    def _admit(self, job: JobView, attempt: AttemptView, spec: JobSpec, now: Instant) -> None:
        assert self._budget is not None, "placements wait until the machine was measured"
        intent = self._facts.intent_of(self._facts.node)
        if intent:
            self._refuse(attempt, *_CLOSED[intent], now)
            return
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
            elif self._facts.intent_of(self._facts.node) == DRAINING:
                self._refuse(attempt, *_CLOSED[DRAINING], now)
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
                here=self._blobs_here(),
            )
        )
        self._cores[attempt.id] = core
        self._by_job.setdefault(job.id, {})[attempt.id] = None
        return core

    def _blobs_here(self) -> frozenset[Digest]:
        own = self._facts.readings.get(self._facts.node)
        return frozenset() if own is None else own.blobs

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
                case PrepareInputs():
                    # Inputs may come while the intent to run goes to the disk: nobody sees them.
                    self._outbox.send(RunAttempt(attempt, effect))
                case StopEngine() if not self._cores[attempt].started:
                    # At once: else a start that still waits for the disk would come first.
                    self._outbox.send(RunAttempt(attempt, effect))
                case RunEngine() | StopEngine():
                    self._outbox.hold(RunAttempt(attempt, effect))
                case _ if behind_flush:
                    self._outbox.hold(RunAttempt(attempt, effect))
                case _:
                    self._outbox.send(RunAttempt(attempt, effect))
        core = self._cores.get(attempt)
        if core is not None and core.terminal:
            self._forget(core.order.job, attempt)
            self._release(attempt, now)

    def _forget(self, job: JobId, attempt: AttemptId) -> None:
        del self._cores[attempt]
        del self._by_job[job][attempt]
        self._spoke_up.pop(attempt, None)
        if not self._by_job[job]:
            del self._by_job[job]

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


def _reason_to_stop(job: JobView, attempt: AttemptView, *, stopped: bool) -> str:
    """Why an attempt may not run here any more; "" when it may."""
    if attempt.stop_reason and attempt.ending:
        return attempt.ending
    if stopped:
        return STOPPED_JOB
    if job.version is not None and attempt.version == job.version.dot:
        accepted = job.accepted(attempt.index)
        if accepted is not None and accepted.id != attempt.id:
            return DONE_ELSEWHERE
    return ""
