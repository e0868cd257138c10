from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from mesh.edge.http.app import foreign_origin, foreign_problem, host_name
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.readings import job_reading

JOBS = "/api/v1/orchestrator/jobs"


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("127.0.0.1:1234", True),
        ("localhost", True),
        ("LOCALHOST:99", True),
        ("[::1]:1234", True),
        ("192.0.2.7:1234", True),
        ("192.0.2.8:1234", False),
        ("localhost.evil.example", False),
        ("evil.example:1234", False),
        ("[::2]", False),
    ],
)
def test_hosts(host: str, taken: bool, doors: FakeDoors) -> None:
    doors.status = replace(doors.status, api_addresses=("192.0.2.7:1234",))
    problem = foreign_problem({"host": host}, doors)
    assert (problem is None) is taken


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        ("http://127.0.0.1:1234", True),
        ("http://127.0.0.1:1235", False),
        ("http://localhost:1234", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str, taken: bool) -> None:
    told = {"host": "127.0.0.1:1234", "origin": origin}
    assert (foreign_origin(told) is None) is taken


@pytest.mark.parametrize(
    ("address", "name"),
    [("A:1", "a"), ("[::1]:1", "::1"), ("a", "a"), ("[FE80::1]", "fe80::1")],
)
def test_host_name(address: str, name: str) -> None:
    assert host_name(address) == name


async def test_an_escaped_slash_is_part_of_the_id(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    doors.change(job_reading(name="a/b c"))
    answer = await client.get(f"{JOBS}/a%2Fb%20c")
    assert answer.json()["Job"]["Name"] == "a/b c"
    assert (await client.get(f"{JOBS}/a%2Fb%20c/history")).status_code == 200
    assert (await client.get(f"{JOBS}/a/b%20c")).status_code == 404


async def test_every_answer_has_our_headers(client: httpx.AsyncClient) -> None:
    for path in (JOBS, "/nothing"):
        headers = (await client.get(path)).headers
        assert headers["X-Bacalhau-Git-Version"] == "v1.9.3"
        assert headers["Content-Type"] == "application/json"
        assert headers["Vary"] == "Origin"
        assert headers["X-Request-Id"]


async def test_a_request_id_is_kept_unless_it_is_nonsense(client: httpx.AsyncClient) -> None:
    kept = await client.get(JOBS, headers={"X-Request-Id": "abc"})
    assert kept.headers["X-Request-Id"] == "abc"
    replaced = await client.get(JOBS, headers={"X-Request-Id": "x" * 500})
    assert replaced.headers["X-Request-Id"] != "x" * 500


async def test_a_full_disk_is_named_and_no_error_of_ours(
    client: httpx.AsyncClient, doors: FakeDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_room(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(doors, "keep_blob", no_room)
    answer = await client.put(f"/api/v1/mesh/blobs/{'0' * 64}", content=b"x")
    assert (answer.status_code, answer.json()["Message"]) == (
        507,
        f"The disk that holds {doors.status.data_dir} on this node is full; free some space.",
    )
