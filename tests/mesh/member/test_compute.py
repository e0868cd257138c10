"""What a target does with placements."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.member.commands import JobReading, StopJob, StopTaken, SubmitJob, Submitted
from mesh.member.events import (
    AttemptReported,
    CapacityMeasured,
    CommandReceived,
    Flushed,
    Persist,
    RunAttempt,
)
from runtime.attempt import EngineEnded, InputsFailed, PrepareInputs, RunEngine, StopEngine
from scheduler.jobs import AttemptState, JobState, Resources
from tests.mesh.member.stage import CAPACITY, Stage, read_job, scripted_job


def submit(stage: Stage, at: str, **fields: object) -> None:
    answer = stage.ask(at, SubmitJob(scripted_job(**{"Name": "one", **fields})))
    assert isinstance(answer, Submitted), answer


def states(reading: JobReading) -> list[str]:
    return [one.observation.state.name for one in reading.attempts]


def test_a_job_runs_and_its_result_is_accepted() -> None:
    stage = Stage("a")
    submit(stage, "a")
    reading = read_job(stage, "a")
    assert reading.state is JobState.COMPLETED
    assert [one.accepted for one in reading.attempts] == [True]
    assert [item.message for item in reading.history] == [
        "Job submitted",
        "Requested execution on a",
        "Accepted",
        "Running",
        "Completed successfully",
    ]


def test_intent_is_on_disk_before_anything_starts() -> None:
    stage = Stage("a")
    stage.settle()
    stage.flushing = False
    stage.tell("a", CAPACITY)
    stage._last_token += 1
    stage.tell("a", CommandReceived(1, SubmitJob(scripted_job(Name="one"))))
    stage.settle()
    begun = [one.effect for _, one in stage.performed if isinstance(one, RunAttempt)]
    assert [type(one) for one in begun] == [PrepareInputs], "inputs are brought meanwhile"
    assert 1 not in stage.answers
    flush = [one for _, one in stage.performed if isinstance(one, Persist)][-1]
    kinds = {record.kind for _, record in _records(stage, flush)}
    assert {2, 3, 5, 6, 8} <= kinds, "one flush holds birth, version, owner, placement, acceptance"


def test_a_stop_that_comes_while_a_start_waits_for_the_disk_is_obeyed_before_it() -> None:
    stage = Stage("a")
    stage.settle()
    stage.flushing = False
    stage.tell("a", CommandReceived(1, SubmitJob(scripted_job(Name="one"))))
    stage.settle()
    stage.tell("a", CommandReceived(2, StopJob("one")))
    stage.settle()
    stage.flushing = True
    flush = [one for _, one in stage.performed if isinstance(one, Persist)][-1]
    stage.disks["a"].write(flush)
    stage.tell("a", Flushed(flush.token))
    stage.settle()
    begun = [one.effect for _, one in stage.performed if isinstance(one, RunAttempt)]
    assert [type(one) for one in begun[:3]] == [PrepareInputs, StopEngine, RunEngine]
    reading = read_job(stage, "a")
    assert states(reading) == ["CANCELLED"]
    assert "Running" not in [item.message for item in reading.history]


def _records(stage: Stage, flush: Persist) -> list[tuple[Any, Any]]:
    from mesh.ledger.envelope import decode_untrusted
    from scheduler.records import decode_record_untrusted

    return [
        (stored, decode_record_untrusted(data))
        for stored in flush.envelopes
        for data in decode_untrusted(stored.data).records
    ]


def test_what_does_not_fit_waits_and_runs_when_room_is_free() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    submit(stage, "a", Count=6)
    assert states(read_job(stage, "a")).count("RUNNING") == 4, "2 cores hold 4 of 500m"
    assert states(read_job(stage, "a")).count("ASSIGNED") == 2
    first = next(iter(sorted(stage.running["a"])))
    stage.finish("a", first)
    assert states(read_job(stage, "a")).count("RUNNING") == 4
    for _ in range(5):
        stage.finish("a", next(iter(sorted(stage.running["a"]))))
        stage.settle()
    assert read_job(stage, "a").state is JobState.COMPLETED


@pytest.mark.parametrize("running", [True, False])
def test_a_stop_is_obeyed_by_what_runs_and_by_what_waits(running: bool) -> None:
    stage = Stage("a")
    stage.hold_runs = running
    submit(stage, "a", Count=6)
    if not running:
        assert read_job(stage, "a").state is JobState.COMPLETED
        return
    assert isinstance(stage.ask("a", StopJob("one")), StopTaken)
    reading = read_job(stage, "a")
    assert reading.state is JobState.STOPPED
    assert states(reading) == ["CANCELLED"] * 6
    assert not stage.running["a"]
    assert [
        one
        for _, one in stage.performed
        if isinstance(one, RunAttempt) and isinstance(one.effect, StopEngine)
    ]


def test_a_stop_given_anywhere_is_obeyed_where_the_work_runs() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.advance(2)
    stage.tell("a", CapacityMeasured(Resources(), {}, {}, (), ()))
    stage.hold_runs = True
    submit(stage, "a")
    stage.advance(1)
    assert stage.running["b"]
    stage.ask("a", StopJob("one", reason="enough"))
    stage.advance(1)
    assert not stage.running["b"]
    for name in ("a", "b"):
        reading = read_job(stage, name)
        assert (reading.state, reading.message) == (JobState.STOPPED, "enough")
        assert states(reading) == ["CANCELLED"]


def test_an_attempt_cut_off_by_its_nodes_death_has_failed_once_the_node_is_back() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    submit(stage, "a", Retry={"Attempts": 1})
    stage.kill("a")
    stage.boot("a")
    reading = read_job(stage, "a")
    assert reading.state is JobState.FAILED
    assert [(one.observation.state, one.observation.reason) for one in reading.attempts] == [
        (AttemptState.FAILED, "node_restart")
    ]


def test_a_program_that_outlives_its_node_is_adopted_and_nothing_starts_twice() -> None:
    stage = Stage("a")
    stage.lasting_engines = ("scripted",)
    stage.kill("a")
    stage.boot("a")
    stage.hold_runs = True
    submit(stage, "a", Count=2)
    before = set(stage.running["a"])
    stage.kill("a")
    stage.performed.clear()
    stage.boot("a")
    assert states(read_job(stage, "a")) == ["RUNNING", "RUNNING"]
    assert stage.running["a"] == before
    assert not [
        one
        for _, one in stage.performed
        if isinstance(one, RunAttempt) and isinstance(one.effect, RunEngine)
    ]
    for attempt in sorted(before):
        stage.finish("a", attempt)
    reading = read_job(stage, "a")
    assert reading.state is JobState.COMPLETED
    assert states(reading) == ["SUCCEEDED", "SUCCEEDED"]


def test_what_is_adopted_holds_its_capacity() -> None:
    stage = Stage("a")
    stage.lasting_engines = ("scripted",)
    stage.kill("a")
    stage.boot("a")
    stage.hold_runs = True
    submit(stage, "a", Count=6)
    stage.kill("a")
    stage.boot("a")
    assert states(read_job(stage, "a")).count("RUNNING") == 4
    assert states(read_job(stage, "a")).count("ASSIGNED") == 2


def test_work_that_only_waited_when_its_node_died_starts_after_the_restart() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    submit(stage, "a", Count=5)
    stage.hold_runs = False
    stage.kill("a")
    stage.boot("a")
    reading = read_job(stage, "a")
    assert reading.state is JobState.COMPLETED
    assert sorted(states(reading)) == ["FAILED"] * 4 + ["SUCCEEDED"] * 5


def test_a_missing_input_is_a_refusal_and_costs_no_retry() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    submit(stage, "a", Retry={"Attempts": 1})
    attempt = next(iter(stage.running["a"]))
    stage.finish("a", attempt, EngineEnded(None, "engine", "the worker died", "", "", 0, 0))
    assert read_job(stage, "a").state is JobState.FAILED


def test_a_node_without_the_engine_refuses_by_name() -> None:
    stage = Stage("a")
    stage.settle()
    stage.tell("a", CapacityMeasured(CAPACITY.capacity, {"wasm": "1"}, {}, (), ()))
    submit(stage, "a")
    reading = read_job(stage, "a")
    assert reading.state is JobState.QUEUED
    assert reading.waiting is not None
    assert [one.refusal.value for one in reading.waiting.verdicts if one.refusal] == [
        "engine_missing"
    ]
    assert reading.waiting.possible is False


def test_inputs_that_cannot_be_had_reach_the_reader_as_a_sentence() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    performed: list[RunAttempt] = []
    original = stage._run

    def refuse(name: str, run: RunAttempt) -> None:
        if isinstance(run.effect, PrepareInputs):
            performed.append(run)
            failed = InputsFailed("input", "the disk is unreadable")
            stage.tell(name, AttemptReported(run.attempt, failed))
        else:
            assert not isinstance(run.effect, RunEngine)
            original(name, run)

    stage._run = refuse  # type: ignore[method-assign]
    submit(stage, "a")
    reading = read_job(stage, "a")
    assert reading.state is JobState.FAILED
    assert len(performed) == 3, "infrastructure failures are tried three times"
    assert reading.message == "the disk is unreadable"
