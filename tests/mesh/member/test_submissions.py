"""New jobs, new versions of those that are there, and what a submission would change."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.member.commands import (
    DiffJob,
    GetJob,
    JobDiff,
    JobReading,
    JobVersions,
    ListVersions,
    Problem,
    Reran,
    RerunJob,
    StopJob,
    SubmitJob,
    Submitted,
)
from scheduler.jobs import JobState
from tests.mesh.member.stage import Stage, scripted_job

TASK = {"Name": "main", "Engine": {"Type": "scripted", "Params": {}}}


def named(**fields: Any) -> dict[str, object]:
    return scripted_job(Name="one", **fields)


def reading(stage: Stage, at: str = "a", **question: Any) -> JobReading:
    answer = stage.ask(at, GetJob("one", **question))
    assert isinstance(answer, JobReading), answer
    return answer


def versions(stage: Stage, at: str = "a") -> list[tuple[int, JobState, str]]:
    answer = stage.ask(at, ListVersions("one"))
    assert isinstance(answer, JobVersions), answer
    return [(one.version_number, one.state, one.message) for one in answer.versions]


def problem(answer: object) -> Problem:
    assert isinstance(answer, Problem), answer
    return answer


def test_a_changed_job_of_one_name_is_its_next_version_and_runs() -> None:
    stage = Stage("a")
    first = stage.ask("a", SubmitJob(named()))
    second = stage.ask("a", SubmitJob(named(Priority=5)))
    assert isinstance(first, Submitted)
    assert second == Submitted(first.job, version_number=2)
    now = reading(stage)
    assert (now.version_number, now.state) == (2, JobState.COMPLETED)
    assert now.spec is not None
    assert now.spec.priority == 5
    assert [one.version_number for one in now.attempts] == [2]
    assert versions(stage) == [(1, JobState.COMPLETED, ""), (2, JobState.COMPLETED, "")]


def test_an_unchanged_job_is_409_unless_forced() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(named()))
    before = len(stage.disks["a"].envelopes)
    answer = problem(stage.ask("a", SubmitJob(named())))
    assert (answer.status, answer.code) == (409, "ResourceInUse")
    assert answer.message.startswith("no changes detected for new job spec. Job Name: 'one'")
    assert len(stage.disks["a"].envelopes) == before
    forced = stage.ask("a", SubmitJob(named(), force=True))
    assert isinstance(forced, Submitted)
    assert forced.version_number == 2


def test_unchanged_is_unchanged_from_every_client_at_every_node() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.ask("a", SubmitJob(named(), submitter="x"))
    assert problem(stage.ask("b", SubmitJob(named(), submitter="y"))).status == 409


def test_one_key_sent_twice_is_one_version() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.ask("a", SubmitJob(named(), key="k1"))
    second = stage.ask("a", SubmitJob(named(Priority=1), key="k2"))
    again = stage.ask("b", SubmitJob(named(Priority=1), key="k2"))
    assert isinstance(second, Submitted)
    assert again == Submitted(second.job, created=False, version_number=2)
    first_again = stage.ask("b", SubmitJob(named(), key="k1"))
    assert first_again == Submitted(second.job, created=False, version_number=1)
    assert problem(stage.ask("a", SubmitJob(named(Priority=2), key="k2"))).status == 409
    assert [number for number, _, _ in versions(stage)] == [1, 2]


def test_a_new_version_replaces_what_runs() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(named()))
    (old,) = stage.running["a"]
    stage.ask("a", SubmitJob(named(Priority=1)))
    assert versions(stage) == [
        (1, JobState.STOPPED, "Version 2 replaced it."),
        (2, JobState.RUNNING, ""),
    ]
    assert old not in stage.running["a"]
    assert {one.version_number for one in reading(stage, all_versions=True).attempts} == {1, 2}


def test_a_stop_holds_for_the_version_it_was_asked_of_alone() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(named()))
    stage.ask("a", StopJob("one", reason="enough"))
    stage.hold_runs = False
    assert stage.ask("a", RerunJob("one")) == Reran(reading(stage).id, 2)
    assert versions(stage) == [(1, JobState.STOPPED, "enough"), (2, JobState.COMPLETED, "")]


def test_a_rerun_at_another_node_is_told_to_all() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.ask("a", SubmitJob(named()))
    stage.ask("a", SubmitJob(named(Priority=1)))
    assert stage.ask("b", RerunJob("one", version_number=1)) == Reran(reading(stage).id, 3)
    for at in ("a", "b"):
        now = reading(stage, at, history=True)
        assert now.spec is not None
        assert (now.version_number, now.spec.priority, now.state) == (3, 0, JobState.COMPLETED)
        assert (now.history[0].message, now.history[0].details) == (
            "Job rerun requested",
            {"Reason": "job rerun"},
        )
        assert {one.version_number for one in now.history} == {3}


def test_a_version_is_read_by_its_number() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(named()))
    stage.ask("a", SubmitJob(named(Priority=1)))
    first = reading(stage, version_number=1, history=True)
    assert first.spec is not None
    assert (first.spec.priority, [one.version_number for one in first.attempts]) == (0, [1])
    assert [one.accepted for one in first.attempts] == [True]
    assert [one.message for one in first.history][:1] == ["Job submitted"]
    assert first.history[0].seq == 1
    latest = reading(stage, history=True)
    assert latest.history[0].message == "Job updated"
    assert latest.revision > first.revision
    everything = reading(stage, all_versions=True, history=True)
    assert len(everything.history) == len(first.history) + len(latest.history)
    answer = problem(stage.ask("a", GetJob("one", version_number=3)))
    assert (answer.status, answer.code) == (404, "NotFound")


def test_timeouts_of_a_version_begin_with_it() -> None:
    stage = Stage("a")
    timed = {**TASK, "Timeouts": {"TotalTimeout": 5}}
    stage.ask("a", SubmitJob(named(Tasks=[timed])))
    stage.advance(60)
    stage.hold_runs = True
    stage.ask("a", RerunJob("one"))
    stage.advance(4)
    assert reading(stage).state is JobState.RUNNING
    stage.advance(2)
    assert reading(stage).state is JobState.FAILED


def test_what_has_not_begun_cannot_be_run_again() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(named(Tasks=[{**TASK, "Resources": {"CPU": "64"}}])))
    answer = problem(stage.ask("a", RerunJob("one")))
    assert (answer.status, answer.message) == (409, "cannot rerun job in state Queued")


@pytest.mark.parametrize(
    ("command", "status", "code"),
    [
        (RerunJob("nope"), 404, "NotFound"),
        (RerunJob("one", version_number=2), 404, "NotFound"),
        (ListVersions("nope"), 404, "NotFound"),
        (DiffJob(scripted_job(Name="nope")), 404, "NotFound"),
        (DiffJob(scripted_job()), 400, "ValidationError"),
        (DiffJob({"Type": "bach"}), 400, "ValidationError"),
        (DiffJob(scripted_job(Name="one"), namespace="other"), 404, "NotFound"),
    ],
)
def test_a_callers_mistake_is_named(command: Any, status: int, code: str) -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(named()))
    answer = problem(stage.ask("a", command))
    assert (answer.status, answer.code) == (status, code)


def test_a_node_that_takes_no_jobs_takes_no_versions() -> None:
    stage = Stage("a", "b", roles={"b": ("compute",)})
    stage.connect("a", "b")
    stage.ask("a", SubmitJob(named()))
    assert problem(stage.ask("b", RerunJob("one"))).status == 403
    assert problem(stage.ask("b", SubmitJob(named(Priority=1)))).status == 403


def test_a_diff_names_what_changes_and_writes_nothing() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(named()))
    before = len(stage.disks["a"].envelopes)
    assert stage.ask("a", DiffJob(named())) == JobDiff(())
    changed = DiffJob(named(Priority=5, Labels={"team": "field"}))
    assert stage.ask("a", changed) == JobDiff(("Priority: 0 -> 5", 'Labels.team: added "field"'))
    assert len(stage.disks["a"].envelopes) == before


def test_two_sides_of_a_split_update_one_job_and_one_version_wins_everywhere() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.ask("a", SubmitJob(named()))
    stage.settle()
    stage.cut(["a"], ["b"])
    stage.ask("a", SubmitJob(named(Priority=1)))
    stage.advance(1)
    stage.ask("b", SubmitJob(named(Priority=2)))
    stage.heal()
    stage.connect("a", "b")
    stage.advance(20)
    for at in ("a", "b"):
        now = reading(stage, at)
        assert now.spec is not None
        assert (now.version_number, now.spec.priority, now.state) == (2, 2, JobState.COMPLETED)
        assert [number for number, _, _ in versions(stage, at)] == [1, 2, 2]
