from __future__ import annotations

import pytest

from mesh.edge.palette import MONOCHROME, PALETTE, palette, rich_line
from mesh.edge.render_columns import STYLES


def test_every_style_word_has_a_look_in_both() -> None:
    assert set(STYLES) <= set(PALETTE) == set(MONOCHROME)


def test_monochrome_has_no_colour() -> None:
    assert [word for word, style in MONOCHROME.items() if style.color or style.bgcolor] == []


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert palette() is MONOCHROME
    monkeypatch.delenv("NO_COLOR")
    assert palette() is PALETTE


def test_markup_is_text() -> None:
    assert rich_line([("[red]x[/red]", "bad")], PALETTE).plain == "[red]x[/red]"
