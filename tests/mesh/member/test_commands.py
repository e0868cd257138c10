"""What doors ask, and the readings that answer."""

from __future__ import annotations

from mesh.member.commands import GetJob, JobReading, SubmitJob, holders_of
from scheduler.ids import blob_digest
from tests.mesh.member.stage import Stage, scripted_job


def test_holders_of_a_result_are_the_nodes_that_stored_it() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    reading = stage.ask("a", GetJob("one"))
    assert isinstance(reading, JobReading)
    manifest = reading.attempts[0].observation.result
    assert manifest is not None
    assert holders_of(reading, manifest) == (stage.id("a"),)
    assert holders_of(reading, blob_digest(b"other")) == ()
