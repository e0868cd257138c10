"""What is kept per node for decisions; the fold itself is under test in `test_view`."""

from __future__ import annotations

import pytest

from scheduler.ids import NodeId
from scheduler.jobs import AttemptState, Expiry, JobState, Refusal
from tests.scheduler.histories import ANN, BEN, CAT, JOB, Ledger, attempt_id

A = AttemptState


@pytest.mark.parametrize(
    ("reason", "lasts"),
    [
        (Refusal.CAPACITY, False),
        (Refusal.QUEUE_FULL, False),
        (Refusal.STALE_TERM, False),
        (Refusal.SPEC_MISSING, False),
        (Refusal.WITHDRAWN, False),
        (Refusal.INPUT_MISSING, True),
        (Refusal.POLICY, True),
        (Refusal.ENGINE_MISSING, True),
        (Refusal.TOO_LARGE, True),
    ],
)
def test_a_refusal_about_the_node_bars_it_for_the_whole_version(
    reason: Refusal, lasts: bool
) -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=2)
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.REFUSED, reason=reason.value, message="No.")
    job = ledger.view().jobs[JOB]
    assert job.barred(BEN) == ((ledger.hlc, reason.value, "No") if lasts else None)
    assert job.barred(CAT) is None
    ledger.version(birth, number=2)
    assert ledger.view().jobs[JOB].barred(BEN) is None


def test_counts_per_node_follow_the_attempts() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=3)
    for index, node in enumerate((BEN, BEN, CAT)):
        ledger.place(birth, version, attempt_id(index), node, index=index)
    ledger.observe(birth, attempt_id(0), BEN, A.REFUSED, reason="capacity")
    ledger.observe(birth, attempt_id(1), BEN, A.RUNNING)
    ledger.observe(birth, attempt_id(2), CAT, A.FAILED, reason="engine")
    job = ledger.view().jobs[JOB]
    assert +job.live_by_node == {BEN: 1}
    assert +job.refusals_by_node == {BEN: 1}
    ledger.observe(birth, attempt_id(0), BEN, A.FAILED, reason="node_restart")
    assert not +ledger.view().jobs[JOB].refusals_by_node


def test_observations_keep_what_the_node_said() -> None:
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.place(birth, version, attempt_id(1), BEN)
    said = {"exit_code": 0, "result": "a" * 64, "result_bytes": 9, "stdout_tail": "ok"}
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED, **said)
    told = ledger.view().attempts[attempt_id(1)].observation
    assert {name: getattr(told, name) for name in said} == said
    assert (told.stderr_tail, told.elapsed_ms) == ("", 0)


def placed_and_expired(reason: Expiry, *, author: NodeId = ANN, **version: int) -> Ledger:
    """A job of two slots, one of them running on BEN, whose time ran out."""
    ledger = Ledger()
    birth, dot = ledger.started(count=2, **version)
    ledger.place(birth, dot, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.RUNNING)
    ledger.expire(birth, dot, reason, author=author)
    return ledger


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (Expiry.QUEUE_TIMEOUT, "Not placed within its QueueTimeout of 30 s."),
        (Expiry.TOTAL_TIMEOUT, "Not done within its TotalTimeout of 90 s."),
        (Expiry.IMAGE_MISSING, "No node has the image or can get it: check its name."),
    ],
)
def test_a_job_that_ran_out_of_time_fails_once_nothing_of_it_goes_on(
    reason: Expiry, message: str
) -> None:
    ledger = placed_and_expired(reason, queue_timeout_s=30, total_timeout_s=90)
    birth = ledger.facts[0][0]
    job = ledger.view().jobs[JOB]
    assert (job.state(), job.message()) == (JobState.RUNNING, "")
    assert (job.placing(), job.open_count(), list(job.open_indexes())) == (False, 0, [])
    ledger.ask_stop(birth, attempt_id(1), reason=reason.value)
    job = ledger.view().jobs[JOB]
    assert (job.state(), job.message()) == (JobState.FAILED, message)
    ledger.observe(birth, attempt_id(1), BEN, A.CANCELLED)
    assert ledger.view().jobs[JOB].state() is JobState.FAILED


