"""Provisional until every member has confirmed, then settled."""

from __future__ import annotations

from mesh.member.commands import GetJob, JobReading, SubmitJob
from tests.mesh.member.stage import Stage, scripted_job


def settled(stage: Stage, at: str) -> bool:
    answer = stage.ask(at, GetJob("one"))
    assert isinstance(answer, JobReading)
    return answer.settled


def test_a_member_alone_settles_by_itself() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    assert not settled(stage, "a")
    stage.advance(6)
    assert settled(stage, "a")


def test_a_calm_mesh_settles_and_then_says_no_more() -> None:
    stage = Stage("a", "b", "c")
    stage.connect("a", "b")
    stage.connect("a", "c")
    stage.advance(3)
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    stage.advance(12)
    assert [settled(stage, name) for name in ("a", "b", "c")] == [True, True, True]
    before = {name: dict(m.seen._published) for name, m in stage.members.items()}
    stage.advance(60)
    assert before == {name: dict(m.seen._published) for name, m in stage.members.items()}


def test_one_absent_member_keeps_an_answer_provisional_until_it_is_back() -> None:
    stage = Stage("a", "b", "c")
    stage.connect("a", "b")
    stage.connect("a", "c")
    stage.advance(3)
    stage.cut(["c"], ["a", "b"])
    stage.advance(20)
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    stage.advance(30)
    assert [settled(stage, name) for name in ("a", "b")] == [False, False]
    stage.heal()
    stage.advance(30)
    assert [settled(stage, name) for name in ("a", "b", "c")] == [True, True, True]
