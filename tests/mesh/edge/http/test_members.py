from __future__ import annotations

import dataclasses

import httpx
import pytest

from mesh.member.commands import SetIntent
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.readings import HERE, THERE, attempt_reading, job_reading

MESH = "/api/v1/mesh"


async def test_a_node_with_all_it_does(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job = job_reading()
    doors.change(dataclasses.replace(job, attempts=(attempt_reading(job.id),)))
    for asked in ("there", THERE, THERE[:5]):
        answer = (await client.get(f"{MESH}/nodes/{asked}")).json()
        assert answer["Node"]["Info"]["NodeID"] == THERE
        assert [one["JobID"] for one in answer["Running"]] == [job.id]
        assert answer["Refused"][0]["Message"] == "It is busy."
        assert answer["Refusals"] == {"capacity": 3}
        assert answer["Counters"] is None, "it cannot be asked"
    here = (await client.get(f"{MESH}/nodes/here")).json()
    assert here["Counters"] == doors.facts[HERE]
    assert here["Running"] == []
    assert (await client.get(f"{MESH}/nodes/nobody")).status_code == 404


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"Intent": "cordoned", "Reason": "a fan"}, SetIntent(THERE, "cordoned", "a fan", 600)),
        ({"Intent": "draining", "DeadlineSeconds": 0}, SetIntent(THERE, "draining")),
        ({"intent": ""}, SetIntent(THERE, "", deadline_s=600)),
    ],
)
async def test_what_an_operator_wants_of_a_node(
    client: httpx.AsyncClient, doors: FakeDoors, body: dict[str, object], wanted: SetIntent
) -> None:
    answer = await client.put(f"{MESH}/nodes/there/intent", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["Name"] == "there"
    assert (answer.json()["Intent"], answer.json()["Already"]) == (wanted.intent, False)
    assert doors.intents == [wanted]


@pytest.mark.parametrize(
    ("node", "body", "status"),
    [
        ("there", {}, 400),
        ("there", {"Intent": 7}, 400),
        ("there", {"Intent": "draining", "DeadlineSeconds": -1}, 400),
        ("there", {"Intent": "draining", "DeadlineSeconds": 1e9}, 400),
        ("there", {"Intent": "draining", "Until": "noon"}, 400),
        ("nobody", {"Intent": ""}, 404),
    ],
)
async def test_an_intent_that_cannot_be_read_is_refused(
    client: httpx.AsyncClient, doors: FakeDoors, node: str, body: dict[str, object], status: int
) -> None:
    answer = await client.put(f"{MESH}/nodes/{node}/intent", json=body)
    assert answer.status_code == status, answer.text
    assert doors.intents == []


@pytest.fixture
def allowed(doors: FakeDoors) -> FakeDoors:
    doors.cut_off = lambda peers: doors.cuts.append(list(peers))
    return doors


async def test_faults_come_over_the_socket_of_a_node_that_allows_them(
    client: httpx.AsyncClient, socket_client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    refused = await socket_client.put(f"{MESH}/faults", json={"Cut": ["there"]})
    assert (refused.status_code, refused.json()["Code"]) == (403, "Forbidden")
    assert "--allow-faults" in refused.json()["Hint"]
    doors.cut_off = lambda peers: doors.cuts.append(list(peers))
    foreign = await client.put(f"{MESH}/faults", json={"Cut": ["there"]})
    assert foreign.status_code == 403
    assert "socket" in foreign.json()["Message"]
    assert doors.cuts == []


async def test_a_cut_and_its_end(socket_client: httpx.AsyncClient, allowed: FakeDoors) -> None:
    answer = await socket_client.put(f"{MESH}/faults", json={"Cut": ["there"]})
    assert answer.json() == {"Cut": ["there"]}
    await socket_client.put(f"{MESH}/faults", json={"Cut": []})
    assert allowed.cuts == [[THERE], []]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Cut": "there"}, 400),
        ({"Cut": [1]}, 400),
        ({"Cut": ["here"]}, 400),
        ({"Cut": ["nobody"]}, 404),
        ({"Cutt": []}, 400),
    ],
)
async def test_bad_cuts(
    socket_client: httpx.AsyncClient, allowed: FakeDoors, body: object, status: int
) -> None:
    assert (await socket_client.put(f"{MESH}/faults", json=body)).status_code == status
    assert allowed.cuts == []
