"""What an owner does: claim, place, keep the rest in order, wake them."""

from __future__ import annotations

import pytest

from mesh.gossip.events import StartTimer
from mesh.member.commands import GetJob, JobReading, SubmitJob, Submitted
from mesh.member.events import CapacityMeasured
from mesh.member.orchestrate import FRUITLESS_WAKES_MAX, WAKE_ON_S, WAKE_TIMER, WITHDRAW_TIMER
from runtime.attempt import EngineEnded
from scheduler.jobs import AttemptState, JobState, Resources
from tests.mesh.member.stage import CAPACITY, Stage, scripted_job


def read(stage: Stage, job: str) -> JobReading:
    answer = stage.ask("a", GetJob(job))
    assert isinstance(answer, JobReading)
    return answer


def running(stage: Stage) -> list[str]:
    attempts = stage.members["a"].facts.view.attempts
    jobs = stage.members["a"].facts.view.jobs
    return sorted(jobs[attempts[one].job].name for one in stage.running["a"])  # type: ignore[index]


def full_node(*names: str) -> Stage:
    """One core, jobs that take it whole; more than run and queue."""
    stage = Stage("a")
    stage.settle()
    stage.tell(
        "a", CapacityMeasured(Resources(500, 1 << 30, 1 << 30), CAPACITY.engines, {}, (), ())
    )
    stage.hold_runs = True
    for name in names:
        stage.ask("a", SubmitJob(scripted_job(Name=name)))
    return stage


def test_what_finds_no_room_waits_and_says_why() -> None:
    stage = full_node(*(f"job-{number:02}" for number in range(12)))
    last = read(stage, "job-11")
    assert last.state is JobState.QUEUED
    assert last.waiting is not None
    assert [one.refusal.value for one in last.waiting.verdicts if one.refusal] == ["capacity"]
    assert last.waiting.possible


def test_waiting_jobs_run_in_the_order_they_came_by_themselves() -> None:
    names = [f"job-{number:02}" for number in range(12)]
    stage = full_node(*names)
    order: list[str] = []
    for _ in names:
        order += running(stage)
        stage.finish("a", next(iter(stage.running["a"])))
        stage.settle()
    assert order == names
    assert {read(stage, name).state for name in names} == {JobState.COMPLETED}


def test_a_higher_priority_goes_first_among_those_that_wait() -> None:
    stage = full_node(*(f"job-{number}" for number in range(10)))
    stage.ask("a", SubmitJob(scripted_job(Name="urgent", Priority=5)))
    member = stage.members["a"]
    job = member.facts.view.job_by_name("default", "urgent")
    assert job is not None
    assert member.orchestrate.queue_position(job.id) == 1


def test_a_job_whose_image_is_nowhere_has_failed_with_the_engines_words() -> None:
    stage = Stage("a")
    stage.settle()
    words = "The image busibox is not on this node: manifest unknown."
    stage.refusal = EngineEnded(None, "image_missing", words, "", "", 0, 0)
    stage.ask("a", SubmitJob(scripted_job(Name="misspelt")))
    answer = stage.ask("a", GetJob("misspelt", history=True))
    assert isinstance(answer, JobReading)
    assert (answer.state, answer.message, answer.waiting) == (JobState.FAILED, words, None)
    assert [one.observation.state for one in answer.attempts] == [AttemptState.REFUSED]
    assert answer.history[-1].message == "No node has the image or can get it: check its name."


def test_one_that_fits_runs_though_many_that_do_not_wait_in_front_of_it() -> None:
    stage = Stage("a")
    stage.settle()
    stage.tell("a", CapacityMeasured(Resources(), {}, {}, (), ()))
    stage.settle()
    task = scripted_job()["Tasks"][0]  # type: ignore[index]
    large = [{**task, "Resources": {"CPU": "64"}}]
    for number in range(3 * FRUITLESS_WAKES_MAX):
        stage.ask("a", SubmitJob(scripted_job(Name=f"large-{number}", Tasks=large)))
    stage.ask("a", SubmitJob(scripted_job(Name="small")))
    stage.tell("a", CAPACITY)
    stage.settle()
    assert read(stage, "small").state is JobState.QUEUED
    stage.advance(4 * WAKE_ON_S)
    assert read(stage, "small").state is JobState.COMPLETED
    last = read(stage, f"large-{3 * FRUITLESS_WAKES_MAX - 1}").waiting
    assert last is not None
    assert [one.refusal.value for one in last.verdicts if one.refusal] == ["too_large"]
    stage.advance(1)
    timers = [
        one.token
        for _, one in stage.performed
        if isinstance(one, StartTimer) and one.token[0] == WAKE_TIMER
    ]
    assert 2 <= len(timers) <= 8, "it ends when each has been looked at"


def test_a_node_that_comes_later_takes_what_waits() -> None:
    stage = full_node(*(f"job-{number:02}" for number in range(12)))
    late = Stage("a", "b")
    late.settle()
    late.tell("a", CapacityMeasured(Resources(), {}, {}, (), ()))
    late.ask("a", SubmitJob(scripted_job(Name="one")))
    assert read(late, "one").state is JobState.QUEUED
    late.connect("a", "b")
    late.advance(3)
    assert read(late, "one").state is JobState.COMPLETED
    assert read(stage, "job-11").state is JobState.QUEUED


@pytest.mark.parametrize(
    ("timeout", "said"),
    [
        ("TotalTimeout", "Not done within its TotalTimeout of 5 s."),
        ("QueueTimeout", "Not placed within its QueueTimeout of 5 s."),
    ],
)
def test_a_job_out_of_time_is_told_so_once_and_what_waits_of_it_is_not_begun(
    timeout: str, said: str
) -> None:
    stage = full_node("first")
    task = {"Name": "main", "Engine": {"Type": "scripted"}, "Timeouts": {timeout: 5}}
    stage.ask("a", SubmitJob(scripted_job(Name="late", Tasks=[task])))
    stage.advance(6)
    stage.finish("a", next(iter(stage.running["a"])))
    stage.advance(1)
    answer = stage.ask("a", GetJob("late", history=True))
    assert isinstance(answer, JobReading)
    assert (answer.state, answer.message) == (JobState.FAILED, said)
    assert [one.message for one in answer.history].count("Job ran out of time") == 1
    assert [one.observation.state for one in answer.attempts] == [AttemptState.CANCELLED]


def test_one_timer_looks_after_all_that_waited_at_their_targets() -> None:
    stage = Stage("ann")
    for _ in range(3):
        assert isinstance(stage.ask("ann", SubmitJob(scripted_job())), Submitted)
    stage.advance(5.0)
    timers = [
        effect.token
        for _, effect in stage.performed
        if isinstance(effect, StartTimer) and effect.token[0] == WITHDRAW_TIMER
    ]
    assert len(timers) == 1
