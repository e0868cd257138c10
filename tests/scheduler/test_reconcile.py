"""What is too much, what is lost, what waits too long."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from scheduler.attempts import AttemptView
from scheduler.decide import decide
from scheduler.ids import AttemptId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Expiry, JobState
from scheduler.lifecycle import SlotState
from scheduler.reconcile import (
    MAX_WITHDRAWALS,
    WITHDRAW_AFTER_MS,
    lost,
    replacements,
    surplus,
    waiting_too_long,
)
from tests.scheduler.histories import ANN, BEN, CAT, NODES, fold, reading, spec
from tests.scheduler.owner import Owner

A = AttemptState
SMALL = spec()
SECOND = 1000


def owner_of(count: int = 1, *, nodes: int = 3, policy: str = "", **version: int) -> Owner:
    job = spec(disconnect={"ReconcileRunning": policy} if policy else {})
    return Owner(job, *(reading(node) for node in NODES[:nodes]), count=count, **version)


def live(owner: Owner) -> list[AttemptId]:
    return [one.id for one in owner.job.live_attempts()]


# --- replacements ---------------------------------------------------------------------------------


def test_p1_a_slot_whose_node_is_overdue_is_replaced_once_on_another_node() -> None:
    owner = owner_of()
    (first,) = owner.act().placements
    owner.hear(A.RUNNING)
    owner.cut(first.node)
    assert owner.act() == owner.act(), "unreachable alone is no reason"
    (second,) = owner.act(overdue=live(owner)).placements
    assert (second.number, second.node != first.node) == (2, True)
    assert owner.act(overdue=[first.attempt]).placements == ()


def test_a_replacement_is_replaced_in_turn_and_the_budget_ends_it() -> None:
    owner = owner_of(retry_attempts=3)
    placed = len(owner.act().placements)
    for _ in range(6):
        owner.hear(A.RUNNING)
        placed += len(owner.act(overdue=live(owner)).placements)
    assert (placed, len(live(owner))) == (3, 3)


def test_a_replaced_attempt_that_its_node_never_took_uses_up_nothing() -> None:
    owner = owner_of(retry_attempts=2)
    owner.act()
    for _ in range(4):
        assert len(owner.act(overdue=live(owner)).placements) == 1
    assert owner.job.state() is JobState.QUEUED


# --- given up for lost ----------------------------------------------------------------------------


def test_the_last_allowed_attempt_on_a_node_that_stays_away_is_given_up_and_the_job_fails() -> None:
    owner = owner_of(retry_attempts=1)
    (first,) = owner.act().placements
    owner.hear(A.RUNNING)
    assert owner.act().stops == ()
    plan = owner.act(overdue=live(owner))
    assert (plan.stops, plan.placements) == (((first.attempt, "lost"),), ())
    assert owner.act(overdue=live(owner)).stops == (), "it is said once"
    assert owner.job.state() is JobState.FAILED
    assert f"was on {first.node}, which cannot be heard" in owner.job.message()
    assert not owner.job.attempts[first.attempt].ending, "it may end well where it runs"
    owner.hear(A.SUCCEEDED)
    assert owner.job.state() is JobState.COMPLETED


def test_an_attempt_given_up_counts_again_once_its_node_speaks_of_it() -> None:
    owner = owner_of(retry_attempts=1)
    (first,) = owner.act().placements
    owner.hear(A.RUNNING)
    owner.act(overdue=live(owner))
    owner.hear(A.RUNNING)
    assert owner.job.state() is JobState.RUNNING
    assert owner.act().stops == ()
    assert owner.act(overdue=live(owner)).stops == ((first.attempt, "lost"),)
    owner.hear(A.FAILED, reason="node_restart")
    assert owner.job.state() is JobState.FAILED
    assert "cannot be heard" not in owner.job.message()


def test_what_waits_on_a_lost_node_does_not_keep_a_failing_job_from_ending() -> None:
    owner = owner_of(count=3, retry_attempts=3)
    failed, lost, here = (owner.placed(node, index=i) for i, node in enumerate((ANN, BEN, CAT)))
    owner.hear(A.FAILED, reason="exit_code", only=ANN)
    owner.ledger.observe(owner.birth, here.id, CAT, A.RUNNING)
    owner.catch_up()
    assert owner.act(overdue=[lost.id]).stops == ((lost.id, "lost"),)
    assert lost.ending == "lost", "it has not begun: it need not"
    assert owner.job.state() is JobState.RUNNING
    owner.hear(A.SUCCEEDED, only=CAT)
    assert owner.job.state() is JobState.FAILED
    assert owner.job.first_stop() is None
    assert not failed.live


def test_nothing_is_given_up_while_it_may_be_replaced_or_can_be_reached() -> None:
    owner = owner_of(retry_attempts=2)
    one, other = owner.placed(BEN), owner.placed(CAT)
    owner.hear(A.RUNNING)
    assert lost(owner.job, [one.id]) == []
    assert lost(owner.job, [one.id, other.id]) == [one, other]
    single = owner_of(retry_attempts=2)
    only = single.placed(BEN)
    single.hear(A.RUNNING)
    assert lost(single.job, [only.id]) == []
    single.ledger.stop(single.birth)
    single.catch_up()
    assert lost(single.job, [only.id]) == []


# --- budgets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "left"),
    [
        ((A.REFUSED, "capacity"), [0]),
        ((A.REFUSED, "withdrawn"), [0]),
        ((A.CANCELLED, ""), [0]),
        ((A.FAILED, "engine"), []),
    ],
)
def test_p17_refused_and_withdrawn_attempts_use_up_nothing(
    ended: tuple[A, str], left: list[int]
) -> None:
    owner = owner_of(retry_attempts=2)
    gone, overdue = owner.placed(BEN), owner.placed(CAT)
    owner.hear(ended[0], reason=ended[1], only=BEN)
    owner.hear(A.RUNNING, only=CAT)
    assert not gone.live
    assert replacements(owner.job, [overdue.id]) == left


def test_lost_slots_go_before_those_never_placed() -> None:
    owner = owner_of(count=3)
    lost = owner.placed(BEN, index=2)
    owner.cut(BEN)
    assert [one.index for one in owner.act(limit=2, overdue=[lost.id]).placements] == [2, 0]


def test_nothing_is_replaced_while_another_attempt_of_the_slot_can_be_reached() -> None:
    owner = owner_of()
    one, other = owner.placed(BEN), owner.placed(CAT)
    assert replacements(owner.job, [one.id]) == []
    assert replacements(owner.job, [other.id]) == []
    assert replacements(owner.job, [other.id, one.id]) == [0]


def test_only_slots_of_the_winning_version_that_are_not_done_are_replaced() -> None:
    owner = owner_of(count=3)
    attempts = [owner.placed(BEN, index=index) for index in (0, 1, 2)]
    overdue = [one.id for one in attempts]
    assert replacements(owner.job, overdue) == [0, 1, 2]
    owner.ledger.observe(owner.birth, attempts[0].id, BEN, A.SUCCEEDED)
    owner.catch_up()
    assert replacements(owner.job, overdue) == [1, 2]
    owner.ledger.stop(owner.birth)
    owner.catch_up()
    assert replacements(owner.job, overdue) == []
    old = owner_of()
    overdue = [old.placed(BEN).id]
    old.version = old.ledger.version(old.birth, number=2)
    old.catch_up()
    assert replacements(old.job, overdue) == []


@pytest.mark.parametrize("seed", range(40))
def test_i14_i16_never_two_live_replacements_and_never_more_than_the_budget(seed: int) -> None:
    """Nodes come and go, attempts fail, end or wait: at most one live attempt is not overdue."""
    random = Random(seed)
    owner = owner_of(count=3, nodes=5, retry_attempts=3)
    away: list[str] = []
    for _ in range(120):
        node = random.choice(NODES)
        if node in away:
            away.remove(node)
        elif len(away) < 4:
            away.append(node)
        owner.cut(node, reachable=node not in away)
        overdue = [one.id for one in owner.job.live_attempts() if one.node in away]
        used = [_used(owner.job.slot_attempts(owner.version, index)) for index in range(3)]
        for placed in owner.act(overdue=overdue).placements:
            assert used[placed.index] < 3
        for index in range(3):
            attempts = owner.job.slot_attempts(owner.version, index)
            here = [one for one in attempts if one.live and one.node not in away and not one.ending]
            assert len(here) <= 1
        for one in list(owner.job.live_attempts()):
            if one.node not in away and random.random() < 0.4:
                _speak(random, owner, one.id)
        owner.catch_up()


def _used(attempts: list[AttemptView]) -> int:
    """Attempts known as taken, but for those sent back and those that were one too many."""
    return sum(
        one.taken and not one.refused and one.observation.reason != "duplicate" for one in attempts
    )


def _speak(random: Random, owner: Owner, attempt: AttemptId) -> None:
    one = owner.job.attempts[attempt]
    if one.ending:
        owner.ledger.observe(owner.birth, one.id, one.node, A.CANCELLED, reason=one.ending)
        return
    state = random.choice((A.ACCEPTED, A.RUNNING, A.RUNNING, A.REFUSED, A.FAILED, A.SUCCEEDED))
    if state >= one.state:
        reason = {A.FAILED: "engine", A.REFUSED: "capacity"}.get(state, "")
        owner.ledger.observe(owner.birth, one.id, one.node, state, reason=reason)


# --- duplicates -----------------------------------------------------------------------------------


def test_p3_after_a_heal_one_goes_on_and_the_others_are_duplicates() -> None:
    owner = owner_of()
    first, second = owner.placed(BEN), owner.placed(CAT, author=CAT)
    owner.hear(A.RUNNING)
    assert surplus(owner.job, owner.spec, owner.index) == ((second.id, "duplicate"),)
    assert owner.act().stops == ((second.id, "duplicate"),)
    assert owner.act().stops == ()
    owner.hear(A.CANCELLED, reason="duplicate", only=CAT, elapsed_ms=700)
    assert owner.act().placements == ()
    assert owner.job.slots.state(0) is SlotState.ACTIVE, (
        "the first is wanted though it was replaced"
    )
    assert (live(owner), owner.job.slots.duplicate_ms()) == ([first.id], 700)


def test_an_attempt_out_of_reach_is_neither_kept_nor_stopped() -> None:
    owner = owner_of()
    _, second, third = (owner.placed(node) for node in (ANN, BEN, CAT))
    owner.hear(A.RUNNING)
    owner.cut(ANN)
    assert surplus(owner.job, owner.spec, owner.index) == ((third.id, "duplicate"),)
    owner.cut(BEN)
    assert surplus(owner.job, owner.spec, owner.index) == ()
    owner.cut(ANN, BEN, reachable=True)
    assert {one for one, _ in surplus(owner.job, owner.spec, owner.index)} == {second.id, third.id}


def test_what_a_node_said_in_an_earlier_run_counts_only_once_this_run_speaks_of_it() -> None:
    """It is back and has not said yet that its program died: the good one must not be stopped."""
    owner = owner_of()
    first, second = owner.placed(BEN), owner.placed(CAT)
    owner.hear(A.RUNNING)
    assert first.observed is not None
    owner.cut(BEN, reachable=True, boot=first.observed.epoch + 1)
    assert owner.act().stops == ()
    owner.hear(A.RUNNING, only=BEN, epoch=first.observed.epoch + 1)
    assert owner.act().stops == ((second.id, "duplicate"),), "its program was adopted"


def test_a_duplicate_that_was_stopped_uses_up_no_retry() -> None:
    owner = owner_of(retry_attempts=2)
    owner.placed(BEN), owner.placed(CAT)
    owner.hear(A.RUNNING)
    owner.act()
    owner.hear(A.CANCELLED, reason="duplicate", only=CAT)
    owner.hear(A.FAILED, reason="engine", only=BEN)
    assert owner.job.slots.state(0) is SlotState.OPEN
    assert len(owner.act().placements) == 1


def test_one_that_was_asked_to_stop_is_not_the_one_to_keep() -> None:
    owner = owner_of()
    first, second = owner.placed(BEN), owner.placed(CAT)
    owner.hear(A.RUNNING)
    owner.ledger.ask_stop(owner.birth, first.id, reason="asked by an owner before")
    owner.catch_up()
    assert owner.act().stops == ()
    assert not second.ending


@pytest.mark.parametrize("policy", ["longest_running", "keep_original", "keep_replacement"])
def test_p4_what_is_kept_does_not_depend_on_the_order_of_records(policy: str) -> None:
    owner = owner_of(policy=policy)
    for node in (ANN, BEN, CAT):
        owner.placed(node, author=node)
    owner.hear(A.RUNNING)
    told = owner.ledger.facts[-3:]
    plans = {
        surplus(
            fold([*owner.ledger.facts[:-3], *order]).jobs[owner.job.id], owner.spec, owner.index
        )
        for order in permutations(told)
    }
    assert len(plans) == 1
    assert len(plans.pop()) == 2


def test_a_race_goes_on_until_one_is_done() -> None:
    owner = owner_of(policy="race")
    first, second = owner.placed(BEN), owner.placed(CAT)
    owner.hear(A.RUNNING)
    assert owner.act().stops == ()
    owner.hear(A.SUCCEEDED, only=CAT)
    assert owner.act().stops == ((first.id, "already_done"),)
    assert owner.job.accepted(0) is second


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
