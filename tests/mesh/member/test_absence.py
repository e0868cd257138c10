"""Owners and targets that fall silent: takeover, replacement, and what their return brings."""

from __future__ import annotations

from dataclasses import replace

from mesh.member.commands import StopJob, SubmitJob
from mesh.member.events import CapacityMeasured
from scheduler.jobs import JobState, Resources
from scheduler.ownership import rendezvous
from tests.mesh.member.stage import CAPACITY, Stage, read_job, scripted_job


def mesh(*names: str) -> Stage:
    stage = Stage(*names)
    for other in names[1:]:
        stage.connect(names[0], other)
    stage.advance(3)
    return stage


def holding(**fields: object) -> Stage:
    """`a` owns the job `one` and has no room for it; `b` or `c`, who run it, do not finish."""
    stage = mesh("a", "b", "c")
    stage.tell("a", CapacityMeasured(Resources(), {}, {}, (), ()))
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one", **fields)))
    stage.advance(1)
    return stage


def running_at(stage: Stage) -> list[str]:
    return [name for name, attempts in stage.running.items() if attempts]


def test_work_of_a_dead_process_runs_elsewhere_at_once() -> None:
    stage = holding()
    (first,) = running_at(stage)
    stage.kill(first)
    stage.advance(2)
    (second,) = running_at(stage)
    assert second not in ("a", first)
    reading = read_job(stage, "a")
    assert [one.number for one in reading.attempts] == [1, 2]
    stage.finish(second, next(iter(stage.running[second])))
    assert read_job(stage, "a").state is JobState.COMPLETED


def test_the_job_of_a_dead_owner_goes_on_and_can_be_asked_for_anywhere() -> None:
    stage = holding(Count=9)
    stage.kill("a")
    stage.hold_runs = False
    for name in running_at(stage):
        for attempt in list(stage.running[name]):
            stage.finish(name, attempt)
    stage.advance(10)
    for name in ("b", "c"):
        reading = read_job(stage, name)
        assert reading.state is JobState.COMPLETED, reading.counts
        assert reading.owner in (stage.id("b"), stage.id("c"))


def test_a_target_that_only_falls_silent_is_replaced_after_the_wait_and_one_result_counts() -> None:
    stage = holding()
    (first,) = running_at(stage)
    others = [name for name in ("a", "b", "c") if name != first]
    stage.cut([first], others)
    stage.advance(20)
    second = next(name for name in running_at(stage) if name != first)
    stage.finish(first, next(iter(stage.running[first])))
    stage.finish(second, next(iter(stage.running[second])))
    stage.advance(1)
    assert read_job(stage, "a").state is JobState.COMPLETED
    assert read_job(stage, first).state is JobState.COMPLETED
    stage.heal()
    stage.advance(15)
    readings = [read_job(stage, name) for name in ("a", "b", "c")]
    accepted = {one.id for reading in readings for one in reading.attempts if one.accepted}
    assert len(accepted) == 1
    assert [len(reading.attempts) for reading in readings] == [2, 2, 2]
    assert len({member.facts.view.digest() for member in stage.members.values()}) == 1


def test_both_sides_accept_and_run_and_merge_to_one_answer() -> None:
    stage = mesh("a", "b", "c")
    stage.cut(["a"], ["b", "c"])
    stage.advance(20)
    stage.ask("a", SubmitJob(scripted_job(Name="alone")))
    stage.ask("b", SubmitJob(scripted_job(Name="together", Count=3)))
    stage.advance(2)
    assert read_job(stage, "a", "alone").state is JobState.COMPLETED
    assert read_job(stage, "c", "together").state is JobState.COMPLETED
    stage.heal()
    stage.advance(15)
    for name in ("a", "b", "c"):
        for job in ("alone", "together"):
            assert read_job(stage, name, job).state is JobState.COMPLETED
    assert len({member.facts.view.digest() for member in stage.members.values()}) == 1


def test_of_two_that_run_after_a_heal_one_is_kept() -> None:
    stage = holding()
    (first,) = running_at(stage)
    stage.cut([first], [name for name in ("a", "b", "c") if name != first])
    stage.advance(20)
    assert len(running_at(stage)) == 2
    stage.heal()
    stage.advance(15)
    assert running_at(stage) == [first], "it has run longest"


