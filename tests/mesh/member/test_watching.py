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


def outline(stage: Stage, **limits: object) -> Outline:
    answer = stage.ask("a", ReadOutline(**limits))  # type: ignore[arg-type]
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


def test_few_jobs_are_those_that_are_not_over() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="old")))
    stage.advance(0.1)
    stage.hold_runs = False
    stage.ask("a", SubmitJob(scripted_job(Name="new")))
    stage.advance(0.1)
    told = outline(stage, jobs_max=1)
    assert [one.reading.name for one in watched(stage, jobs=told.jobs).jobs] == ["old"]


def test_a_job_with_what_people_watch() -> None:
    stage = busy("one")
    (job,) = watched(stage, jobs=outline(stage).jobs).jobs
    assert (job.type, job.count, job.priority, job.duplicates) == ("batch", 1, 3, 0)
    assert (job.where, job.owner_name) == (("a",), "a")


def test_one_job_alone_in_its_latest_version() -> None:
    stage = busy("one", "two")
    (job,) = [one.reading.id for one in watched(stage, jobs=outline(stage).jobs).jobs][1:]
    (before,) = outline(stage, of_job=job).attempts
    everything = outline(stage).attempts
    (told,) = watched(stage, jobs=(job,), attempts=everything, of_job=job).attempts
    assert told.id == before
    stage.ask("a", SubmitJob(scripted_job(Name="one", Count=2)))
    stage.advance(0.1)
    after = outline(stage, of_job=job)
    assert after.jobs == (job,)
    assert len(after.attempts) == 2
    assert before not in after.attempts
    answer = watched(stage, attempts=(before, *after.attempts), of_job=job)
    assert [one.id for one in answer.attempts] == list(after.attempts)
    assert answer.nodes == ()
    assert len(outline(stage, of_job=job, finished_max=1).attempts) == 1
    assert outline(stage, of_job=JobId("j-x")) == Outline((), ())


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
