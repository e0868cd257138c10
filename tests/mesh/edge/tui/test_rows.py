from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.render_columns import Column
from mesh.edge.tui.rows import Rows

BY_NAME = Column("NAME", lambda r, _: (r["Name"], ""), lambda r: r["Name"], 4)
BY_SIZE = Column("SIZE", lambda r, _: ("", ""), lambda r: -r["Priority"], 4)
NAMES = st.sampled_from(["alpha", "beta", "gamma beta", "delta"])
ROWS = st.fixed_dictionaries({"Name": NAMES, "Priority": st.integers(0, 3)})
IDS = st.sampled_from([f"j-{number}" for number in range(8)])


def ids(rows: Rows) -> list[str]:
    return [rows.at(at) for at in range(len(rows))]


@given(
    st.dictionaries(IDS, ROWS),
    st.lists(st.tuples(IDS, st.none() | ROWS)),
    st.sampled_from([BY_NAME, BY_SIZE]),
    st.booleans(),
    st.sampled_from(["", "beta", "BETA gam"]),
)
def test_one_by_one_is_as_all_anew(
    first: dict[str, Any],
    changes: list[tuple[str, Any]],
    column: Column,
    reverse: bool,
    words: str,
) -> None:
    table = dict(first)
    rows = Rows(column)
    rows.fill(table)
    rows.filter(words)
    rows.sort(column, reverse=reverse)
    for one, row in changes:
        if row is None:
            table.pop(one, None)
        else:
            table[one] = row
        rows.change([one])
    anew = Rows(column)
    anew.fill(table)
    anew.filter(words)
    anew.sort(column, reverse=reverse)
    assert ids(rows) == ids(anew)
    assert [rows.index(one) for one in ids(rows)] == list(range(len(rows)))
    assert all(rows.index(one) == -1 for one in set(table) - set(ids(rows)))


def test_only() -> None:
    rows = Rows(BY_NAME)
    rows.only(lambda row: row["Priority"] > 1)
    table = {"a": {"Name": "x", "Priority": 1}, "b": {"Name": "y", "Priority": 2}}
    rows.fill(table)
    assert ids(rows) == ["b"]
    table["a"] = {"Name": "x", "Priority": 3}
    rows.change(["a"])
    assert ids(rows) == ["a", "b"]
