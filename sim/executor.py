"""What runs attempts on a simulated machine: the script of the shipped scripted engine, without it.

Reads the same parameters (`DurationMs`, `ExitCode`, `Fail`). A result's digest follows from the
attempt's id, so that two attempts never have the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from runtime.attempt import (
    AttemptEffect,
    AttemptEvent,
    EngineEnded,
    EngineStarted,
    InputsReady,
    Order,
    PrepareInputs,
    ResultsStored,
    RunEngine,
    StopEngine,
    StoreResults,
)
from scheduler.ids import AttemptId, Digest, blob_digest
from scheduler.jobs import Failure
from sim.clock import Clock

STEP_S = 0.004
"""Each step between: reading inputs, starting, storing results; a few milliseconds as measured."""


class Executor:
    """Attempts of one process; they die with it."""

    def __init__(
        self,
        *,
        clock: Clock,
        random: Random,
        report: Callable[[AttemptId, AttemptEvent], None],
        kept: Callable[[Digest], None],
    ) -> None:
        self._clock = clock
        self._random = random
        self._report = report
        self._kept = kept
        self._process = 0
        self._running: dict[AttemptId, int] = {}
        self._stopped: dict[AttemptId, None] = {}
        self._started = 0

    def perform(self, attempt: AttemptId, effect: AttemptEffect) -> None:
        """One effect of an attempt's core."""
        match effect:
            case PrepareInputs():
                self._after_step(lambda: self._report(attempt, InputsReady()))
            case RunEngine(order):
                self._after_step(lambda: self._run(attempt, order))
            case StopEngine():
                self._stopped[attempt] = None
                self._after_step(lambda: self._end(attempt, _STOPPED))
            case StoreResults():
                self._after_step(lambda: self._store(attempt))

    def lose(self) -> None:
        """The process is gone, and all that it ran with it."""
        self._process += 1
        self._running.clear()
        self._stopped.clear()

    def _run(self, attempt: AttemptId, order: Order) -> None:
        script = {key.lower(): value for key, value in order.spec.task.engine.params.items()}
        failure = str(script.get("fail") or "")
        self._started += 1
        run = self._running[attempt] = self._started
        if attempt in self._stopped or failure == Failure.ENGINE.value:
            self._end(attempt, _STOPPED if attempt in self._stopped else _ended(None, failure))
            return
        self._report(attempt, EngineStarted())
        outcome = _ended(None if failure else int(script.get("exitcode") or 0), failure)
        wait_s = int(script.get("durationms") or 0) / 1000
        self._after(wait_s, lambda: self._end(attempt, outcome, run))

    def _end(self, attempt: AttemptId, outcome: EngineEnded, run: int | None = None) -> None:
        running = self._running.get(attempt)
        if running is not None and run in (None, running):
            del self._running[attempt]
            self._report(attempt, outcome)

    def _store(self, attempt: AttemptId) -> None:
        manifest = blob_digest(b"result of " + attempt.encode())
        self._kept(manifest)
        self._report(attempt, ResultsStored(manifest, len(attempt)))

    def _after_step(self, action: Callable[[], None]) -> None:
        self._after(self._random.uniform(0.2, 1.8) * STEP_S, action)

    def _after(self, wait_s: float, action: Callable[[], None]) -> None:
        process = self._process

        def unless_lost() -> None:
            if process == self._process:
                action()

        self._clock.after(wait_s, unless_lost)


def _ended(exit_code: int | None, failure: str) -> EngineEnded:
    message = f"The script fails by {failure}." if failure else ""
    return EngineEnded(exit_code, failure, message, "", "", 0, 0)


_STOPPED = _ended(None, "")
