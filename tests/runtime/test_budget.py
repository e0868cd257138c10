"""What fits at once, and who waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.budget import Budget
from scheduler.ids import AttemptId
from scheduler.jobs import Refusal, Resources

ONE = Resources(1000, 100)


def name(number: int) -> AttemptId:
    return AttemptId(f"e-{number}")


def test_reserve_until_full_then_queue_then_refuse():
    budget = Budget(Resources(2000, 1000), queue_slots=2)
    assert [budget.reserve(name(n), ONE) for n in range(3)] == [True, True, False]
    assert [budget.queue(name(n), ONE) for n in range(2, 5)] == [None, None, Refusal.QUEUE_FULL]
    assert budget.running == (name(0), name(1))
    assert budget.waiting == (name(2), name(3))
    assert budget.free == Resources(0, 800)


def test_what_can_never_fit_is_not_queued():
    assert Budget(ONE).queue(name(1), Resources(1001, 1)) is Refusal.TOO_LARGE


def test_asking_twice_counts_once():
    budget = Budget(ONE)
    assert budget.reserve(name(1), ONE)
    assert budget.reserve(name(1), ONE)
    assert budget.queue(name(1), ONE) is None
    assert not budget.waiting
    assert budget.used == ONE
    assert budget.queue(name(2), ONE) is None
    assert budget.queue(name(2), ONE) is None
    assert budget.waiting == (name(2),)


def test_release_admits_in_order():
    budget = Budget(Resources(2000, 1000))
    budget.reserve(name(1), ONE)
    budget.reserve(name(2), ONE)
    budget.queue(name(3), Resources(2000, 1))
    budget.queue(name(4), ONE)
    assert budget.release(name(1)) == (), "the large one is first, and does not fit yet"
    assert not budget.reserve(name(5), ONE), "nobody overtakes"
    assert budget.release(name(2)) == (name(3),)
    assert budget.release(name(3)) == (name(4),)


def test_release_of_one_that_waits_lets_the_next_in():
    budget = Budget(Resources(2000, 1000))
    budget.reserve(name(1), ONE)
    budget.queue(name(2), Resources(2000, 1))
    budget.queue(name(3), ONE)
    assert budget.release(name(2)) == (name(3),)
    assert budget.release(name(9)) == ()


def test_more_capacity_admits():
    budget = Budget(ONE)
    budget.reserve(name(1), ONE)
    budget.queue(name(2), ONE)
    assert budget.set_capacity(Resources(2000, 1000)) == (name(2),)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["reserve", "queue", "release"]),
            st.integers(0, 6),
            st.integers(1, 3000),
        )
    )
)
def test_never_more_than_there_is(steps):
    budget = Budget(Resources(3000, 1000), queue_slots=3)
    for what, number, cpu_milli in steps:
        wanted = Resources(cpu_milli, 1)
        if what == "release":
            budget.release(name(number))
        else:
            getattr(budget, what)(name(number), wanted)
        assert budget.used.fits(budget.capacity)
        assert len(budget.waiting) <= 3
        assert not set(budget.waiting) & set(budget.running)
    for attempt in (*budget.running, *budget.waiting):
        budget.release(attempt)
    for attempt in budget.running:
        budget.release(attempt)
    assert budget.used == Resources()
