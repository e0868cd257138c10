"""What a node has in hand, and what it would not take."""

from __future__ import annotations

from mesh.member.commands import DescribeNode, GetJob, JobReading, NodeWork, SubmitJob
from tests.mesh.member.stage import Stage, scripted_job


def test_what_runs_is_told_until_it_has_ended() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    job = stage.ask("a", GetJob("one"))
    assert isinstance(job, JobReading)
    work = stage.ask("a", DescribeNode(stage.id("a")))
    assert isinstance(work, NodeWork)
    assert work.live == job.attempts
    stage.finish("a", job.attempts[0].id)
    assert stage.ask("a", DescribeNode(stage.id("a"))) == NodeWork((), (), {})
