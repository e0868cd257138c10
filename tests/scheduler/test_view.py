"""The fold: any order of the same records gives the same view."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import view as view_module
from scheduler.ids import Dot, named_job_id
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, JobState, Resources
from scheduler.records import Kind, Record
from scheduler.settled import rests_on
from scheduler.slots import SlotTable
from scheduler.view import View
from tests.scheduler.histories import (
    ANN,
    BEN,
    CAT,
    JOB,
    NODES,
    OTHER_JOB,
    Fact,
    Ledger,
    attempt_id,
    fold,
    random_history,
)

A = AttemptState


def answers(view: View) -> list[object]:
    """What doors would be told of every job and node."""
    told: list[object] = [sorted(view.attempts)]
    for job in sorted(view.jobs.values(), key=lambda one: one.id):
        told += [job.id, job.name, job.birth, job.state(), job.message(), job.summary()]
        told += [job.revision, job.created_hlc, job.modified_hlc, job.owner, job.stopped()]
        told += [list(job.open_indexes()), job.open_count(), list(job.live_attempts())]
        told += [[job.accepted(index) for index in range(4)], +job.live_by_node]
        told += [
            [job.slot_attempts(one, index) for one in sorted(job.versions) for index in (0, 1)]
        ]
        told += [[one.id for one in job.slots.duplicates()], +job.refusals_by_node]
        told += [
            list(job.slots.crowded()),
            job.slots.duplicate_count(),
            job.expired(),
            job.rumoured(),
        ]
        told += [[job.slots.successes(index) for index in range(4)], rests_on(job)]
        told += [sorted(one.id for one in job.slots.waiting())]
    told += [[list(view.live_on(node)), view.used(node)] for node in NODES]
    told += [one.id for one in view.by_creation()]
    return told


@pytest.mark.parametrize("seed", [55, 124, 21414])
def test_a_placement_that_gave_way_leaves_no_trace_in_its_slot(seed: int) -> None:
    facts = random_history(seed)
    for shuffle in range(10):
        other = list(facts)
        Random(shuffle).shuffle(other)
        assert answers(fold(other)) == answers(fold(facts))


@given(seed=st.integers(0, 10**9), order=st.randoms(use_true_random=False))
def test_i1_i2_any_order_with_duplicates_gives_the_same_view(seed: int, order: Random) -> None:
    facts = random_history(seed)
    shuffled = facts + [fact for fact in facts if order.random() < 0.3]
    order.shuffle(shuffled)
    one, other = fold(facts), fold(shuffled)
    assert one.digest() == other.digest()
    assert answers(one) == answers(other)


def test_i1_a_view_that_lacks_any_one_record_has_another_digest() -> None:
    facts = random_history(7)
    whole = fold(facts).digest()
    for gone in range(len(facts)):
        assert fold(facts[:gone] + facts[gone + 1 :]).digest() != whole


@given(seed=st.integers(0, 10**9), order=st.randoms(use_true_random=False))
def test_i7_terminal_sticks_and_i6_accepted_only_improves(seed: int, order: Random) -> None:
    facts = random_history(seed)
    order.shuffle(facts)
    view = View()
    ended: dict[str, AttemptState] = {}
    best: dict[object, tuple[int, int, str]] = {}
    for dot, record in facts:
        view.apply(dot, record)
        for attempt in view.attempts.values():
            key = f"{attempt.placed}"
            assert attempt.state >= ended.get(key, A.ASSIGNED) or not ended[key].terminal
            if attempt.state.terminal:
                ended[key] = attempt.state
        for job in view.jobs.values():
            for index in range(3 if job.version else 0):
                found = job.accepted(index)
                if found is None or job.version is None:
                    continue
                slot = (job.id, job.version.dot, index)
                order_key = (found.completed_hlc, found.term, found.id)
                if record.kind == Kind.ATTEMPT_OBSERVED:
                    assert order_key <= best.get(slot, order_key)
                best[slot] = order_key


@given(seed=st.integers(0, 10**9))
def test_i5_accepted_is_the_arg_min_over_successes_of_the_winning_version(seed: int) -> None:
    """P1, P4: `first_complete`, by completion HLC, term, attempt id."""
    facts = random_history(seed)
    view = fold(facts)
    for job in view.jobs.values():
        assert job.version is not None
        for index in range(job.version.count):
            done = {
                (min(hlcs), one.term, one.id)
                for one in job.attempts.values()
                if (one.version, one.index) == (job.version.dot, index)
                and (hlcs := _successes(facts, job.births, one.id, one.node))
            }
            found = job.accepted(index)
            key = None if found is None else (found.completed_hlc, found.term, found.id)
            assert key == min(done, default=None)


def _successes(facts: list[Fact], births: object, attempt: str, node: str) -> list[int]:
    return [
        record.hlc
        for dot, record in facts
        if record.kind == Kind.ATTEMPT_OBSERVED
        and record.body["attempt"] == attempt
        and record.body["birth"] in births  # type: ignore[operator]
        and record.body["state"] == A.SUCCEEDED
        and dot.author == node
    ]


@given(seed=st.integers(0, 10**9))
def test_incremental_answers_are_those_of_a_walk_over_all_slots(seed: int) -> None:
    for job in fold(random_history(seed)).jobs.values():
        assert job.version is not None
        slots = [job.slot_attempts(job.version.dot, index) for index in range(job.version.count)]
        done = [any(one.state is A.SUCCEEDED for one in slot) for slot in slots]
        busy = [any(one.live for one in slot) for slot in slots]
        assert job.summary()["done"] == sum(done)
        opened = [index for index in range(len(slots)) if not done[index] and not busy[index]]
        assert set(job.open_indexes()) <= set(opened)
        assert job.open_count() == len(list(job.open_indexes()))
        assert sum(job.summary().values()) == job.version.count
        live = list(job.live_attempts())
        assert sum(job.live_by_node.values()) == len(live)
        for node in {one.node for one in job.attempts.values()}:
            assert job.live_on(node) == [one for one in live if one.node == node]
        if job.state() is JobState.COMPLETED:
            assert all(done)


def test_i8_only_the_target_is_heard() -> None:
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), CAT, A.SUCCEEDED)
    ledger.observe(birth, attempt_id(1), ANN, A.FAILED)
    assert ledger.view().attempts[attempt_id(1)].state is A.ASSIGNED


def test_i8_a_placement_counts_once_its_author_has_claimed_that_term() -> None:
    ledger = Ledger()
    birth = ledger.birth()
    version = ledger.version(birth)
    ledger.claim(birth, ANN, term=1)
    ledger.place(birth, version, attempt_id(1), CAT, author=BEN, term=2)
    ledger.observe(birth, attempt_id(1), CAT, A.RUNNING)
    ledger.place(birth, version, attempt_id(2), CAT, author=ANN, term=2)
    assert ledger.view().attempts == {}
    ledger.claim(birth, BEN, term=2)
    view = ledger.view()
    assert list(view.attempts) == [attempt_id(1)]
    assert view.jobs[JOB].state() is JobState.RUNNING
    assert view.jobs[JOB].owner == (2, BEN)


def test_i8_a_stop_of_an_attempt_counts_only_from_a_node_that_claimed() -> None:
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.place(birth, version, attempt_id(1), CAT)
    ledger.ask_stop(birth, attempt_id(1), author=BEN, reason="mine now")
    assert ledger.view().attempts[attempt_id(1)].stop_reason == ""
    ledger.claim(birth, BEN, term=2)
    assert ledger.view().attempts[attempt_id(1)].stop_reason == "mine now"


def test_a_record_that_names_another_jobs_birth_is_ignored() -> None:
    ledger = Ledger()
    birth = ledger.birth()
    ledger.birth(job=OTHER_JOB)
    ledger.stop(birth, job=OTHER_JOB)
    view = ledger.view()
    assert not view.jobs[JOB].stops
    assert not view.jobs[OTHER_JOB].stops


def test_p34_records_of_an_unknown_birth_are_held_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(view_module, "MAX_HELD_RECORDS", 3)
    ledger = Ledger()
    birth = ledger.birth()
    for _ in range(5):
        ledger.stop(birth, author=BEN)
    ledger.stop(birth, author=CAT)
    view = View()
    for dot, record in [*ledger.facts[1:], *ledger.facts[1:4]]:
        assert view.apply(dot, record) is None
    assert view.dropped == 2
    assert view.apply(*ledger.facts[0]) == JOB
    assert len(view.jobs[JOB].stops) == 4
    for _ in range(3):
        ledger.stop(Dot(CAT, 1, 99), author=BEN)
        view.apply(*ledger.facts[-1])
    assert view.dropped == 2, "what was released leaves room again"


def test_p38_kinds_that_are_not_about_a_job_change_nothing() -> None:
    ledger = Ledger()
    ledger.birth()
    view = ledger.view()
    before = view.digest()
    later = Ledger()
    dot = later.write(BEN, Kind.EPOCH_OPENED, builds_on=(), version="1")
    assert view.apply(*later.facts[0]) is None
    assert view.apply(dot, Record(999, later.facts[0][1].hlc, None, {})) is None
    assert view.digest() == before


def test_apply_names_the_job_that_changed_and_says_nothing_twice() -> None:
    ledger = Ledger()
    ledger.started()
    view = View()
    assert [view.apply(*fact) for fact in ledger.facts] == [JOB] * 3
    assert [view.apply(*fact) for fact in ledger.facts] == [None] * 3


def test_touched_attempts_and_resources_follow_the_fold() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=2)
    for index in (0, 1):
        ledger.place(birth, version, attempt_id(index), BEN, index=index)
    ledger.observe(birth, attempt_id(0), BEN, A.RUNNING)
    view = ledger.view()
    assert {one.id for one in view.take_touched()} == {attempt_id(0), attempt_id(1)}
    assert view.take_touched() == ()
    view.set_resources(version, Resources(cpu_milli=500))
    assert {one.id for one in view.take_touched()} == {attempt_id(0), attempt_id(1)}
    assert view.used(BEN) == Resources(cpu_milli=500)
    assert [one.id for one in view.live_on(BEN)] == [attempt_id(0), attempt_id(1)]
    assert list(view.live_on(CAT)) == []
    assert {one.id for one in view.live()} == {attempt_id(0), attempt_id(1)}


def test_a_job_of_many_slots_costs_what_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every answer asked after every record, a slot is derived once per record about it."""
    derived: list[int] = []
    derive = SlotTable._derive

    def counted(table: SlotTable, index: int) -> None:
        derived.append(index)
        derive(table, index)

    monkeypatch.setattr(SlotTable, "_derive", counted)
    ledger = Ledger()
    birth, version = ledger.started(count=500)
    for index in range(500):
        ledger.place(birth, version, attempt_id(index), BEN, index=index)
        ledger.observe(birth, attempt_id(index), BEN, A.SUCCEEDED)
    view = View()
    for fact in ledger.facts:
        view.apply(*fact)
        view.jobs[JOB].state()
        next(view.jobs[JOB].open_indexes(), None)
    assert view.jobs[JOB].state() is JobState.COMPLETED
    assert len(derived) == 1000


@given(st.integers(0, 1 << 16), st.booleans())
def test_jobs_stand_in_the_order_of_their_first_births(seed: int, reverse: bool) -> None:
    chance = Random(seed)
    view, births = View(), list[tuple[Dot, Record]]()
    for number in range(1, 30):
        name = f"job-{chance.randrange(12)}"
        body = {"job": named_job_id("default", name), "namespace": "default", "name": name}
        record = Record(Kind.JOB_CREATED, Hlc(chance.randrange(40)), None, body)
        births.append((Dot(ANN, 1, number), record))
    for dot, record in births:
        view.apply(dot, record)
    if chance.random() < 0.5:
        del view.jobs[chance.choice(list(view.jobs))]
    places = sorted(((one.created_hlc, one.id) for one in view.jobs.values()), reverse=reverse)
    assert [(one.created_hlc, one.id) for one in view.by_creation(reverse=reverse)] == places
    after = (chance.randrange(40), chance.choice(sorted(view.jobs)))
    beyond = [one for one in places if (one < after if reverse else one > after)]
    found = view.by_creation(after=after, reverse=reverse)
    assert [(one.created_hlc, one.id) for one in found] == beyond
