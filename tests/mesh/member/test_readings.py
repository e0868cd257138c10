"""Readings are frozen snapshots."""

from __future__ import annotations

from mesh.member.commands import GetJob, JobReading, SubmitJob
from tests.mesh.member.stage import Stage, scripted_job


def test_a_reading_does_not_change_with_the_job() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    before = stage.ask("a", GetJob("one"))
    stage.finish("a", next(iter(stage.running["a"])))
    after = stage.ask("a", GetJob("one"))
    assert isinstance(before, JobReading)
    assert isinstance(after, JobReading)
    assert [one.observation.state.name for one in before.attempts] == ["RUNNING"]
    assert [one.observation.state.name for one in after.attempts] == ["SUCCEEDED"]
    assert after.revision > before.revision


def test_times_are_wall_times_of_the_records() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    reading = stage.ask("a", GetJob("one"))
    assert isinstance(reading, JobReading)
    one = reading.attempts[0]
    assert 1_800_000_000_000 <= reading.created_ms <= one.created_ms <= one.started_ms
    assert one.started_ms <= one.modified_ms <= reading.modified_ms
