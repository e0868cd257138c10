"""One attempt from accepted to terminal, as a pure core.

    placed -> accepted -> preparing -> running -> publishing -> succeeded | failed | cancelled |
    refused

The member feeds events and passes effects on: `Report` becomes a record, `WakeAt` a timer, the rest
goes to the executor. Effects after a `Report` wait until its record is on disk.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.attempt_events import (
    AdoptProgram,
    AttemptEffect,
    AttemptEvent,
    CleanUp,
    DeadlinePassed,
    EngineEnded,
    EnginePreparing,
    EngineStarted,
    InputsFailed,
    InputsReady,
    NothingToAdopt,
    Order,
    PrepareInputs,
    Report,
    ResultsFailed,
    ResultsStored,
    RunEngine,
    StopAsked,
    StopEngine,
    StoreResults,
    WakeAt,
)
from scheduler.ids import Digest
from scheduler.instant import Instant
from scheduler.jobs import AttemptState, Failure, Observation, Refusal, Source

__all__ = [
    "AT_HAND",
    "KILL_GRACE_S",
    "MAX_MESSAGE_BYTES",
    "MAX_TAIL_BYTES",
    "NODE_RESTARTED",
    "AdoptProgram",
    "AttemptCore",
    "AttemptEffect",
    "AttemptEvent",
    "CleanUp",
    "DeadlinePassed",
    "EngineEnded",
    "EnginePreparing",
    "EngineStarted",
    "InputsFailed",
    "InputsReady",
    "NothingToAdopt",
    "Order",
    "PrepareInputs",
    "Report",
    "ResultsFailed",
    "ResultsStored",
    "RunEngine",
    "StopAsked",
    "StopEngine",
    "StoreResults",
    "WakeAt",
    "bounded_text",
    "tail_text",
]

MAX_TAIL_BYTES = 2048
"""Of each stream, in a record: Bacalhau's figure for output kept with an execution."""
MAX_MESSAGE_BYTES = 1024
"""With two tails, well below the 4 KiB of a text and the 8 KiB of a record."""
KILL_GRACE_S = 1.0
"""Between asking a program to end and ending it: Bacalhau's figure for containers."""
NODE_RESTARTED = "The node's process ended while this ran."
AT_HAND = frozenset({"inline", "local", "localdirectory"})
"""Sources that are here already: nothing that people would watch being fetched."""


