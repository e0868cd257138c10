"""What the live feed is told of a member."""

from __future__ import annotations

from mesh.member.commands import SubmitJob
from mesh.member.watched import Outline, ReadOutline, ReadWatched, Watched
from scheduler.ids import AttemptId, JobId, NodeId
from tests.mesh.member.stage import Stage, scripted_job


def watched(stage: Stage, **wanted: object) -> Watched:
    answer = stage.ask("a", ReadWatched(**wanted))  # type: ignore[arg-type]
    assert isinstance(answer, Watched)
    return answer


def outline(stage: Stage, **limits: int) -> Outline:
    answer = stage.ask("a", ReadOutline(**limits))
    assert isinstance(answer, Outline)
    return answer


def busy(*names: str) -> Stage:
    stage = Stage("a")
    for name in names:
        stage.ask("a", SubmitJob(scripted_job(Name=name, Priority=3)))
        stage.advance(0.1)
    return stage


def test_an_outline_has_the_newest_jobs_first_and_what_is_not_finished() -> None:
    stage = busy("one", "two")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="three")))
    stage.advance(0.1)
    told = outline(stage)
    names = [one.reading.name for one in watched(stage, jobs=told.jobs).jobs]
    assert names == ["three", "two", "one"]
    assert len(told.attempts) == 3
    few = outline(stage, jobs_max=1, finished_max=1)
    assert few.jobs == told.jobs[:1]
    live, finished = watched(stage, attempts=few.attempts).attempts
    assert not live.observation.state.terminal
    assert finished.job == told.jobs[1], "the newest of the finished"


def test_a_job_with_what_people_watch() -> None:
    stage = busy("one")
    (job,) = watched(stage, jobs=outline(stage).jobs).jobs
    assert (job.type, job.count, job.priority, job.duplicates) == ("batch", 1, 3, 0)
    assert (job.where, job.owner_name) == (("a",), "a")


def test_what_is_not_known_is_missing() -> None:
    stage = busy("one")
    answer = watched(
        stage, jobs=(JobId("j-x"),), attempts=(AttemptId("e-x"),), nodes=(NodeId("n-x"),)
    )
    assert (answer.jobs, answer.attempts, answer.nodes) == ((), (), ())
    assert answer.boot == stage.members["a"].boot


def test_nodes_are_read_that_are_asked_for_and_those_that_the_executions_are_on() -> None:
    stage = busy("one")
    assert [one.reading.name for one in watched(stage, nodes=None).nodes] == ["a"]
    assert watched(stage).nodes == ()
    attempts = outline(stage).attempts
    assert [one.reading.name for one in watched(stage, attempts=attempts).nodes] == ["a"]


def test_counts_over_all_jobs() -> None:
    stage = busy("one", "two")
    tally = watched(stage).tally
    assert (tally.jobs, tally.duplicates) == ({"Completed": 2}, 0)
    stage.advance(10.0)
    assert watched(stage).tally.provisional == 0
