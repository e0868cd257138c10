from __future__ import annotations

import dataclasses

import pytest

from mesh.edge import documents, node_documents
from mesh.gossip.events import PeerState
from scheduler.jobs import Resources
from tests.mesh.edge.captures import captured, unexplained
from tests.mesh.edge.readings import HERE, THERE, node_detail


def test_node_has_the_captured_shape() -> None:
    theirs = captured("07-node-describe.json")["Node"]
    ours = node_documents.node_document(node_detail(HERE, "here"), system="linux", machine="amd64")
    differing = unexplained(theirs, ours)
    assert [one for one in differing if "Labels.os_" not in one] == []


def test_labels_that_somebody_gave_stand_before_those_of_the_machine() -> None:
    labels = {"os": "linux", "name": "here", "zone": "aft", "arch": "amd64", "Deck": "3"}
    ordered = node_documents.ordered_labels(dict(reversed(labels.items())))
    assert list(ordered.items()) == [
        ("Deck", "3"), ("zone", "aft"), ("name", "here"), ("os", "linux"), ("arch", "amd64"),
    ]  # fmt: skip


def test_version_auth_and_config_have_the_captured_shape() -> None:
    version = node_documents.version_document(system="linux", machine="amd64", mesh_version="1")
    assert unexplained(captured("01-version.json"), version) == []
    auth = node_documents.auth_document(HERE)
    assert unexplained(captured("03-auth-handshake.json"), auth) == []
    config = node_documents.config_document(api_host="h", api_port=1, data_dir="/d", name="n")
    theirs = captured("05-agent-config.json")["config"]["API"]
    assert unexplained(theirs, config["config"]["API"]) == []


@pytest.mark.parametrize(
    ("resources", "document"),
    [
        (Resources(), {}),
        (Resources(500, 512_000_000), {"CPU": 0.5, "Memory": 512_000_000}),
        (Resources(1, 0, 3, 2), {"CPU": 0.001, "Disk": 3, "GPU": 2}),
    ],
)
def test_resources(resources: Resources, document: dict[str, object]) -> None:
    assert node_documents.resources_document(resources) == document


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (PeerState.ALIVE, "CONNECTED"),
        (PeerState.SUSPECT, "CONNECTED"),
        (PeerState.UNREACHABLE, "DISCONNECTED"),
        (PeerState.LEFT, "DISCONNECTED"),
    ],
)
def test_node_states(state: PeerState, status: str) -> None:
    detail = node_detail(THERE, "there", state=state)
    document = node_documents.node_document(detail, system="linux", machine="amd64")
    assert document["Connection"] == document["ConnectionState"]["Status"] == status
    free = document["Info"]["ComputeNodeInfo"]["AvailableCapacity"]
    assert bool(free) is (status == "CONNECTED")
    zero = document["ConnectionState"]["ConnectedSince"] == documents.ZERO_TIME
    assert zero is (status == "DISCONNECTED")


@pytest.mark.parametrize(
    ("roles", "expected"),
    [((), "Compute"), (("orchestrate", "compute"), "Compute"), (("orchestrate",), "Requester")],
)
def test_node_types_are_two(roles: tuple[str, ...], expected: str) -> None:
    detail = node_detail(HERE, "here")
    detail = dataclasses.replace(detail, reading=dataclasses.replace(detail.reading, roles=roles))
    info = node_documents.node_info_document(detail, system="linux", machine="amd64")
    assert info["NodeType"] == expected


def test_a_node_that_is_overbooked_has_nothing_free() -> None:
    detail = node_detail(HERE, "here", used=Resources(10_000, 1, 1))
    info = node_documents.node_info_document(detail, system="linux", machine="amd64")
    assert "CPU" not in info["ComputeNodeInfo"]["AvailableCapacity"]
