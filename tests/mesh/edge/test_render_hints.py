from __future__ import annotations

from mesh.edge.render_columns import line_text
from mesh.edge.render_hints import ACTIONS, COMMON, help_lines, keys_line, tab_at, tabs_line
from mesh.edge.render_top import TABS

COUNTS = [5, 10_000, 30, 100]


def test_tabs_are_where_the_mouse_finds_them() -> None:
    text = line_text(tabs_line("jobs", COUNTS, "fft"))
    assert text == " 1 Nodes 5   2 Jobs 10000   3 Executions 30   4 Events 100   only: fft"
    for name in TABS:
        assert tab_at(text.index(name.capitalize()), COUNTS) == name
    assert tab_at(79, COUNTS) == ""


def test_everything_fits_in_80_columns_and_23_lines() -> None:
    lines = [line_text(one) for one in help_lines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 20
    for pairs in ACTIONS.values():
        assert len(line_text(keys_line((*pairs, *COMMON)))) <= 80


def test_help_names_every_key_that_the_hints_do() -> None:
    text = "\n".join(line_text(one) for one in help_lines())
    for key, _ in (*COMMON, *(pair for pairs in ACTIONS.values() for pair in pairs)):
        assert key == "?" or f" {key} " in text