def test_a_paused_owner_that_wakes_places_nothing_under_its_old_term() -> None:
    stage = mesh("a", "b", "c")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one", Count=30)))
    stage.advance(1)
    stage.cut(["a"], ["b", "c"])
    stage.advance(30)
    owner = read_job(stage, "b").owner
    assert owner in (stage.id("b"), stage.id("c"))
    stage.heal()
    stage.advance(15)
    assert read_job(stage, "a").owner == owner


def test_a_job_without_retries_left_fails_and_names_the_node_and_its_late_result_counts() -> None:
    stage = holding(Retry={"Attempts": 1})
    (ran,) = running_at(stage)
    stage.cut([ran], [name for name in ("a", "b", "c") if name != ran])
    stage.advance(30)
    failed = read_job(stage, "a")
    assert failed.state is JobState.FAILED
    assert f"was on {ran}, which cannot be heard" in failed.message
    assert not failed.settled
    stage.heal()
    stage.advance(15)
    assert read_job(stage, "a").state is JobState.RUNNING, "its node has spoken of it"
    stage.finish(ran, next(iter(stage.running[ran])))
    stage.advance(1)
    assert read_job(stage, "a").state is JobState.COMPLETED
    assert len(read_job(stage, "a").attempts) == 1


def heard_of_late(**fields: object) -> Stage:
    """`a` owns the job `one`, runs it and is dead; `b` alone holds it, and comes up when `c`, who
    is to take it over, has looked long ago at all that rests on `a`."""
    stage = mesh("a", "b", "c")
    stage.kill("c")
    stage.hold_runs = True
    for name in ("b", "a"):
        room = CAPACITY.capacity if name == "a" else Resources()
        stage.tell(name, replace(CAPACITY, capacity=room))
    stage.ask("a", SubmitJob(scripted_job(Name="one", **fields)))
    stage.kill("b")
    stage.kill("a")
    stage.boot("c")
    stage.advance(30)
    stage.boot("b")
    job = read_job(stage, "b").id
    assert rendezvous(job, [stage.id("b"), stage.id("c")]) == stage.id("c")
    return stage


def test_a_job_that_is_heard_of_long_after_its_owner_fell_silent_is_taken_over() -> None:
    stage = heard_of_late()
    stage.advance(10)
    assert [read_job(stage, name).owner for name in ("b", "c")] == [stage.id("c")] * 2


def test_a_wait_for_a_target_goes_on_where_its_job_is_heard_of_late() -> None:
    stage = heard_of_late(Disconnect={"ReplaceAfter": "60s"})
    stage.advance(20)
    assert len(read_job(stage, "c").attempts) == 1
    stage.advance(30)
    assert [one.number for one in read_job(stage, "c").attempts] == [1, 2]


def without_the_spec() -> Stage:
    """`b` holds the records of a job, and its spec is on `a` alone, which is cut off."""
    stage = mesh("a", "b")
    stage.tell("a", CapacityMeasured(Resources(), {}, {}, (), ()))
    stage.advance(5)
    before = len(stage.disks["a"].envelopes)
    stage.cut(["a"], ["b"])
    stage.advance(10)
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    stage.kill("b")
    stage.disks["b"].envelopes += stage.disks["a"].envelopes[before:]
    stage.boot("b")
    stage.advance(20)
    return stage


def test_a_job_whose_spec_a_silent_node_alone_holds_says_so_and_goes_on_when_it_is_back() -> None:
    stage = without_the_spec()
    reading = read_job(stage, "b")
    assert (reading.state, reading.spec) == (JobState.QUEUED, None)
    assert reading.waiting is not None
    assert reading.waiting.spec_holder == stage.id("a")
    assert not reading.waiting.holder_reachable
    stage.heal()
    stage.advance(30)
    reading = read_job(stage, "b")
    assert (reading.state, reading.waiting) == (JobState.COMPLETED, None)


def test_a_job_whose_spec_a_silent_node_alone_holds_can_be_stopped() -> None:
    stage = without_the_spec()
    stage.ask("b", StopJob("one"))
    assert read_job(stage, "b").state is JobState.STOPPED
    assert read_job(stage, "b").waiting is None
