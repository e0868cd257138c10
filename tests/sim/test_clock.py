from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from sim.clock import WALL_START_MS, Clock, MachineClock


@given(st.lists(st.floats(0, 100), max_size=30))
def test_things_happen_in_order_of_time_then_of_asking(times_s: list[float]) -> None:
    clock, done = Clock(), list[tuple[float, int]]()
    for number, at_s in enumerate(times_s):
        clock.at(at_s, partial(done.append, (at_s, number)))
    while clock.step(200.0):
        assert clock.now_s == done[-1][0]
    assert done == sorted((at_s, number) for number, at_s in enumerate(times_s))
    assert clock.now_s == 200.0


def test_nothing_beyond_the_limit_happens_and_what_is_late_happens_now() -> None:
    clock, done = Clock(), list[str]()
    clock.at(5.0, lambda: done.append("later"))
    assert not clock.step(4.0)
    assert (clock.now_s, done) == (4.0, [])
    clock.at(1.0, lambda: done.append("late"))
    assert clock.step(5.0)
    assert (clock.now_s, done) == (4.0, ["late"])
    clock.after(0.5, lambda: done.append("after"))
    while clock.step(10.0):
        pass
    assert done == ["late", "after", "later"]


def test_each_machine_has_clocks_of_its_own() -> None:
    world = Clock()
    clock = MachineClock(world, up_s=1000.0, wall_error_ms=-7)
    world.step(2.5)
    assert clock.now() == (1002.5, WALL_START_MS - 7 + 2500)
    assert clock.world_s(1004.0) == 4.0
