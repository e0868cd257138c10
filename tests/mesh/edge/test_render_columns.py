from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.render import text_width
from mesh.edge.render_columns import (
    Column,
    Look,
    column_at,
    fit_line,
    head_line,
    lay_out,
    line_text,
    row_line,
    wrap_line,
)

LOOK = Look(1)


def column(title: str, least: int, most: int = 0, need: int = 0, **more: Any) -> Column:
    def cell(row: Any, _: Look) -> tuple[str, str]:
        return row[title], ""

    return Column(title, cell, lambda row: row[title], least, most, need, **more)


COLUMNS = (
    column("A", 4),
    column("B", 3, need=3),
    column("C", 5, 20),
    column("D", 3, need=2, right=True),
)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (10, [("A", 4), ("C", 5)]),
        (14, [("A", 4), ("C", 5), ("D", 3)]),
        (18, [("A", 4), ("B", 3), ("C", 5), ("D", 3)]),
        (24, [("A", 4), ("B", 3), ("C", 11), ("D", 3)]),
        (100, [("A", 4), ("B", 3), ("C", 20), ("D", 3)]),
        (3, [("A", 4), ("C", 5)]),
    ],
)
def test_columns_that_fit(width: int, shown: list[tuple[str, int]]) -> None:
    assert [(one.title, wide) for one, wide in lay_out(COLUMNS, width)] == shown


@pytest.mark.parametrize(("width", "shown"), [(20, 12), (15, 10), (11, 6), (10, 5), (9, 0), (4, 0)])
def test_a_column_that_shrinks_before_it_goes(width: int, shown: int) -> None:
    columns = (column("A", 4), column("B", 10, 12, need=1, tight=5))
    assert {one.title: wide for one, wide in lay_out(columns, width)}.get("B", 0) == shown


@pytest.mark.parametrize(
    ("width", "shown"), [(9, [3, 5]), (12, [6, 5]), (16, [9, 6]), (40, [10, 20])]
)
def test_what_tells_rows_apart_grows_first(width: int, shown: list[int]) -> None:
    columns = (column("A", 3, 10, first=8), column("B", 5, 20))
    assert [wide for _, wide in lay_out(columns, width)] == shown


def test_head_and_row_have_the_same_width() -> None:
    layout = lay_out(COLUMNS, 24)
    head = head_line(layout, "C", reverse=True)
    row = row_line(layout, {"A": "abcdefg", "B": "\x1b[31m", "C": "日本", "D": "7"}, LOOK)
    assert line_text(head) == "A    B   C▼            D"
    assert line_text(row) == "abc… \\x… 日本          7"
    assert {sum(text_width(text) for text, _ in line) for line in (head, row)} == {24}


def test_no_arrow_where_nothing_is_said_of_the_order() -> None:
    columns = (column("A", 4), column("", 1), column("C", 5))
    assert line_text(head_line(lay_out(columns, 24))) == "A      C"


def test_column_under_the_mouse() -> None:
    layout = lay_out(COLUMNS, 24)
    found = [column_at(layout, x) for x in (0, 4, 5, 9, 22, 23, 24, 99)]
    assert [one.title if one else "" for one in found] == ["A", "A", "B", "C", "D", "D", "D", ""]


@pytest.mark.parametrize(
    ("width", "text"),
    [(20, "one two"), (7, "one two"), (6, "one t…"), (4, "one…"), (1, "…"), (0, "")],
)
def test_fit(width: int, text: str) -> None:
    assert line_text(fit_line([("one ", "a"), ("two", "b")], width)) == text


@given(st.text(alphabet="ab 日", max_size=60), st.integers(8, 30), st.integers(0, 4))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int, indent: int) -> None:
    lines = wrap_line(text, width, indent=indent)
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_wrap() -> None:
    assert wrap_line("  one two three", 9, indent=4) == ["  one two", "    three"]
    assert wrap_line("", 9) == [""]
