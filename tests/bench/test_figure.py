"""A figure on the wrong side of its floor is seen, and marked in the table."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.bench.figure import Figure, table


@pytest.mark.parametrize(
    ("value", "floor", "better", "missed"),
    [
        (10, 10, "more", False),
        (9.9, 10, "more", True),
        (10, 10, "less", False),
        (10.1, 10, "less", True),
        (10, None, "less", False),
    ],
)
def test_floor(
    value: float, floor: float | None, better: Literal["more", "less"], missed: bool
) -> None:
    assert Figure("a", value, "ms", floor, better).missed is missed


def test_what_was_wanted_and_not_measured_is_missed() -> None:
    figure = Figure("takeover", None, "s", 2, "less", note="not within 30 s")
    assert figure.missed
    assert not Figure("takeover", None, "s", None, "less").missed
    line = list(table([figure]))[1]
    assert line.split(None, 2) == ["takeover", "MISSED", "-  s     <= 2         not within 30 s"]


def test_table_lines_up_and_marks() -> None:
    lines = list(
        table(
            [
                Figure("jobs", 2300, "jobs/s", 98, "more", peer="Bacalhau 98"),
                Figure("start", 0.25, "s", 0.09, "less"),
            ]
        )
    )
    assert lines == [
        "figure         value  unit    floor    peer         note",
        "jobs           2,300  jobs/s  >= 98    Bacalhau 98",
        "start  MISSED   0.25  s       <= 0.09",
    ]
