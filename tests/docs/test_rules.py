"""`docs/merge-rules.md` and `docs/invariants.md` name every rule, and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scheduler.policy import (
    DEFAULT_RECONCILE,
    REPLACE_CONTAINER_S,
    REPLACE_PROCESS_S,
    REPLACE_WAN_S,
    RUNNING_ORDERS,
)

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "docs" / "merge-rules.md").read_text()
INVARIANTS = (ROOT / "docs" / "invariants.md").read_text()
CITED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", RULES + INVARIANTS)))


@pytest.mark.parametrize(("page", "letter", "count"), [(RULES, "P", 40), (INVARIANTS, "I", 21)])
def test_each_number_has_its_line_with_tests_or_a_plain_no(
    page: str, letter: str, count: int
) -> None:
    lines = re.findall(rf"^\| ({letter}\d+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert [number for number, _ in lines] == [f"{letter}{one}" for one in range(1, count + 1)]
    for number, shown in lines:
        assert shown == "not yet" or "::" in shown, number


@pytest.mark.parametrize(("file", "test"), CITED, ids=[test for _, test in CITED])
def test_a_test_that_is_cited_is_there(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE), file


def test_defaults_and_policies_are_those_of_the_code() -> None:
    assert f"| {REPLACE_PROCESS_S:g} s; none when the node's process" in RULES
    assert f"| {REPLACE_CONTAINER_S:g} s |" in RULES
    assert f"| {REPLACE_WAN_S:g} s; none as above |" in RULES
    assert set(re.findall(r"^\| `(\w+)`(?: \(default\))? \|", RULES, re.MULTILINE)) >= set(
        RUNNING_ORDERS
    )
    assert f"`{DEFAULT_RECONCILE}` (default)" in RULES
