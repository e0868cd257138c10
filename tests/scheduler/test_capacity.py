"""The index of what is taken."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.capacity import CapacityIndex, Load
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Resources
from tests.scheduler.histories import ANN, BEN, CAT, JOB, Ledger, attempt_id, reading

A = AttemptState
ONE = Resources(cpu_milli=1000, memory_bytes=10)


@given(seed=st.integers(0, 10**6))
def test_i15_sums_are_those_of_the_attempts_that_are_left(seed: int) -> None:
    random = Random(seed)
    index = CapacityIndex()
    index.set_reading(reading(BEN), heard=Hlc(1))
    live: dict[int, tuple[Resources, bool]] = {}
    for _ in range(40):
        number = random.randrange(8)
        if random.random() < 0.4:
            index.release(attempt_id(number))
            live.pop(number, None)
        else:
            live[number] = (
                Resources(*(random.randrange(4) for _ in range(4))),
                random.random() < 0.5,
            )
            index.add(attempt_id(number), BEN, live[number][0], waiting=live[number][1])
    expected = Load()
    for resources, waiting in live.values():
        expected = expected.with_one(resources, waiting=waiting)
    assert index.load(BEN) == expected
    assert index.free(BEN) == reading(BEN).capacity.minus(expected.wanted)
    for number in range(8):
        index.release(attempt_id(number))
    assert index.load(BEN) == Load()


@pytest.mark.parametrize(
    ("running", "waiting", "queued"),
    [(0, 0, 0), (4, 0, 0), (0, 4, 0), (3, 1, 0), (4, 1, 1), (2, 5, 3), (0, 12, 8), (5, 0, 0)],
)
def test_queued_is_exact_for_attempts_of_one_size(running: int, waiting: int, queued: int) -> None:
    load = Load()
    for number in range(running + waiting):
        load = load.with_one(ONE, waiting=number >= running)
    assert load.queued(reading(BEN).capacity) == queued


def test_follow_takes_over_what_the_view_says() -> None:
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.place(birth, version, attempt_id(1), BEN)
    index = CapacityIndex()
    seen = []
    for state in (None, A.RUNNING, A.SUCCEEDED):
        if state is not None:
            ledger.observe(birth, attempt_id(1), BEN, state)
        index.follow(ledger.view().attempts[attempt_id(1)], ONE)
        load = index.load(BEN)
        seen.append((load.live_count, load.waiting_count, load.wanted))
    assert seen == [(1, 1, ONE), (1, 0, ONE), (0, 0, Resources())]
    assert index.room_changed(BEN) == ledger.view().jobs[JOB].modified_hlc


def test_a_refusal_is_no_news_of_room() -> None:
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.REFUSED, reason="capacity")
    index = CapacityIndex()
    index.follow(ledger.view().attempts[attempt_id(1)], ONE)
    assert index.room_changed(BEN) == 0


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({}, 0),
        ({"rtt_ms": 9.5}, 0),
        ({"reachable": False}, 0),
        ({"blobs": frozenset({"a" * 64})}, 0),
        ({"engines": ("wasm", "docker")}, 7),
        ({"capacity": Resources(cpu_milli=8000)}, 7),
    ],
)
def test_only_a_changed_offer_ends_old_refusals(change: dict[str, object], changed: int) -> None:
    index = CapacityIndex()
    index.set_reading(reading(BEN), heard=Hlc(5))
    index.set_reading(reading(BEN, **change), heard=Hlc(7))
    assert (index.offer_changed(BEN), index.room_changed(BEN)) == (changed, changed)


def test_a_removed_node_is_not_read_but_what_runs_there_still_counts() -> None:
    index = CapacityIndex()
    for node in (BEN, ANN):
        index.set_reading(reading(node), heard=Hlc(1))
    index.add(attempt_id(1), BEN, ONE, waiting=False)
    index.remove(BEN)
    assert [one.node for one in index.readings()] == [ANN]
    assert index.load(BEN).live_count == 1


def test_a_node_is_reachable_when_it_is_known_and_its_reading_says_so() -> None:
    index = CapacityIndex()
    index.set_reading(reading(BEN), heard=Hlc(1))
    index.set_reading(reading(ANN, reachable=False), heard=Hlc(1))
    reachable = [index.is_reachable(node) for node in (ANN, BEN, CAT)]
    assert reachable == [False, True, False]