class AttemptCore:
    """The life of one attempt. Events that come too late for the state are passed over."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.observation = Observation(AttemptState.ASSIGNED)
        self._stop_reason: str | None = None
        self._deadline_passed = ""
        """What ran out, once a deadline was the reason to end the program."""
        self._begun_s = 0.0
        self._started_s: float | None = None
        self._elapsed_ms = 0
        self._ready = False
        self._resumed: AttemptState | None = None
        """What the records said when an earlier process of this node had begun the attempt."""
        self._lost = NODE_RESTARTED
        self._outcome: EngineEnded | None = None

    @property
    def terminal(self) -> bool:
        """Nothing more will happen."""
        return self.observation.state.terminal

    @property
    def started(self) -> bool:
        """The engine has told that the program runs."""
        return self._started_s is not None

    def start(self, now: Instant) -> list[AttemptEffect]:
        """Capacity is reserved: accept, then bring the inputs."""
        self._begun_s = now.monotonic_s
        effects: list[AttemptEffect] = [self._observe(AttemptState.ACCEPTED)]
        if not all(self._is_at_hand(one.source) for one in self.order.spec.task.inputs):
            effects.append(self._observe(AttemptState.PREPARING))
        return [*effects, PrepareInputs(self.order), *self._wake()]

    def _is_at_hand(self, source: Source) -> bool:
        if source.type == "mesh":
            return source.params.get("Digest") in self.order.here
        return source.type in AT_HAND

    def resume(
        self, state: AttemptState, now: Instant, *, lost: str = NODE_RESTARTED
    ) -> list[AttemptEffect]:
        """Go on after a restart of this node: `state` is what its records last said (P23 to P26),
        `lost` the sentence for what cannot be gone on with.

        For engines whose programs outlive the node's process; what it began is found by its name,
        so it is never begun twice.
        """
        self._begun_s = now.monotonic_s
        self._resumed, self._lost = state, lost
        self._ready = True
        self.observation = Observation(state)
        return [AdoptProgram(self.order), *self._wake()]

    def handle(self, event: AttemptEvent, now: Instant) -> list[AttemptEffect]:
        """What to do about an event."""
        if self.terminal:
            return []
        match event:
            case InputsReady():
                return self._on_inputs_ready()
            case InputsFailed():
                return [] if self._ready else self._end_input_failure(event)
            case EnginePreparing():
                return self._on_engine_preparing(event)
            case EngineStarted():
                return self._on_engine_started(event, now)
            case NothingToAdopt():
                return self._on_nothing_to_adopt()
            case EngineEnded():
                return self._on_engine_ended(event, now)
            case ResultsStored():
                return self._end_stored(event)
            case ResultsFailed():
                return self._end_unstored(event)
            case StopAsked():
                return self._on_stop_asked(event)
            case DeadlinePassed():
                return self._on_deadline(now)

    def _on_inputs_ready(self) -> list[AttemptEffect]:
        if self._ready or self.observation.state is AttemptState.ASSIGNED:
            return []
        self._ready = True
        return [RunEngine(self.order)]

    def _on_engine_preparing(self, event: EnginePreparing) -> list[AttemptEffect]:
        if self.observation.state >= AttemptState.PREPARING:
            return []
        message = bounded_text(event.message, MAX_MESSAGE_BYTES)
        self.observation = Observation(AttemptState.PREPARING, message=message)
        return [Report(self.observation)]

    def _on_engine_started(self, event: EngineStarted, now: Instant) -> list[AttemptEffect]:
        if self._started_s is not None or self._outcome is not None:
            return []
        self._started_s = now.monotonic_s - event.ran_s
        self._begun_s = min(self._begun_s, self._started_s)
        if self.observation.state >= AttemptState.RUNNING and self._resumed is None:
            return self._wake()
        # After a restart it is said again: until then nobody knows that it went on.
        state = max(self.observation.state, AttemptState.RUNNING)
        return [*self._wake(), self._observe(state)]

    def _on_nothing_to_adopt(self) -> list[AttemptEffect]:
        if self._resumed is None or self._outcome is not None:
            return []
        if self._stop_reason is not None:
            return self._end_stopped()
        if self._resumed < AttemptState.RUNNING:
            # It had been accepted, and died before anything was begun (P25): begin now.
            self._resumed, self._ready = None, False
            return [PrepareInputs(self.order), *self._wake()]
        return self._end(AttemptState.FAILED, Failure.NODE_RESTART.value, self._lost)

    def _on_engine_ended(self, outcome: EngineEnded, now: Instant) -> list[AttemptEffect]:
        if self._outcome is not None or not self._ready:
            return []
        if self._started_s is None and outcome.failure in Refusal._value2member_map_:
            return self._end_refused(outcome)
        since_s = self._begun_s if self._started_s is None else self._started_s
        self._elapsed_ms = max(0, round((now.monotonic_s - since_s) * 1000))
        self._outcome = outcome
        effects: list[AttemptEffect] = [StoreResults(self.order, outcome)]
        if self.order.spec.task.result_paths:
            effects.append(self._observe(AttemptState.PUBLISHING))
        return effects

    def _on_stop_asked(self, event: StopAsked) -> list[AttemptEffect]:
        if self._outcome is not None or self._stop_reason is not None:
            return []
        self._stop_reason = event.reason
        if not self._ready:
            # Nothing has run: the stop is obeyed now, whatever a fetch under way still says.
            return self._end_stopped()
        return [StopEngine(KILL_GRACE_S)]

    def _on_deadline(self, now: Instant) -> list[AttemptEffect]:
        if self._outcome is not None or self._deadline_passed:
            return []
        due = [(at_s, what) for at_s, what in self._deadlines() if at_s <= now.monotonic_s]
        if not due:
            return self._wake()
        self._deadline_passed = min(due)[1]
        if not self._ready:
            return self._end(
                AttemptState.FAILED,
                Failure.DEADLINE.value,
                _deadline_sentence(self._deadline_passed),
            )
        return [StopEngine(KILL_GRACE_S)]

    def _deadlines(self) -> list[tuple[float, str]]:
        timeouts = self.order.spec.task.timeouts
        deadlines: list[tuple[float, str]] = []
        if timeouts.execution_s and self._started_s is not None:
            what = f"ExecutionTimeout of {timeouts.execution_s} s"
            deadlines.append((self._started_s + timeouts.execution_s, what))
        if timeouts.total_s:
            deadlines.append(
                (self._begun_s + timeouts.total_s, f"TotalTimeout of {timeouts.total_s} s")
            )
        return deadlines

    def _wake(self) -> list[AttemptEffect]:
        deadlines = self._deadlines()
        return [WakeAt(min(deadlines)[0])] if deadlines else []

    def _end_stopped(self) -> list[AttemptEffect]:
        reason = self._stop_reason or ""
        return self._end(AttemptState.CANCELLED, reason, _stopped_sentence(reason))

    def _end_input_failure(self, event: InputsFailed) -> list[AttemptEffect]:
        refused = event.reason in Refusal._value2member_map_
        state = AttemptState.REFUSED if refused else AttemptState.FAILED
        return self._end(state, event.reason, event.message)

    def _end_refused(self, outcome: EngineEnded) -> list[AttemptEffect]:
        """Nothing has begun, and another node may have what this one lacks."""
        if self._stop_reason is not None:
            return self._end_stopped()
        return self._end(AttemptState.REFUSED, outcome.failure, outcome.message)

    def _end_stored(self, event: ResultsStored) -> list[AttemptEffect]:
        if self._outcome is None:
            return []
        state, reason, message = self._judge(self._outcome)
        return self._end(state, reason, message, result=event.manifest, size_bytes=event.size_bytes)

    def _end_unstored(self, event: ResultsFailed) -> list[AttemptEffect]:
        if self._outcome is None:
            return []
        state, reason, message = self._judge(self._outcome)
        if state is AttemptState.SUCCEEDED:
            return self._end(AttemptState.FAILED, event.reason, event.message)
        if state is AttemptState.FAILED:
            message = f"{message} {event.message}"
        return self._end(state, reason, message)

    def _judge(self, outcome: EngineEnded) -> tuple[AttemptState, str, str]:
        """A program that reached its own good end has succeeded, though it was asked to stop just
        then: nothing that finished is thrown away."""
        took = f"after {_show_ms(self._elapsed_ms)}"
        if not outcome.failure and outcome.exit_code in self.order.spec.success_codes:
            return AttemptState.SUCCEEDED, "", f"Exited with code {outcome.exit_code} {took}."
        if self._stop_reason is not None:
            return AttemptState.CANCELLED, self._stop_reason, _stopped_sentence(self._stop_reason)
        if self._deadline_passed:
            return (
                AttemptState.FAILED,
                Failure.DEADLINE.value,
                _deadline_sentence(self._deadline_passed),
            )
        if outcome.failure:
            return AttemptState.FAILED, outcome.failure, outcome.message
        if outcome.exit_code is None:
            return (
                AttemptState.FAILED,
                Failure.ENGINE.value,
                f"The program was ended from outside {took}.",
            )
        return (
            AttemptState.FAILED,
            Failure.EXIT_CODE.value,
            f"Exited with code {outcome.exit_code} {took}.",
        )

    def _observe(self, state: AttemptState) -> Report:
        self.observation = Observation(state)
        return Report(self.observation)

    def _end(
        self,
        state: AttemptState,
        reason: str,
        message: str,
        *,
        result: Digest | None = None,
        size_bytes: int = 0,
    ) -> list[AttemptEffect]:
        outcome = self._outcome
        ended = Observation(
            state,
            reason=bounded_text(reason, MAX_MESSAGE_BYTES),
            message=bounded_text(message, MAX_MESSAGE_BYTES),
            result=result,
            result_bytes=size_bytes,
            elapsed_ms=self._elapsed_ms,
        )
        if outcome is not None:
            ended = replace(
                ended,
                exit_code=outcome.exit_code,
                stdout_tail=bounded_text(outcome.stdout_tail, MAX_TAIL_BYTES, end=True),
                stderr_tail=bounded_text(outcome.stderr_tail, MAX_TAIL_BYTES, end=True),
                stdout_bytes=outcome.stdout_bytes,
                stderr_bytes=outcome.stderr_bytes,
            )
        self.observation = ended
        return [Report(ended), CleanUp()]


def bounded_text(text: str, limit_bytes: int, *, end: bool = False) -> str:
    """At most so many bytes of UTF-8: the beginning, or the `end`; never half a character."""
    raw = text.encode("utf-8", "replace")
    if len(raw) > limit_bytes:
        raw = raw[len(raw) - limit_bytes :] if end else raw[:limit_bytes]
    return raw.decode("utf-8", "ignore")


def tail_text(raw: bytes) -> str:
    """The last bytes of a stream as text, U+FFFD for what is not UTF-8."""
    return bounded_text(raw[-MAX_TAIL_BYTES:].decode("utf-8", "replace"), MAX_TAIL_BYTES, end=True)


def _show_ms(elapsed_ms: int) -> str:
    return f"{elapsed_ms} ms" if elapsed_ms < 1000 else f"{elapsed_ms / 1000:.1f} s"


def _stopped_sentence(reason: str) -> str:
    return f"Stopped: {reason.rstrip('.')}."


def _deadline_sentence(what: str) -> str:
    return f"Ended because its {what} had passed."
