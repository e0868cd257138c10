"""What a member knows: specs that come late, what changed."""

from __future__ import annotations

import pytest

from mesh.gossip.events import TimerFired
from mesh.member.commands import GetJob, JobReading, SubmitJob
from runtime.attempt import EngineEnded, ResultsStored
from scheduler.ids import AttemptId, blob_digest
from scheduler.instant import hlc_wall_ms
from scheduler.view import View
from tests.mesh.member.stage import Stage, scripted_job

ENDED = EngineEnded(0, "", "", "", "", 0, 0)
STORED = ResultsStored(blob_digest(b"manifest"), 8)


def test_a_job_whose_spec_is_missing_is_known_and_runs_when_it_comes() -> None:
    stage = Stage("a", "b")
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    facts = stage.members["a"].facts
    job = facts.view.job_by_name("default", "one")
    assert job is not None
    assert job.version is not None
    digest = job.version.spec
    other = stage.members["b"].facts
    other.missing_specs[digest] = {}
    assert other.add_blob(stage.disks["a"].blobs[digest]) == digest
    assert digest in other.specs
    assert not other.missing_specs


def test_a_blob_that_is_no_spec_is_kept_and_understood_as_nothing() -> None:
    stage = Stage("a")
    facts = stage.members["a"].facts
    assert facts.add_blob(b"\0asm\1\0\0\0") == blob_digest(b"\0asm\1\0\0\0")
    assert not facts.specs


def test_what_was_dropped_for_want_of_its_birth_is_folded_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scheduler.view.MAX_HELD_RECORDS", 3)
    stage = Stage("a", "b")
    stage.ask("a", SubmitJob(scripted_job(Name="one", Count=4)))
    records = list(stage.members["a"].ledger.records())
    stage.connect("a", "b")
    stage.advance(3)
    late = stage.members["b"].facts
    late.view = View()
    late.fold(reversed(records))
    assert late.view.dropped
    assert late.view.digest() != stage.members["a"].facts.view.digest()
    stage.tell("b", TimerFired(("refold",), 0.0))
    stage.settle()
    assert not late.view.dropped
    assert late.view.digest() == stage.members["a"].facts.view.digest()


def test_our_clock_passes_a_peers_records() -> None:
    stage = Stage("a", "b")
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    ahead = stage.members["a"].facts.clock.last
    assert stage.members["b"].facts.clock.last < ahead
    stage.connect("a", "b")
    stage.advance(3)
    assert stage.members["b"].facts.clock.last >= ahead
    answer = stage.ask("b", GetJob("one"))
    assert isinstance(answer, JobReading)
    assert answer.created_ms == hlc_wall_ms(
        stage.members["a"].facts.view.jobs[answer.id].created_hlc
    )


def test_what_moved_is_told_once_and_whole_where_more_than_attempts_changed() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one", Count=2)))
    facts = stage.members["a"].facts
    job = facts.view.job_by_name("default", "one")
    assert job is not None
    assert facts.take_moved(job.id) == {}
    attempt = min(stage.running["a"])
    stage.members["a"].compute.reported(AttemptId(attempt), ENDED, stage.now)
    stage.members["a"].compute.reported(AttemptId(attempt), STORED, stage.now)
    assert list(facts.take_moved(job.id) or ()) == [attempt]
    assert facts.take_moved(job.id) == {}
    facts.touch(job.id)
    assert facts.take_moved(job.id) is None
