from __future__ import annotations

import pytest

from mesh.edge.render_columns import line_text
from mesh.edge.render_hints import ACTIONS, COMMON, help_lines, keys_line, tab_at, tabs_line
from mesh.edge.render_top import TABS

COUNTS = [5, 10_000, 30, 100]


def test_tabs_are_where_the_mouse_finds_them() -> None:
    text = line_text(tabs_line("jobs", COUNTS, "fft", 80))
    assert text == " 1 Nodes 5   2 Jobs 10000   3 Executions 30   4 Events 100   only: fft"
    for name in TABS:
        assert tab_at(text.index(name.capitalize()), COUNTS, 80) == name
    assert tab_at(79, COUNTS, 80) == ""


def test_everything_fits_in_80_columns_and_23_lines() -> None:
    lines = [line_text(one) for one in help_lines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 20
    for pairs in ACTIONS.values():
        assert len(line_text(keys_line((*pairs, *COMMON), 80))) <= 80


def test_help_names_every_key_that_the_hints_do() -> None:
    text = "\n".join(line_text(one) for one in help_lines())
    for key, _ in (*COMMON, *(pair for pairs in ACTIONS.values() for pair in pairs)):
        assert key == "?" or f" {key} " in text


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (66, " 1 Nodes 5   2 Jobs 10000   3 Executions 30   4 Events 100"),
        (57, " 1 Nodes   2 Jobs   3 Executions   4 Events"),
        (40, "1 Nodes 2 Jobs 3 Executions 4 Events"),
        (10, "1 Nodes 2 Jobs 3 Executions 4 Events"),
    ],
)
def test_tabs_say_less_where_there_is_little_room(width: int, text: str) -> None:
    assert line_text(tabs_line("jobs", COUNTS, "", width)) == text
    for name in TABS:
        assert tab_at(text.index(name.capitalize()), COUNTS, width) == name


@pytest.mark.parametrize(
    ("width", "keys"),
    [
        (80, ["Enter", "x", "r", "/", "s", "?", "q"]),
        (43, ["Enter", "x", "?", "q"]),
        (40, ["Enter", "?", "q"]),
        (18, ["?", "q"]),
    ],
)
def test_the_way_out_and_to_help_are_always_told(width: int, keys: list[str]) -> None:
    line = keys_line((*ACTIONS["jobs"], *COMMON), width)
    assert [text.strip() for text, style in line if style == "key"] == keys
    assert len(line_text(line)) <= width
