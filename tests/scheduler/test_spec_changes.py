from __future__ import annotations

from typing import Any

import pytest

from scheduler.spec_changes import MAX_SHOWN_CHARS, spec_changes

BEFORE: dict[str, Any] = {"Count": 1, "Labels": {"team": "field"}, "Tasks": [{"Args": ["a", "b"]}]}


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        (BEFORE, []),
        ({**BEFORE, "Count": 2}, ["Count: 1 -> 2"]),
        ({**BEFORE, "Labels": {}}, ['Labels.team: removed "field"']),
        ({**BEFORE, "Labels": {"team": "field", "a": "ü"}}, ['Labels.a: added "ü"']),
        (
            {**BEFORE, "Tasks": [{"Args": ["a", "c", "d"]}]},
            [
                'Tasks[0].Args[1]: "b" -> "c"',
                'Tasks[0].Args[2]: added "d"',
            ],
        ),
        ({**BEFORE, "Tasks": [{"Args": None}]}, ['Tasks[0].Args: ["a", "b"] -> null']),
    ],
)
def test_one_line_for_each_place(after: dict[str, Any], lines: list[str]) -> None:
    assert list(spec_changes(BEFORE, after)) == lines


def test_a_long_value_is_cut() -> None:
    [line] = spec_changes({"URL": "a"}, {"URL": "b" * 50_000})
    assert len(line) < 2 * MAX_SHOWN_CHARS
