"""One measured figure, its floor, and how a table of them is printed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of this run; `floor` is the worst value that passes, None where none is set."""

    name: str
    value: float | None
    """None where it could not be measured; `note` says why."""
    unit: str
    floor: float | None
    better: Literal["more", "less"]
    peer: str = ""
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether the figure is on the wrong side of its floor, or was wanted and is not there."""
        if self.floor is None:
            return False
        if self.value is None:
            return True
        return self.value < self.floor if self.better == "more" else self.value > self.floor

    def document(self) -> dict[str, object]:
        """As it stands in build/bench.json."""
        return asdict(self)


def long_rows() -> bool:
    """Whether rows that take minutes are wanted (LONG=1)."""
    return os.environ.get("LONG", "") not in ("", "0")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def table(figures: Iterable[Figure]) -> Iterator[str]:
    """Lines of text, one per figure under a head; a missed floor is marked."""
    rows = [("figure", "value", "unit", "floor", "peer", "note")]
    for one in figures:
        sign = "" if one.floor is None else ">= " if one.better == "more" else "<= "
        name = f"{one.name}  MISSED" if one.missed else one.name
        value = "-" if one.value is None else _number(one.value)
        rows.append((name, value, one.unit, sign + _number(one.floor), one.peer, one.note))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if column == 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
