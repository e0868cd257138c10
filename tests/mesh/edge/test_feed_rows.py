"""Rows have the fields that they are declared with: those of the fixtures do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from mesh.edge import feed_rows
from tests.mesh.edge.feed_server import fixture_frames

TABLES = {
    "Nodes": feed_rows.NodeRow,
    "Jobs": feed_rows.JobRow,
    "Executions": feed_rows.ExecutionRow,
    "Events": feed_rows.EventRow,
}


def rows(name: str) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    for frame in fixture_frames(name):
        data = frame["data"]
        if "Mesh" in data:
            yield feed_rows.MeshRow, data["Mesh"]
        for key, kind in TABLES.items():
            yield from ((kind, row) for row in data.get(key, ()))


@pytest.mark.parametrize("name", ["calm", "split", "healed"])
def test_fixtures_have_every_field_and_no_other(name: str) -> None:
    for kind, row in rows(name):
        assert set(row) == set(kind.__annotations__), (kind.__name__, row)
