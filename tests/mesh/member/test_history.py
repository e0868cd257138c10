"""History is a view over records."""

from __future__ import annotations

from mesh.member.commands import GetJob, HistoryItem, JobReading, StopJob, SubmitJob
from tests.mesh.member.stage import Stage, scripted_job


def history(stage: Stage, at: str, job: str) -> tuple[HistoryItem, ...]:
    answer = stage.ask(at, GetJob(job, history=True))
    assert isinstance(answer, JobReading)
    return answer.history


def test_every_node_tells_the_same_story() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.advance(2)
    stage.ask("a", SubmitJob(scripted_job(Name="one", Count=3)))
    stage.advance(2)
    here, there = history(stage, "a", "one"), history(stage, "b", "one")
    assert here == there
    assert [item.seq for item in here] == list(range(1, len(here) + 1))
    assert here[0].topic == "Submission"
    assert [item.level for item in here if item.attempt is None] == ["JobLevel"]


def test_a_stop_is_a_line_with_its_reason_and_what_it_ended() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    stage.ask("a", StopJob("one", reason="enough"))
    lines = [(item.message, item.details.get("Reason")) for item in history(stage, "a", "one")]
    assert ("Job requested to stop before completion", "enough") in lines
    assert lines[-1][0].startswith("Stopped")


def test_a_failure_is_marked_as_one_with_its_exit_code() -> None:
    stage = Stage("a")
    stage.exit_code = 3
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    last = history(stage, "a", "one")[-1]
    assert last.details["IsError"] == "true"
    assert last.details["ExitCode"] == "3"
    assert "3" in last.message


def test_an_owners_stop_says_why() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    stage.ask("a", SubmitJob(scripted_job(Name="one", Priority=1)))
    answer = stage.ask("a", GetJob("one", history=True, version_number=1))
    assert isinstance(answer, JobReading)
    lines = [item.message for item in answer.history]
    assert "Execution stop requested because a newer version of the job replaced it" in lines
