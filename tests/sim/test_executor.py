from __future__ import annotations

from random import Random
from typing import Any

import pytest

from runtime.attempt import (
    AttemptEvent,
    CleanUp,
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
from scheduler.ids import AttemptId, Digest, JobId, blob_digest
from scheduler.jobs import JobSpec, JobType, Source, Task
from sim.clock import Clock
from sim.executor import Executor

ATTEMPT = AttemptId("e-1")


def _order(**params: Any) -> Order:
    spec = JobSpec(JobType.BATCH, Task("main", Source("scripted", params)))
    return Order(ATTEMPT, JobId("j-1"), 1, 0, 1, spec, {})


class Rig:
    def __init__(self, seed: int = 1) -> None:
        self.clock = Clock()
        self.told: list[tuple[float, AttemptEvent]] = []
        self.kept: list[Digest] = []
        self.executor = Executor(
            clock=self.clock,
            random=Random(seed),
            report=lambda attempt, event: self.told.append((self.clock.now_s, event)),
            kept=self.kept.append,
        )

    def advance(self, duration_s: float) -> None:
        until_s = self.clock.now_s + duration_s
        while self.clock.step(until_s):
            pass

    def events(self) -> list[AttemptEvent]:
        return [event for _, event in self.told]


@pytest.mark.parametrize(
    ("params", "exit_code", "failure"),
    [({"DurationMs": 500}, 0, ""), ({"ExitCode": 3}, 3, ""), ({"Fail": "trap"}, None, "trap")],
)
def test_a_script_plays(params: dict[str, Any], exit_code: int | None, failure: str) -> None:
    rig = Rig()
    rig.executor.perform(ATTEMPT, RunEngine(_order(**params)))
    rig.advance(10.0)
    (started_s, started), (ended_s, ended) = rig.told
    assert started == EngineStarted()
    assert isinstance(ended, EngineEnded)
    assert (ended.exit_code, ended.failure) == (exit_code, failure)
    assert ended_s - started_s == pytest.approx(params.get("DurationMs", 0) / 1000)


def test_a_program_that_cannot_be_started_never_was() -> None:
    rig = Rig()
    rig.executor.perform(ATTEMPT, RunEngine(_order(Fail="engine")))
    rig.advance(1.0)
    (ended,) = rig.events()
    assert isinstance(ended, EngineEnded)
    assert ended.failure == "engine"


def test_inputs_and_results() -> None:
    rig = Rig()
    rig.executor.perform(ATTEMPT, PrepareInputs(_order()))
    outcome = EngineEnded(0, "", "", "", "", 0, 0)
    rig.executor.perform(ATTEMPT, StoreResults(_order(), outcome))
    rig.executor.perform(ATTEMPT, CleanUp())
    rig.advance(1.0)
    manifest = blob_digest(b"result of e-1")
    assert rig.kept == [manifest]
    assert set(rig.events()) == {InputsReady(), ResultsStored(manifest, 3)}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("wait_s", [0.0, 0.003, 1.0])
def test_a_stop_ends_it_once_wherever_it_is(seed: int, wait_s: float) -> None:
    rig = Rig(seed)
    rig.executor.perform(ATTEMPT, RunEngine(_order(DurationMs=2000)))
    rig.advance(wait_s)
    rig.executor.perform(ATTEMPT, StopEngine(1.0))
    rig.advance(10.0)
    ended = [(at_s, one) for at_s, one in rig.told if isinstance(one, EngineEnded)]
    ((at_s, outcome),) = ended
    assert outcome == EngineEnded(None, "", "", "", "", 0, 0)
    assert at_s <= wait_s + 0.02


def test_what_a_process_ran_dies_with_it() -> None:
    rig = Rig()
    rig.executor.perform(ATTEMPT, RunEngine(_order(DurationMs=2000)))
    rig.advance(1.0)
    rig.executor.lose()
    rig.advance(10.0)
    assert rig.events() == [EngineStarted()]
