"""What is kept per node for decisions; the fold itself is under test in `test_view`."""

from __future__ import annotations

import pytest

from scheduler.jobs import AttemptState, Refusal
from tests.scheduler.histories import BEN, CAT, JOB, Ledger, attempt_id

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
    ledger.observe(birth, attempt_id(1), BEN, A.REFUSED, reason=reason.value)
    job = ledger.view().jobs[JOB]
    assert job.barred(BEN) == ((ledger.hlc, reason.value) if lasts else None)
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
