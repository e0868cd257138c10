"""What two sides of a split did to one job, folded into one view."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.ids import named_job_id
from scheduler.jobs import AttemptState, JobState
from tests.scheduler.histories import ANN, BEN, CAT, JOB, Ledger, attempt_id

A = AttemptState


def test_p6_completed_beats_a_stop_that_came_late() -> None:
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.stop(birth, author=CAT)
    assert ledger.view().jobs[JOB].state() is JobState.STOPPED
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    job = ledger.view().jobs[JOB]
    assert job.state() is JobState.COMPLETED
    assert "stop" in job.message()


def test_p7_a_stop_half_way_keeps_what_was_finished() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=2)
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    ledger.stop(birth, reason="enough")
    job = ledger.view().jobs[JOB]
    assert (job.state(), job.message()) == (JobState.STOPPED, "enough")
    assert job.accepted(0) is not None
    assert list(job.open_indexes()) == []


@pytest.mark.parametrize(("saw_it", "state"), [(False, JobState.STOPPED), (True, JobState.QUEUED)])
def test_p8_a_stop_beats_every_version_that_had_not_seen_it(saw_it: bool, state: JobState) -> None:
    ledger = Ledger()
    birth, _ = ledger.started()
    stop = ledger.stop(birth, author=BEN)
    ledger.version(birth, author=CAT, number=2, seen_stops=(stop,) if saw_it else ())
    assert ledger.view().jobs[JOB].state() is state


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"number": 1, "hlc": 9000}, {"number": 2, "hlc": 10}),
        ({"number": 2, "hlc": 10}, {"number": 2, "hlc": 11}),
        ({"number": 2, "hlc": 10}, {"number": 2, "hlc": 10}),
    ],
)
def test_p9_p20_number_then_hlc_then_dot_decide_between_versions(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    ledger = Ledger()
    birth = ledger.birth()
    ledger.version(birth, author=ANN, **one)
    winner = ledger.version(birth, author=BEN, **other)
    version = ledger.view().jobs[JOB].version
    assert version is not None
    assert version.dot == winner


def test_p10_results_of_a_superseded_version_stay_under_it() -> None:
    ledger = Ledger()
    birth, old = ledger.started()
    ledger.place(birth, old, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    ledger.version(birth, number=2)
    job = ledger.view().jobs[JOB]
    assert (job.state(), job.accepted(0)) == (JobState.QUEUED, None)
    assert [one.state for one in job.slot_attempts(old, 0)] == [A.SUCCEEDED]


def test_p16_a_success_elsewhere_beats_used_up_retries() -> None:
    ledger = Ledger()
    birth, version = ledger.started(retry_attempts=1)
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.FAILED, reason="exit_code", message="exit code 3")
    job = ledger.view().jobs[JOB]
    assert (job.state(), job.message()) == (JobState.FAILED, "exit code 3")
    ledger.claim(birth, CAT)
    ledger.place(birth, version, attempt_id(2), CAT, author=CAT, number=2)
    ledger.observe(birth, attempt_id(2), CAT, A.SUCCEEDED)
    assert ledger.view().jobs[JOB].state() is JobState.COMPLETED


def test_a_job_that_will_fail_starts_no_more_slots() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=3)
    for number in (0, 1):
        ledger.place(birth, version, attempt_id(number), BEN, index=number)
    ledger.observe(birth, attempt_id(0), BEN, A.FAILED, reason="trap")
    ledger.observe(birth, attempt_id(1), BEN, A.RUNNING)
    job = ledger.view().jobs[JOB]
    assert (job.state(), list(job.open_indexes())) == (JobState.RUNNING, [])


def test_p18_p19_two_births_are_one_job_named_by_the_first() -> None:
    ledger = Ledger()
    job_id = named_job_id("default", "tide")
    first = ledger.birth(BEN, job=job_id, name="tide")
    second = ledger.birth(ANN, job=job_id, name="tide")
    ledger.facts.reverse()
    view = ledger.view()
    job = view.job_by_name("default", "tide")
    assert job is not None
    assert job.birth == first
    assert set(job.births) == {first, second}
    assert view.job_by_name("other", "tide") is None


def test_a_job_without_a_name_shows_its_id_and_is_not_found_by_it() -> None:
    ledger = Ledger()
    ledger.birth()
    view = ledger.view()
    assert view.jobs[JOB].name == JOB
    assert view.job_by_name("default", JOB) is None
