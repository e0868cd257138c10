"""The page of the live feed names every field, and no other, and the figures that hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mesh.edge import feed, feed_rows
from mesh.edge.http import watch, watch_job
from mesh.edge.http.openapi import QUERIES
from mesh.member import chronicle, watched

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "feed.md").read_text()
ROWS = {
    "Mesh": (feed_rows.MeshRow, feed_rows.UnreachableRow),
    "Nodes": (feed_rows.NodeRow, feed_rows.AmountsRow, feed_rows.DataRow),
    "Jobs": (feed_rows.JobRow,),
    "Executions": (feed_rows.ExecutionRow,),
    "Events": (feed_rows.EventRow,),
}
CAPITALISED = re.compile(r"`([A-Z]\w+)`")


def section(name: str) -> str:
    return PAGE.partition(f"\n### {name}\n")[2].partition("\n### ")[0]


@pytest.mark.parametrize("name", ROWS)
def test_every_field_and_no_other(name: str) -> None:
    fields = {field for row in ROWS[name] for field in row.__annotations__}
    told = set(CAPITALISED.findall(section(name)))
    states = {"Assigned", "Preparing", "Publishing", "Succeeded", "Refused", "Cancelled"}
    assert fields <= told
    assert told - fields <= states | {"Accepted", "Running", "Failed"}


def test_queries() -> None:
    told = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Frames")[0], re.MULTILINE)
    assert set(told) == set(QUERIES["/api/v1/mesh/watch"])


def test_figures() -> None:
    text = " ".join(PAGE.split())
    assert f"the last {feed.KEPT_ENTRIES:,} changes or {feed.KEPT_BYTES >> 20} MiB" in text
    assert f"newest {watched.FINISHED_ATTEMPTS} of the finished" in text
    assert f"the last {watch.SNAPSHOT_EVENTS} events" in text
    assert f"the last {chronicle.KEPT:,} since the node started" in text
    assert (watch_job.GATHER_S, watch_job.STILL_HERE_S, watch.LINGER_S) == (0.1, 10, 60)
    assert f"of more than {watch_job.FEW_PARTS} parts" in text
