"""Lines for those who wait for a job."""

from __future__ import annotations

import pytest

from mesh.edge.feed_make import execution_row, job_row
from mesh.edge.feed_rows import ExecutionRow, JobRow
from mesh.edge.render_progress import (
    execution_line,
    preparing_text,
    progress_lines,
    status_line,
)
from scheduler.jobs import AttemptState, Observation
from tests.mesh.edge.readings import attempt_reading, job_reading, watched_job

JOB = job_reading()


@pytest.mark.parametrize(
    ("observation", "line"),
    [
        (Observation(AttemptState.ASSIGNED), "e-00000000 goes to there"),
        (Observation(AttemptState.RUNNING), "e-00000000 running on there"),
        (
            Observation(AttemptState.FAILED, message="It broke\x07."),
            "e-00000000 failed on there: It broke\\x07.",
        ),
        (
            Observation(AttemptState.SUCCEEDED, exit_code=0, elapsed_ms=12),
            "e-00000000 completed on there in 12 ms, exit code 0",
        ),
        (
            Observation(AttemptState.SUCCEEDED, elapsed_ms=1_240),
            "e-00000000 completed on there in 1.2 s",
        ),
    ],
)
def test_an_execution_in_a_line(observation: Observation, line: str) -> None:
    row = execution_row(attempt_reading(JOB.id, observation=observation))
    assert execution_line(row) == line


def test_which_attempt_it_is_when_it_is_not_the_first() -> None:
    row = execution_row(attempt_reading(JOB.id, number=2))
    assert execution_line(row) == "e-00000000 running on there (attempt 2)"


def test_what_was_told_is_not_told_again() -> None:
    rows = [execution_row(attempt_reading(JOB.id, id=one)) for one in ("e-1", "e-2")]
    new = progress_lines(None, rows, {})
    assert list(new) == ["e-1", "e-2"]
    assert progress_lines(None, rows, new) == {}


def job(**changes: object) -> JobRow:
    row = job_row(watched_job(JOB), {})
    row.update(changes)  # type: ignore[typeddict-item]
    return row


@pytest.mark.parametrize(
    ("state", "message", "lines"),
    [
        ("Queued", "2 nodes have\x1b no room.", ["queued: 2 nodes have\\x1b no room."]),
        ("Pending", "", []),
        ("Running", "2 nodes have no room.", []),
    ],
)
def test_why_a_job_waits(state: str, message: str, lines: list[str]) -> None:
    row = job(State=state, Message=message)
    assert list(progress_lines(row, (), {}).values()) == lines


def test_the_job_as_a_whole() -> None:
    parts = {"Done": 1, "Running": 2, "Waiting": 0, "Failed": 1}
    assert status_line(job(State="Running", **parts)) == "Running: 1 done, 2 running, 1 failed"
    none = dict.fromkeys(parts, 0)
    assert status_line(job(State="Pending", **none)) == "Pending"


def test_what_is_being_brought_until_all_is_here() -> None:
    def row(name: str, state: AttemptState, message: str = "") -> ExecutionRow:
        observation = Observation(state, message=message)
        return execution_row(attempt_reading(JOB.id, id=name, observation=observation))

    told: dict[str, str] = {}
    assert preparing_text(told, [row("e-1", AttemptState.RUNNING)]) == ""
    pulls = [row(one, AttemptState.PREPARING, f"{one} pulls\x07.") for one in ("e-1", "e-2")]
    assert preparing_text(told, pulls) == "e-1 pulls\\x07."
    assert preparing_text(told, []) == "e-1 pulls\\x07."
    assert preparing_text(told, [row("e-1", AttemptState.RUNNING)]) == "e-2 pulls\\x07."
    assert preparing_text(told, [row("e-2", AttemptState.FAILED)]) == ""
