from __future__ import annotations

import pytest

from mesh.edge.render_columns import Line
from mesh.edge.tui.drawn import difference

LINE: Line = [("abc", ""), (" ", ""), ("日本", "good"), (" ", ""), ("x", "bad")]


@pytest.mark.parametrize(
    ("new", "cells"),
    [
        ([("abd", ""), *LINE[1:]], (0, 3)),
        ([*LINE[:2], ("日日", "good"), *LINE[3:]], (4, 4)),
        ([*LINE[:4], ("x", "")], (9, 1)),
        ([("abd", ""), *LINE[1:4], ("y", "bad")], (0, 10)),
        ([*LINE[:2], ("日", "good"), *LINE[3:]], (4, 76)),
        (LINE[:3], (0, 80)),
    ],
)
def test_only_the_cells_that_differ(new: Line, cells: tuple[int, int]) -> None:
    region = difference(LINE, new, 3, 80)
    assert (region.y, region.height) == (3, 1)
    assert (region.x, region.width) == cells
