from __future__ import annotations

from pathlib import Path

from mesh.edge.cli.docs import cli_page

PAGE = Path(__file__).parents[4] / "docs" / "cli.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == cli_page(), "run `make docs`"
