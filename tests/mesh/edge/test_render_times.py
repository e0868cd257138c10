from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.render_times import (
    age_text,
    ago_text,
    clock_text,
    day_or_clock_text,
    exact_text,
    span_text,
)

NOW_MS = 1_795_600_000_000
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (-5, "0 s"),
        (999, "0 s"),
        (8_400, "8 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (3_599_999, "59 min"),
        (3_600_000, "1 h"),
        (DAY_MS, "1 day"),
        (2 * DAY_MS, "2 days"),
        (365 * DAY_MS, "1 year"),
        (900 * DAY_MS, "2 years"),
    ],
)
def test_span(span_ms: int, text: str) -> None:
    assert span_text(span_ms) == text


def test_ago() -> None:
    assert ago_text(NOW_MS - 180_000, NOW_MS) == "3 min ago"
    assert ago_text(NOW_MS - 900, NOW_MS) == "now"
    assert ago_text(NOW_MS + 60_000, NOW_MS) == "now"
    assert ago_text(0, NOW_MS) == "-"


def test_age() -> None:
    assert age_text(NOW_MS - 61_000, NOW_MS) == "1 min"
    assert age_text(0, NOW_MS) == "-"


def test_exact() -> None:
    assert exact_text(NOW_MS) == "2026-11-25 09:46:40"
    assert clock_text(NOW_MS) == "09:46:40"
    assert exact_text(0) == clock_text(0) == "-"


def test_the_day_of_what_is_not_of_today() -> None:
    assert day_or_clock_text(NOW_MS - 3_600_000, NOW_MS) == "08:46:40"
    assert day_or_clock_text(NOW_MS - DAY_MS, NOW_MS) == "Nov 24"
    assert day_or_clock_text(0, NOW_MS) == "-"


@given(st.integers())
def test_any_number_of_a_stranger_has_a_text(time_ms: int) -> None:
    assert exact_text(time_ms)
    assert clock_text(time_ms)
    assert len(age_text(time_ms, NOW_MS)) > 0
