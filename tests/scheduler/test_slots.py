"""The slots of one version: which are open, done, failed, crowded."""

from __future__ import annotations

from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, JobState
from scheduler.lifecycle import SlotState
from tests.scheduler.histories import ANN, BEN, CAT, JOB, Ledger, attempt_id, fold

A = AttemptState


def test_open_slots_are_first_those_placed_before_then_the_untouched_in_order() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=6)
    for index in (4, 1, 0):
        ledger.place(birth, version, attempt_id(index), BEN, index=index)
    for index in (4, 0):
        ledger.observe(birth, attempt_id(index), BEN, A.REFUSED, reason="capacity")
    job = ledger.view().jobs[JOB]
    assert list(job.open_indexes()) == [0, 4, 2, 3, 5]
    assert job.slots.count(SlotState.OPEN) == 5


def test_a_version_that_comes_after_its_attempts_counts_them() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=2)
    ledger.place(birth, version, attempt_id(1), BEN, index=1)
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    late = ledger.facts.pop(1)
    job = fold([*ledger.facts, late]).jobs[JOB]
    assert job.summary() == {"done": 1, "running": 0, "waiting": 1, "failed": 0}


def test_attempts_beyond_the_count_of_their_version_are_kept_and_count_for_nothing() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=1)
    ledger.place(birth, version, attempt_id(1), BEN, index=7)
    ledger.observe(birth, attempt_id(1), BEN, A.FAILED, reason="trap")
    job = ledger.view().jobs[JOB]
    assert job.state() is JobState.QUEUED
    assert len(job.slot_attempts(version, 7)) == 1


def test_a_count_of_any_size_costs_nothing() -> None:
    ledger = Ledger()
    ledger.started(count=(1 << 53) - 1)
    job = ledger.view().jobs[JOB]
    assert next(job.open_indexes()) == 0
    assert job.open_count() == (1 << 53) - 1


def test_duplicates_are_the_live_attempts_of_a_done_slot() -> None:
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.claim(birth, CAT)
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.place(birth, version, attempt_id(2), CAT, author=CAT)
    assert ledger.view().jobs[JOB].slots.duplicates() == []
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    assert [one.id for one in ledger.view().jobs[JOB].slots.duplicates()] == [attempt_id(2)]
    ledger.observe(birth, attempt_id(2), CAT, A.CANCELLED)
    assert ledger.view().jobs[JOB].slots.duplicates() == []


def test_a_duplicate_that_gives_way_to_another_placement_is_none_any_more() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=2)
    old = ledger.version(birth, number=0)
    ledger.claim(birth, CAT)
    ledger.place(birth, old, attempt_id(2), BEN, author=ANN)
    lesser = ledger.facts.pop()
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.place(birth, version, attempt_id(2), CAT, author=CAT, index=0)
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    job = fold([*ledger.facts, lesser]).jobs[JOB]
    assert job.slots.duplicates() == []
    assert job.attempts[attempt_id(2)].version == old


def test_p17_the_last_failure_of_the_first_failed_slot_is_the_jobs_message() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=2, retry_attempts=2)
    for index, number in ((1, 1), (0, 1), (0, 2)):
        name = attempt_id(10 * index + number)
        ledger.place(birth, version, name, BEN, index=index, number=number)
        ledger.observe(
            birth, name, BEN, A.FAILED, reason="engine", message=f"slot {index}, attempt {number}"
        )
    job = ledger.view().jobs[JOB]
    assert (job.state(), job.message()) == (JobState.FAILED, "slot 0, attempt 2")


def test_a_cancelled_attempt_counts_as_begun_however_late_that_is_heard() -> None:
    ledger = Ledger()
    birth, version = ledger.started(retry_attempts=1)
    ledger.place(birth, version, attempt_id(1), BEN)
    accepted = ledger.observe(birth, attempt_id(1), BEN, A.ACCEPTED)
    ledger.observe(birth, attempt_id(1), BEN, A.CANCELLED)
    late = [one for one in ledger.facts if one[0] != accepted]
    view = fold(late)
    assert view.jobs[JOB].state() is JobState.QUEUED
    view.apply(*next(one for one in ledger.facts if one[0] == accepted))
    assert view.jobs[JOB].state() is JobState.FAILED


def test_crowded_slots_are_those_with_several_live_attempts_and_no_result() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=3)
    for number, index in ((1, 0), (2, 0), (3, 1), (4, 2), (5, 2)):
        ledger.place(birth, version, attempt_id(number), BEN, index=index, number=number)
    ledger.observe(birth, attempt_id(4), BEN, A.SUCCEEDED)
    slots = ledger.view().jobs[JOB].slots
    assert [[one.id for one in live] for live in slots.crowded()] == [
        [attempt_id(1), attempt_id(2)]
    ]
    assert [one.id for one in slots.duplicates()] == [attempt_id(5)]
    assert [one.id for one in slots.waiting()] == [attempt_id(3)]
    assert (slots.placed(), slots.state(0), slots.state(3)) == ([0, 1, 2], SlotState.ASSIGNED, None)
    ledger.observe(birth, attempt_id(2), BEN, A.REFUSED, reason="capacity")
    slots = ledger.view().jobs[JOB].slots
    assert list(slots.crowded()) == []
    assert sorted(one.id for one in slots.waiting()) == [attempt_id(1), attempt_id(3)]


def test_who_waits_since_before_a_time_is_found_whatever_was_asked_before() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=4)
    for index in range(3):
        ledger.place(birth, version, attempt_id(index), BEN, index=index)
    view = ledger.view()
    slots = view.jobs[JOB].slots
    placed = [view.attempts[attempt_id(index)].placed_hlc for index in range(3)]

    def waits(before: int) -> list[str]:
        return [one.id for one in slots.waiting(placed_before=Hlc(before))]

    assert waits(placed[0]) == []
    assert waits(placed[0] + 1) == [attempt_id(0)]
    ledger.observe(birth, attempt_id(0), BEN, A.ACCEPTED)
    view.apply(*ledger.facts[-1])
    assert waits(placed[1]) == []
    assert waits(placed[2] + 1) == [attempt_id(1), attempt_id(2)]
    assert waits(placed[2]) == [attempt_id(1)]


def test_an_attempt_whose_replacement_was_sent_back_is_not_replaced() -> None:
    ledger = Ledger()
    birth, version = ledger.started(retry_attempts=1)
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.RUNNING)
    for number, state in ((2, A.FAILED), (3, A.REFUSED)):
        ledger.place(birth, version, attempt_id(number), CAT, number=number)
        ledger.observe(birth, attempt_id(number), CAT, state, reason="engine")
    assert ledger.view().jobs[JOB].slots.state(0) is SlotState.FAILED
    two_back = [one for one in ledger.facts if one[1].body.get("attempt") != attempt_id(2)]
    assert fold(two_back).jobs[JOB].slots.state(0) is SlotState.ACTIVE