def test_a_timeout_counts_once_its_author_has_claimed_the_job() -> None:
    ledger = placed_and_expired(Expiry.TOTAL_TIMEOUT, author=CAT)
    assert ledger.view().jobs[JOB].expired() is None
    written = ledger.facts[-1][0]
    ledger.claim(ledger.facts[0][0], CAT, term=2)
    assert ledger.view().jobs[JOB].expired() == (written, Expiry.TOTAL_TIMEOUT)


def test_a_timeout_ends_its_own_version_alone() -> None:
    ledger = placed_and_expired(Expiry.TOTAL_TIMEOUT)
    ledger.version(ledger.facts[0][0], number=2)
    job = ledger.view().jobs[JOB]
    assert (job.expired(), job.open_count()) == (None, 1)


def test_p15_completed_and_stopped_beat_a_timeout() -> None:
    ledger = placed_and_expired(Expiry.QUEUE_TIMEOUT)
    birth, version = ledger.facts[0][0], ledger.facts[1][0]
    ledger.stop(birth, reason="enough")
    job = ledger.view().jobs[JOB]
    assert (job.state(), job.message()) == (JobState.STOPPED, "enough")
    ledger.claim(birth, CAT)
    ledger.place(birth, version, attempt_id(2), CAT, author=CAT, index=1)
    for number, node in ((1, BEN), (2, CAT)):
        ledger.observe(birth, attempt_id(number), node, A.SUCCEEDED)
    assert ledger.view().jobs[JOB].state() is JobState.COMPLETED


def test_p1_other_successes_are_duplicates_and_their_time_is_what_the_split_cost() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=2)
    for number, node in ((1, BEN), (2, CAT), (3, ANN)):
        ledger.claim(birth, node)
        ledger.place(birth, version, attempt_id(number), node, author=node, number=number)
    ledger.place(birth, version, attempt_id(4), BEN, index=1)
    for number, node, state, elapsed_ms in (
        (2, CAT, A.SUCCEEDED, 50),
        (1, BEN, A.SUCCEEDED, 700),
        (3, ANN, A.CANCELLED, 20),
        (4, BEN, A.SUCCEEDED, 9000),
    ):
        ledger.observe(birth, attempt_id(number), node, state, elapsed_ms=elapsed_ms)
    job = ledger.view().jobs[JOB]
    assert job.accepted(0) is job.attempts[attempt_id(2)]
    assert [one.id for one in job.slots.successes(0)[1:]] == [attempt_id(1)]
    assert job.slots.successes(1)[1:] == job.slots.successes(7) == []
    assert job.slots.duplicate_count() == 1


def test_a_retry_is_no_duplicate() -> None:
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.FAILED, reason="engine", elapsed_ms=100)
    ledger.place(birth, version, attempt_id(2), CAT, number=2)
    ledger.observe(birth, attempt_id(2), CAT, A.SUCCEEDED, elapsed_ms=100)
    assert ledger.view().jobs[JOB].slots.duplicate_count() == 0


def test_a_replaced_attempt_on_a_lost_node_does_not_keep_a_job_from_failing() -> None:
    ledger = Ledger()
    birth, version = ledger.started(retry_attempts=2)
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.RUNNING)
    ledger.place(birth, version, attempt_id(2), CAT, number=2)
    ledger.observe(birth, attempt_id(2), CAT, A.FAILED, reason="engine", message="broken")
    job = ledger.view().jobs[JOB]
    assert (job.state(), job.message()) == (JobState.FAILED, "broken")
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    assert ledger.view().jobs[JOB].state() is JobState.COMPLETED


def test_a_slot_that_failed_without_a_failure_says_so() -> None:
    ledger = Ledger()
    birth, version = ledger.started(retry_attempts=1)
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.RUNNING)
    ledger.observe(birth, attempt_id(1), BEN, A.CANCELLED)
    job = ledger.view().jobs[JOB]
    assert job.state() is JobState.FAILED
    assert job.message().startswith("Its attempts were cut off")
