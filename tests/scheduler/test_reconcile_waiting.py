"""What waits too long: timeouts of a job, and attempts that could begin elsewhere at once."""

from __future__ import annotations

from itertools import permutations

from scheduler.decide import decide
from scheduler.ids import AttemptId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Expiry, JobState
from scheduler.lifecycle import SlotState
from scheduler.reconcile import MAX_WITHDRAWALS, WITHDRAW_AFTER_MS, waiting_too_long
from tests.scheduler.histories import ANN, BEN, CAT, NODES, reading, spec
from tests.scheduler.owner import Owner, live, owner_of

A = AttemptState
SMALL = spec()

# --- timeouts -------------------------------------------------------------------------------------


def test_a_total_timeout_stops_what_runs_and_the_job_has_failed_once_that_was_asked() -> None:
    owner = owner_of(count=2, total_timeout_s=60)
    owner.act(limit=1)
    owner.hear(A.RUNNING)
    owner.ledger.expire(owner.birth, owner.version, Expiry.TOTAL_TIMEOUT)
    owner.catch_up()
    assert owner.job.state() is JobState.RUNNING
    plan = owner.act(overdue=live(owner))
    assert plan.stops == ((live(owner)[0], "total_timeout"),)
    assert plan.placements == ()
    assert owner.job.state() is JobState.FAILED
    owner.hear(A.SUCCEEDED)
    assert owner.job.state() is JobState.FAILED, "the other slot was never placed"


def test_a_queue_timeout_lets_run_what_runs_but_waits_for_no_lost_node() -> None:
    owner = owner_of(count=3, queue_timeout_s=30)
    running, waiting = (owner.placed(BEN, index=index) for index in (0, 1))
    owner.ledger.observe(owner.birth, running.id, BEN, A.RUNNING)
    owner.ledger.expire(owner.birth, owner.version, Expiry.QUEUE_TIMEOUT)
    owner.catch_up()
    plan = owner.act()
    assert (plan.stops, plan.placements) == (((waiting.id, "queue_timeout"),), ())
    assert owner.job.state() is JobState.RUNNING
    assert owner.act(overdue=[running.id]).stops == ((running.id, "queue_timeout"),)
    assert owner.job.state() is JobState.FAILED


# --- withdrawals ----------------------------------------------------------------------------------


def later(owner: Owner, *, ms: int = WITHDRAW_AFTER_MS) -> int:
    """A wall clock so long after every placement so far; HLCs of these tests are tiny."""
    return (owner.ledger.hlc >> 16) + ms


def test_an_attempt_that_waits_is_withdrawn_where_another_node_could_begin_at_once() -> None:
    owner = owner_of(nodes=2)
    (first,) = owner.act().placements
    assert owner.act(now_ms=later(owner, ms=WITHDRAW_AFTER_MS - 1)).stops == ()
    assert owner.act(now_ms=later(owner)).stops == ((first.attempt, "withdrawn"),)
    assert owner.act(now_ms=later(owner)).stops == (), "it was told"
    assert owner.act(now_ms=later(owner)).placements == (), "it may still begin there"
    owner.hear(A.REFUSED, reason="withdrawn")
    (second,) = owner.act().placements
    assert second.node != first.node
    assert owner.job.slots.state(0) is SlotState.ASSIGNED


def test_nothing_is_withdrawn_without_room_elsewhere() -> None:
    owner = owner_of(nodes=2)
    (first,) = owner.act().placements
    other = next(one for one in NODES[:2] if one != first.node)
    for number in range(4):
        owner.index.add(AttemptId(f"e-{number}"), other, SMALL.task.resources, waiting=False)
    assert owner.act(now_ms=later(owner)).stops == ()
    owner.index.release(AttemptId("e-0"))
    owner.cut(other)
    assert owner.act(now_ms=later(owner)).stops == ()
    owner.cut(other, reachable=True)
    owner.cut(first.node)
    assert owner.act(now_ms=later(owner)).stops == (), "a node out of reach hears no withdrawal"


def test_nothing_is_withdrawn_for_a_place_where_it_would_not_be_put() -> None:
    """It would go to the node that it has not tried, and wait there."""
    owner = owner_of(nodes=3)
    for number in range(4):
        owner.index.add(AttemptId(f"e-{number}"), CAT, SMALL.task.resources, waiting=False)
    owner.placed(ANN)
    owner.hear(A.REFUSED, reason="queue_full")
    owner.placed(BEN)
    assert owner.act(now_ms=later(owner)).stops == ()
    owner.cut(CAT)
    assert len(owner.act(now_ms=later(owner)).stops) == 1


def test_one_free_place_withdraws_one() -> None:
    owner = Owner(SMALL, reading(BEN), count=6)
    owner.act()
    one_core = reading(CAT, capacity=SMALL.task.resources)
    owner.index.set_reading(one_core, heard=Hlc(1))
    plan = owner.act(now_ms=later(owner))
    first = min(owner.job.attempts.values(), key=lambda one: one.placed_hlc)
    assert plan.stops == ((first.id, "withdrawn"),)


def test_i18_a_slot_is_withdrawn_a_bounded_number_of_times() -> None:
    owner = owner_of(nodes=3)
    withdrawn = 0
    for _ in range(12):
        plan = owner.act(now_ms=later(owner))
        withdrawn += len(plan.stops)
        if plan.stops:
            owner.hear(A.REFUSED, reason="withdrawn")
    assert withdrawn == MAX_WITHDRAWALS
    assert len(live(owner)) == 1


def test_what_has_begun_is_not_withdrawn_and_a_late_withdrawal_means_nothing() -> None:
    owner = owner_of(nodes=2)
    owner.act()
    owner.act(now_ms=later(owner))
    (attempt,) = owner.job.live_attempts()
    assert attempt.ending == "withdrawn"
    owner.hear(A.ACCEPTED)
    assert (attempt.stop_reason, attempt.ending) == ("withdrawn", "")
    assert waiting_too_long(owner.job, owner.index, now_ms=later(owner)) == []
    owner.ledger.stop(owner.birth)
    owner.catch_up()
    assert owner.act().stops == ((attempt.id, "job_stopped"),)
    assert attempt.ending == "job_stopped"


def test_a_plan_is_the_same_for_any_order_of_the_overdue() -> None:
    owner = owner_of(count=3)
    owner.act()
    plans = [
        decide(owner.job, owner.spec, owner.index, seed=1, overdue=order)
        for order in permutations(live(owner))
    ]
    assert all(plan == plans[0] for plan in plans)
    assert len(plans[0].placements) == 3
