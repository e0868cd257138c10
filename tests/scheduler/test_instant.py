"""The hybrid clock: strictly growing, following peers within bounds."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scheduler.instant import MAX_DRIFT_MS, Hlc, HybridClock, Instant, hlc_wall_ms

walls = st.integers(min_value=-10_000, max_value=4_000_000_000_000)


@given(st.lists(walls, min_size=2, max_size=30))
def test_readings_strictly_grow_however_the_wall_clock_jumps(jumps: list[int]) -> None:
    clock = HybridClock()
    readings = [clock.tick(Instant(0.0, wall)) for wall in jumps]
    assert all(one < other for one, other in pairwise(readings))


@given(walls.filter(lambda wall: wall > 0))
def test_a_reading_tells_the_wall_time(wall: int) -> None:
    assert hlc_wall_ms(HybridClock().tick(Instant(0.0, wall))) == wall


def test_a_peer_a_little_ahead_is_passed() -> None:
    clock = HybridClock()
    heard = Hlc((1_000_000 + MAX_DRIFT_MS) << 16)
    assert clock.follow(heard, Instant(0.0, 1_000_000))
    assert clock.tick(Instant(0.0, 1_000_000)) > heard


def test_a_peer_a_year_ahead_is_not_followed() -> None:
    clock = HybridClock()
    assert not clock.follow(Hlc(2_000_000 << 16), Instant(0.0, 1_000_000))
    assert hlc_wall_ms(clock.tick(Instant(0.0, 1_000_000))) == 1_000_000


def test_a_peer_behind_changes_nothing() -> None:
    clock = HybridClock(Hlc(10 << 16))
    assert clock.follow(Hlc(1), Instant(0.0, 5))
    assert clock.last == 10 << 16
