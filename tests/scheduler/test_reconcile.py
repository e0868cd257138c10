"""What is too much, what is lost, what waits too long."""

from __future__ import annotations

from random import Random

import pytest

from scheduler.attempts import AttemptView
from scheduler.ids import AttemptId
from scheduler.jobs import AttemptState, JobState
from scheduler.reconcile import lost, replacements
from tests.scheduler.histories import ANN, BEN, CAT, NODES, spec
from tests.scheduler.owner import Owner, live, owner_of

A = AttemptState
SMALL = spec()


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
