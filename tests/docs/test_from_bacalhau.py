"""`docs/from-bacalhau.md` names a test for each of its lines, and each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "from-bacalhau.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("path", "test"), NAMED, ids=lambda part: part.rpartition("/")[2])
def test_a_named_test_is_there(path: str, test: str) -> None:
    source = (ROOT / path).read_text()
    assert f"def {test}(" in source if test else "def test_" in source


def test_every_line_but_the_missing_names_one() -> None:
    held, _, _ = PAGE.partition("## Missing today")
    rows = [line for line in held.splitlines() if line.startswith("| ")]
    bare = [row for row in rows if "`tests/" not in row and "---" not in row]
    assert [row for row in bare if not row.endswith("held by |")] == []
