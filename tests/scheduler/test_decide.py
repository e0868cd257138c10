"""What an owner does about a job: placements, stops, waiting."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.capacity import CapacityIndex
from scheduler.decide import ASK_AGAIN, decide, verdicts
from scheduler.ids import Dot, NodeId, node_id_from_bytes
from scheduler.instant import Hlc
from scheduler.jobs import (
    AttemptState,
    DataEntry,
    Input,
    JobState,
    Placement,
    Plan,
    Refusal,
    Resources,
    Source,
)
from scheduler.records import Kind, Record, encode_record
from scheduler.view import JobView
from tests.scheduler.histories import ANN, BEN, CAT, JOB, NODES, Ledger, attempt_id, reading, spec
from tests.scheduler.owner import Owner, index_of

A = AttemptState
SMALL = spec()
LOCAL = Input(Source("local", {"SourcePath": "/data/readings.csv"}), "/in")


def random_index(random: Random, nodes: list[NodeId]) -> CapacityIndex:
    readings = [
        reading(
            node,
            capacity=Resources(
                cpu_milli=random.randrange(8000), memory_bytes=random.randrange(800)
            ),
            engines=random.choice((("wasm",), ())),
            rtt_ms=random.choice((0.0, 3.0)),
        )
        for node in sorted(nodes)
    ]
    order = {node: place for place, node in enumerate(nodes)}
    return index_of(*sorted(readings, key=lambda one: order[one.node]))


def started_job(count: int) -> JobView:
    ledger = Ledger()
    ledger.started(count=count)
    return ledger.view().jobs[JOB]


@given(seed=st.integers(0, 10**6), order=st.permutations(NODES), count=st.integers(1, 90))
def test_same_seed_same_plan_whatever_the_order_of_nodes(
    seed: int, order: list[NodeId], count: int
) -> None:
    plans = [
        decide(started_job(count), SMALL, random_index(Random(seed), nodes), seed=seed)
        for nodes in (list(NODES), order)
    ]
    assert plans[0] == plans[1]


def test_another_seed_or_term_or_more_attempts_give_other_attempt_ids() -> None:
    owner = Owner(SMALL, reading(BEN), count=40)
    first = {one.attempt for one in owner.act(limit=2).placements}
    again = {one.attempt for one in owner.act(limit=2).placements}
    other = decide(started_job(40), SMALL, owner.index, seed=2, limit=2)
    ledger = Ledger()
    birth, _ = ledger.started(count=40)
    ledger.claim(birth, ANN, term=2)
    later = decide(ledger.view().jobs[JOB], SMALL, owner.index, seed=1, limit=2)
    rest = {one.attempt for plan in (other, later) for one in plan.placements}
    assert len(first | again | rest) == 8


@given(seed=st.integers(0, 10**6), count=st.integers(1, 200))
def test_i15_one_decision_places_no_more_than_capacity_and_queue(seed: int, count: int) -> None:
    random = Random(seed)
    index = random_index(random, list(NODES))
    for number in range(random.randrange(20)):
        waiting = random.random() < 0.3
        index.add(attempt_id(number), random.choice(NODES), SMALL.task.resources, waiting=waiting)
    before = [index.load(node) for node in NODES]
    plan = decide(started_job(count), SMALL, index, seed=seed)
    assert [index.load(node) for node in NODES] == before
    placed = Counter(one.node for one in plan.placements)
    for one in index.readings():
        room = min(
            free // want
            for free, want in zip(index.free(one.node), SMALL.task.resources, strict=True)
            if want
        )
        assert placed[one.node] <= max(room, 0) + 8
        assert not placed[one.node] or ("wasm" in one.engines and one.capacity.cpu_milli >= 1000)
    slots = [one.index for one in plan.placements]
    assert slots == list(range(len(slots)))
    assert len(slots) == count or (plan.waiting and plan.waiting.slots == count - len(slots))


def test_locality_wins() -> None:
    there = reading(CAT, data=(DataEntry("/data/readings.csv", 20_000_000),), rtt_ms=30.0)
    perhaps = [reading(node, data=(DataEntry("/data", 10**9),)) for node in (ANN, BEN)]
    owner = Owner(spec(inputs=(LOCAL,)), *perhaps, there)
    (placement,) = owner.act().placements
    assert placement.node == CAT
    assert [node for node, _ in placement.next_best] in ([ANN, BEN], [BEN, ANN])
    assert placement.score > placement.next_best[0][1]
    assert max(placement.reasons, key=lambda part: placement.reasons[part]) == "locality"


def test_slots_are_spread_over_equal_nodes_and_refusals_are_counted() -> None:
    nodes = [*(reading(node) for node in (ANN, BEN, CAT)), reading(NODES[3], engines=())]
    plan = Owner(SMALL, *nodes, count=3).act()
    assert {one.node for one in plan.placements} == {ANN, BEN, CAT}
    assert all(one.refusals == {"engine_missing": 1} for one in plan.placements)
    assert plan.waiting is None


def test_ties_between_equal_nodes_fall_to_each_of_them() -> None:
    index = index_of(*(reading(node) for node in NODES))
    plans = [decide(started_job(1), SMALL, index, seed=seed) for seed in range(60)]
    assert {plan.placements[0].node for plan in plans} == set(NODES)


def test_a_record_of_a_placement_stays_below_2_kib() -> None:
    nodes = [node_id_from_bytes(number.to_bytes(16, "big")) for number in range(40)]
    readings = [
        reading(node, engines=() if place % 2 else ("wasm",)) for place, node in enumerate(nodes)
    ]
    (placement,) = decide(started_job(1), SMALL, index_of(*readings), seed=1).placements
    assert len(placement.next_best) == 5
    fields = {name: getattr(placement, name) for name in Placement.__dataclass_fields__}
    about = {"job": JOB, "birth": Dot(ANN, 1, 1), "version": Dot(ANN, 1, 2), "term": 1}
    record = Record(Kind.ATTEMPT_PLACED, Hlc(1), None, fields | about)
    assert len(encode_record(record)) < 2048


@pytest.mark.parametrize(
    ("nodes", "refusal", "possible"),
    [
        ([], None, False),
        ([{"engines": ()}], Refusal.ENGINE_MISSING, False),
        ([{"roles": ()}], Refusal.NOT_COMPUTE, False),
        ([{"reachable": False}], Refusal.UNREACHABLE, True),
        ([{"intent": "cordoned"}, {"engines": ()}], Refusal.CORDONED, True),
        ([{"engines": (), "reachable": False}], Refusal.ENGINE_MISSING, False),
    ],
)
def test_p39_waiting_says_why_and_if_it_could_help(
    nodes: list[dict[str, Any]], refusal: Refusal | None, possible: bool
) -> None:
    readings = [reading(node, **fields) for node, fields in zip(NODES, nodes, strict=False)]
    plan = Owner(SMALL, *readings, count=2).act()
    assert plan.waiting is not None
    assert not plan.placements
    assert (plan.waiting.slots, plan.waiting.possible) == (2, possible)
    assert [one.node for one in plan.waiting.verdicts] == [one.node for one in readings]
    assert refusal is None or plan.waiting.verdicts[0].refusal is refusal


def test_a_limit_is_no_reason_to_wait() -> None:
    owner = Owner(SMALL, reading(BEN), count=12)
    plans = [owner.act(limit=5) for _ in range(3)]
    assert [len(plan.placements) for plan in plans] == [5, 5, 2]
    assert {plan.waiting for plan in plans} == {None}


def test_an_infrastructure_failure_is_retried_on_another_node_within_the_budget() -> None:
    owner = Owner(SMALL, reading(BEN), reading(CAT))
    nodes = []
    for _ in range(3):
        (placement,) = owner.act().placements
        nodes.append(placement.node)
        assert placement.number == len(nodes)
        owner.hear(A.FAILED, reason="node_restart")
    assert set(nodes[:2]) == {BEN, CAT}
    assert owner.act() == Plan()
    assert owner.job.state() is JobState.FAILED


@pytest.mark.parametrize(("retry_program", "attempts"), [(0, 1), (1, 3)])
def test_a_programs_own_failure_is_retried_only_where_asked(
    retry_program: int, attempts: int
) -> None:
    owner = Owner(SMALL, reading(BEN), retry_program=retry_program)
    placed = 0
    while owner.act().placements:
        placed += 1
        owner.hear(A.FAILED, reason="exit_code")
        assert placed < 20
    assert placed == attempts


def test_a_refusal_costs_nothing_and_another_node_is_tried_first() -> None:
    owner = Owner(SMALL, reading(BEN), reading(CAT), retry_attempts=1)
    (first,) = owner.act().placements
    owner.hear(A.REFUSED, reason="capacity")
    (second,) = owner.act().placements
    assert {first.node, second.node} == {BEN, CAT}


def test_refusals_for_want_of_room_end_and_begin_anew_when_room_is_made() -> None:
    owner = Owner(SMALL, reading(BEN), count=2)
    owner.act(limit=1)
    (running,) = owner.job.live_attempts()
    owner.ledger.observe(owner.birth, running.id, BEN, A.RUNNING)
    owner.catch_up()
    for _ in range(ASK_AGAIN):
        (placement,) = owner.act().placements
        owner.ledger.observe(owner.birth, placement.attempt, BEN, A.REFUSED, reason="queue_full")
        owner.catch_up()
    plan = owner.act()
    assert not plan.placements
    assert plan.waiting is not None
    assert plan.waiting.possible
    assert [one.refusal for one in plan.waiting.verdicts] == [Refusal.REFUSED_BEFORE]
    owner.ledger.observe(owner.birth, running.id, BEN, A.SUCCEEDED)
    owner.catch_up()
    assert len(owner.act().placements) == 1


def test_a_node_that_cancels_unasked_is_left_alone_in_the_end() -> None:
    owner = Owner(SMALL, reading(BEN))
    placed = 0
    while owner.act().placements:
        placed += 1
        owner.hear(A.CANCELLED)
        assert placed < 50
    assert placed == ASK_AGAIN


def test_a_refusal_about_the_node_bars_it_for_all_slots_until_its_offer_changes() -> None:
    owner = Owner(SMALL, reading(BEN), count=3)
    owner.act(limit=1)
    owner.hear(A.REFUSED, reason="policy")
    plan = owner.act()
    assert plan.waiting is not None
    assert (plan.waiting.slots, plan.waiting.verdicts[0].refusal) == (3, Refusal.REFUSED_BEFORE)
    owner.index.set_reading(reading(BEN, labels={"new": "1"}), heard=Hlc(owner.ledger.hlc + 1))
    assert len(owner.act().placements) == 3


def test_p7_everything_live_of_a_stopped_job_is_stopped_once() -> None:
    owner = Owner(SMALL, reading(BEN), count=2)
    placed = sorted(one.attempt for one in owner.act().placements)
    owner.ledger.stop(owner.birth)
    owner.catch_up()
    assert owner.act() == Plan(stops=tuple((one, "job_stopped") for one in placed))
    assert owner.act() == Plan()


def test_p10_attempts_of_a_superseded_version_are_stopped_and_its_slots_placed_anew() -> None:
    owner = Owner(SMALL, reading(BEN))
    (old,) = owner.act().placements
    owner.version = owner.ledger.version(owner.birth, number=2)
    owner.catch_up()
    plan = owner.act()
    assert plan.stops == ((old.attempt, "superseded"),)
    assert [one.number for one in plan.placements] == [1]


def test_p2_the_other_attempts_of_a_done_slot_are_stopped() -> None:
    owner = Owner(SMALL, reading(BEN), count=2)
    first, _ = owner.act().placements
    owner.ledger.place(owner.birth, owner.version, attempt_id(9), CAT, index=first.index, number=2)
    owner.ledger.observe(owner.birth, first.attempt, BEN, A.SUCCEEDED)
    owner.catch_up()
    assert owner.act().stops == ((attempt_id(9), "already_done"),)
    assert owner.act().stops == ()


def test_a_node_that_knows_an_accepted_success_starts_nothing_for_that_slot() -> None:
    owner = Owner(SMALL, reading(BEN))
    owner.act()
    owner.hear(A.SUCCEEDED)
    assert owner.act() == Plan()


def test_nothing_is_placed_without_a_version() -> None:
    ledger = Ledger()
    ledger.claim(ledger.birth())
    job = ledger.view().jobs[JOB]
    assert decide(job, SMALL, index_of(reading(BEN)), seed=1) == Plan()


def test_verdicts_score_those_who_may_and_name_why_not() -> None:
    index = index_of(reading(BEN), reading(CAT, engines=()))
    may, may_not = verdicts(started_job(1), SMALL, index)
    assert (may.node, may.refusal) == (BEN, None)
    assert may.score == sum(may.reasons.values()) > 0
    assert (may_not.refusal, may_not.score) == (Refusal.ENGINE_MISSING, 0)


@pytest.mark.parametrize("seed", range(30))
def test_i18_every_job_ends_when_nodes_refuse_fail_and_finish_by_chance(seed: int) -> None:
    random = Random(seed)
    owner = Owner(SMALL, *(reading(node) for node in NODES[:3]), count=25, retry_attempts=9)
    for _ in range(2000):
        owner.act()
        live = list(owner.job.live_attempts())
        if not live:
            break
        one = random.choice(live)
        state = random.choice((A.RUNNING, A.RUNNING, A.SUCCEEDED, A.SUCCEEDED, A.REFUSED, A.FAILED))
        reason = {A.REFUSED: "queue_full", A.FAILED: "engine"}.get(state, "")
        owner.ledger.observe(owner.birth, one.id, one.node, state, reason=reason)
        owner.catch_up()
    assert owner.job.state() in (JobState.COMPLETED, JobState.FAILED)
    assert not owner.index.load(BEN).live_count


def test_a_decision_about_many_slots_reads_only_those_it_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []
    attempts_of = JobView.slot_attempts

    def counted(job: JobView, version: Dot, index: int) -> list[Any]:
        read.append(index)
        return attempts_of(job, version, index)

    monkeypatch.setattr(JobView, "slot_attempts", counted)
    owner = Owner(SMALL, reading(BEN), count=5000)
    for _ in range(20):
        placed = len(owner.act().placements)
        assert len(read) <= placed + 1
        read.clear()
        owner.hear(A.SUCCEEDED)
