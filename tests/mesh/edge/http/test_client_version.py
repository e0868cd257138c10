from __future__ import annotations

import httpx
import pytest

PATH = "/api/v1/agent/alive"


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("", 200),
        ("v0.0.0", 200),
        ("v0.0.0-xxxxxxx", 200),
        ("v1.9.3", 200),
        ("1.4", 200),
        ("v1.4.0", 200),
        ("v1.10.0-rc.1+build", 200),
        ("v2", 200),
        ("v1.3.9", 403),
        ("v0.3.30", 403),
        ("1", 403),
        ("latest", 400),
        ("v1.9.x", 400),
        ("v1..2", 400),
        ("9" * 400, 400),
    ],
)
async def test_clients_from_a_release_on_are_served(
    client: httpx.AsyncClient, version: str, status: int
) -> None:
    answer = await client.get(PATH, headers={"X-Bacalhau-Git-Version": version})
    assert answer.status_code == status


async def test_one_that_is_not_served_is_told_in_its_words_and_in_ours(
    client: httpx.AsyncClient,
) -> None:
    headers = {"X-Bacalhau-Git-Version": "v1.3.0"}
    answer = await client.get(PATH, headers=headers)
    document = answer.json()
    assert document["Error"] == document["Message"]
    assert (document["MinVersion"], document["ClientVersion"]) == ("1.4.0", "1.3.0")
    assert document["ServerVersion"] == "1.9.3"
    assert document["RequestID"] == answer.headers["X-Request-Id"]
    assert "1.4.0" in document["Hint"]
