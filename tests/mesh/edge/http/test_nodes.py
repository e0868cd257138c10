from __future__ import annotations

import httpx
import pytest

from mesh.gossip.events import PeerState
from scheduler.jobs import Resources
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.readings import HERE, THERE, node_detail

NODES = "/api/v1/orchestrator/nodes"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [HERE, THERE]),
        ("reverse=true", [THERE, HERE]),
        ("limit=1", [HERE]),
        ("order_by=available_cpu", [THERE, HERE]),
        ("filter-status=CONNECTED", [THERE]),
        ("filter-status=disconnected", [HERE]),
        ("filter-approval=approved", [HERE, THERE]),
        ("filter-approval=pending", []),
        ("labels=site%3Dthere", [THERE]),
        ("labels=site%21%3Dthere", [HERE]),
        ("labels=site&labels=os%3Dplan9", []),
    ],
)
async def test_list(
    client: httpx.AsyncClient, doors: FakeDoors, query: str, expected: list[str]
) -> None:
    doors.nodes = (
        node_detail(HERE, "here", state=PeerState.LEFT),
        node_detail(THERE, "there", used=Resources()),
    )
    answer = (await client.get(f"{NODES}?{query}")).json()
    assert answer["NextToken"] == ""
    assert [one["Info"]["NodeID"] for one in answer["Nodes"]] == expected


@pytest.mark.parametrize("asked", [THERE, THERE[:5], "there"])
async def test_get(client: httpx.AsyncClient, asked: str) -> None:
    answer = (await client.get(f"{NODES}/{asked}")).json()
    assert answer["Node"]["Info"]["NodeID"] == THERE
