"""The set of a job's records is what a dictionary of them would be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scheduler.dots import Dots
from scheduler.ids import Dot
from scheduler.instant import Hlc
from scheduler.records import MAX_COUNTER, MAX_HLC
from tests.scheduler.histories import ANN, BEN, CAT

dots = st.builds(
    Dot,
    st.sampled_from([ANN, BEN, CAT]),
    st.sampled_from([1, 2, (1 << 64) - 1]),
    st.integers(1, 12) | st.just(MAX_COUNTER),
)


@given(st.lists(st.tuples(dots, st.integers(0, 9) | st.just(MAX_HLC)), max_size=60))
def test_it_is_the_dictionary_of_what_came_first(added: list[tuple[Dot, int]]) -> None:
    kept, model = Dots(), dict[Dot, int]()
    for dot, hlc in added:
        assert kept.add(dot, Hlc(hlc)) == (dot not in model)
        model.setdefault(dot, hlc)
    assert len(kept) == len(model)
    assert set(kept) == set(model)
    assert {dot: hlc for hlc, dot in kept.items()} == model
    assert kept.in_order() == sorted(model, key=lambda one: (model[one], one))
    for dot, _ in added:
        assert kept.hlc(dot) == model[dot]


@given(st.lists(dots, max_size=20), dots)
def test_what_is_not_in_it_has_no_reading(added: list[Dot], other: Dot) -> None:
    kept = Dots()
    for dot in added:
        kept.add(dot, Hlc(1))
    assert (other in kept) == (other in added)
    assert kept.hlc(other) == (1 if other in added else None)
