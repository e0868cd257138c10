from __future__ import annotations

import base64
import json

import httpx
import pytest

from tests.mesh.edge.captures import captured, unexplained
from tests.mesh.edge.readings import HERE


@pytest.mark.parametrize(
    ("path", "fixture"),
    [
        ("agent/alive", "02-agent-alive.json"),
        ("agent/version", "01-version.json"),
        ("agent/authconfig", "31-auth-info.json"),
        ("auth", "03-auth-handshake.json"),
    ],
)
async def test_answers_have_the_captured_shape(
    client: httpx.AsyncClient, path: str, fixture: str
) -> None:
    answer = await client.get(f"/api/v1/{path}")
    assert answer.status_code == 200
    assert unexplained(captured(fixture), answer.json()) == []


@pytest.mark.parametrize("name", ["clientkey", "ClientKey", "anything"])
async def test_any_answer_to_the_challenge_will_do(client: httpx.AsyncClient, name: str) -> None:
    body = {"Namespace": "", "Credential": None, "Name": name, "MethodData": "e30="}
    answer = await client.post(f"/api/v1/auth/{name}", json=body)
    login = answer.json()["Authentication"]
    assert login["success"] is True
    assert login["token"]


async def test_the_challenge_is_base64(client: httpx.AsyncClient) -> None:
    methods = (await client.get("/api/v1/auth")).json()["Methods"]
    [method] = methods.values()
    assert base64.b64decode(method["params"]["InputPhrase"], validate=True)


async def test_this_node_is_described(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/agent/node")).json()["NodeID"] == HERE


async def test_config_names_the_api(client: httpx.AsyncClient) -> None:
    config = (await client.get("/api/v1/agent/config")).json()["config"]
    assert (config["API"]["Host"], config["API"]["Port"]) == ("127.0.0.1", 1234)
    assert "secret" not in json.dumps(config).lower()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/version", "/api/v1/agent/version"),
        ("/livez", "/api/v1/agent/alive"),
    ],
)
async def test_redirects(client: httpx.AsyncClient, path: str, target: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 301
    assert answer.headers["Location"] == target
