"""Which of several attempts of one slot goes on after a heal."""

from __future__ import annotations

from itertools import permutations

import pytest

from scheduler.jobs import AttemptState
from scheduler.lifecycle import SlotState
from scheduler.reconcile import surplus
from tests.scheduler.histories import ANN, BEN, CAT, fold
from tests.scheduler.owner import live, owner_of

A = AttemptState


def test_p3_after_a_heal_one_goes_on_and_the_others_are_duplicates() -> None:
    owner = owner_of()
    first, second = owner.placed(BEN), owner.placed(CAT, author=CAT)
    owner.hear(A.RUNNING)
    assert surplus(owner.job, owner.spec, owner.index) == ((second.id, "duplicate"),)
    assert owner.act().stops == ((second.id, "duplicate"),)
    assert owner.act().stops == ()
    owner.hear(A.CANCELLED, reason="duplicate", only=CAT)
    assert owner.act().placements == ()
    assert owner.job.slots.state(0) is SlotState.ACTIVE, (
        "the first is wanted though it was replaced"
    )
    assert live(owner) == [first.id]


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
