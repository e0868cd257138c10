from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from mesh.edge import documents
from scheduler.ids import Digest
from scheduler.jobs import AttemptState, JobState, Observation
from tests.mesh.edge.captures import captured, unexplained
from tests.mesh.edge.readings import attempt_reading, finished, job_reading

DIGEST = Digest("d" * 64)
BASE = "http://127.0.0.1:1234"


def test_job_has_the_captured_shape() -> None:
    theirs = captured("11-job-describe-include.json")["Job"]
    assert unexplained(theirs, documents.job_document(finished(job_reading()))) == []


def test_execution_has_the_captured_shape() -> None:
    theirs = captured("12-job-executions.json")["Items"][0]
    job = finished(job_reading(), DIGEST)
    document = documents.execution_document(
        job.attempts[0],
        namespace="default",
        base_url=BASE,
        job=documents.job_document(job),
    )
    assert unexplained(theirs, document) == []
    assert list(document)[:7] == list(theirs)[:7]


def test_history_has_the_captured_shape() -> None:
    job = finished(job_reading())
    theirs = captured("13-job-history.json")["Items"]
    for one, item in zip(theirs, job.history, strict=True):
        ours = documents.history_document(item, job.id)
        assert unexplained(one, ours) == []
        assert set(one) == set(ours)
        datetime.fromisoformat(ours["Time"])


@pytest.mark.parametrize(
    ("wall_ms", "text"),
    [
        (0, "0001-01-01T00:00:00Z"),
        (-5, "0001-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_795_475_809_330, "2026-11-23T23:16:49.330Z"),
        (1 << 60, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_rfc3339(wall_ms: int, text: str) -> None:
    assert documents.rfc3339(wall_ms) == text


@pytest.mark.parametrize(
    ("wall_ms", "expected"), [(1_795_475_809_330, 1_795_475_809_330_000_000), (1 << 60, 2**63 - 1)]
)
def test_nanoseconds_fit_in_64_bits(wall_ms: int, expected: int) -> None:
    assert documents.nanoseconds(wall_ms) == expected


def test_every_attempt_state_has_a_number_and_a_sentence() -> None:
    assert set(documents.COMPUTE_STATES) == set(AttemptState)
    assert set(documents.COMPUTE_SENTENCES) == set(AttemptState)
    terminal = {number for state, number in documents.COMPUTE_STATES.items() if state.terminal}
    assert terminal <= {4, 8, 9, 10, 11}, "Bacalhau's terminal states"


@pytest.mark.parametrize("state", list(JobState))
def test_job_states_are_text(state: JobState) -> None:
    document = documents.job_document(job_reading(state=state, message="why"))
    assert document["State"] == {"StateType": state.value, "Message": "why"}


def test_a_job_whose_spec_has_not_arrived_still_has_an_engine() -> None:
    document = documents.job_document(job_reading(spec=None, name="n"))
    assert document["Tasks"][0]["Engine"]["Type"] == "unknown"
    assert set(document) == set(documents.job_document(job_reading()))


def test_a_job_without_a_name_is_shown_under_its_id() -> None:
    document = documents.job_document(job_reading())
    assert document["Name"] == document["ID"]


def execution(**changes: Any) -> documents.Document:
    attempt = attempt_reading(job_reading().id, **changes)
    return documents.execution_document(attempt, namespace="default", base_url=BASE)


def test_a_running_execution() -> None:
    document = execution()
    assert document["ComputeState"] == {"StateType": 6, "Message": "Running"}
    assert document["DesiredState"] == {"StateType": 1, "Message": "Running"}
    assert document["PublishedResult"] == {"Type": ""}
    assert "PartitionIndex" not in document
    assert "Job" not in document


def test_a_failed_execution_says_why() -> None:
    observation = Observation(
        AttemptState.FAILED,
        reason="exit_code",
        message="The program ended with exit code 3.",
        exit_code=3,
        stdout_tail="x",
        stdout_bytes=5000,
        result=DIGEST,
    )
    document = execution(observation=observation, index=2)
    assert document["ComputeState"]["StateType"] == 10
    assert document["RunOutput"]["ExitCode"] == 3
    assert document["RunOutput"]["ErrorMsg"] == "The program ended with exit code 3."
    assert document["RunOutput"]["StdoutTruncated"] is True
    assert document["PublishedResult"] == {"Type": ""}
    assert document["PartitionIndex"] == 2


def test_a_stopped_execution_is_wanted_stopped() -> None:
    document = execution(stop_reason="the job was stopped")
    assert document["DesiredState"] == {"StateType": 2, "Message": "the job was stopped"}
