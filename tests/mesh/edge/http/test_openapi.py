from __future__ import annotations

import json
import random
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from mesh.edge.http.app import make_app
from mesh.edge.http.openapi import BODIES, PATH, QUERIES
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.member_doors import MemberDoors

TEXTS = ["", "a", "j-", "n-1", "../x", "é☃", "%2F", "a b", "x" * 300, "\x00", "0", "-1", "null"]
FEEDS = ("/events", "/logs", "/feed", "/mesh/watch")
"""Addresses that answer for as long as there is news."""


def served(doors: FakeDoors) -> list[Route]:
    return [one for one in make_app(doors).routes if isinstance(one, Route)]


async def test_every_served_call_is_described(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    document = (await client.get(PATH)).json()
    described = {
        (path, method.upper()) for path, one in document["paths"].items() for method in one
    }
    for route in served(doors):
        for method in (route.methods or set()) - {"HEAD"}:
            assert (route.path, method) in described
    summaries = [one["summary"] for path in document["paths"].values() for one in path.values()]
    assert all(summaries)
    json.dumps(document)


async def test_the_tables_name_only_what_is_served(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    paths = (await client.get(PATH)).json()["paths"]
    assert [one for one in QUERIES if "get" not in paths.get(one, {})] == []
    assert [one for one in BODIES if one[0].lower() not in paths.get(one[1], {})] == []
    for path, method in [(path, method) for method, path in BODIES]:
        assert "requestBody" in paths[path][method.lower()]


class Maker:
    """Values that a schema asks for, and some that it does not."""

    def __init__(self, seed: int, schemas: dict[str, Any]) -> None:
        self.random = random.Random(seed)
        self._schemas = schemas

    def value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        chance = self.random
        if chance.random() < 0.08 or depth > 6:
            return chance.choice([None, 7, -1, 1.5, True, [], {}, "x", [[]], {"a": {}}, 1 << 70])
        if "$ref" in schema:
            return self.value(self._schemas[schema["$ref"].rsplit("/", 1)[1]], depth)
        if "enum" in schema and chance.random() < 0.9:
            return chance.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "boolean":
            return chance.random() < 0.5
        if kind == "integer":
            return chance.choice([0, 1, 2, 10, 1_000_000, -1, 1 << 40])
        if kind == "array":
            return [self.value(schema["items"], depth + 1) for _ in range(chance.randrange(3))]
        if kind == "object":
            return self._object(schema, depth)
        return chance.choice([*TEXTS, "scripted", "docker", "wasm", "main", "local", "default"])

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        chance, found = self.random, {}
        for name, one in schema.get("properties", {}).items():
            if name in schema.get("required", ()) or chance.random() < 0.4:
                found[name] = self.value(one, depth + 1)
        if chance.random() < 0.1:
            found[chance.choice(TEXTS)] = self.value({"type": "string"}, depth + 1)
        return found


@pytest.mark.parametrize("seed", range(4))
async def test_made_up_requests_are_answered_and_never_5xx(
    real: httpx.AsyncClient, member: MemberDoors, seed: int, autojump_clock: object
) -> None:
    document = (await real.get(PATH)).json()
    make = Maker(seed, document["components"]["schemas"])
    operations = [
        (path, method, one)
        for path, methods in sorted(document["paths"].items())
        for method, one in sorted(methods.items())
        if not path.endswith(FEEDS)
    ]
    for _ in range(150):
        path, method, operation = make.random.choice(operations)
        query = {}
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                text = httpx.URL("/", params={"v": make.random.choice(TEXTS)}).query[2:].decode()
                path = path.replace(f"{{{parameter['name']}}}", text)
            elif make.random.random() < 0.4:
                query[parameter["name"]] = str(make.value(parameter["schema"]))
        body = operation.get("requestBody")
        content = None
        if body is not None:
            schema = body["content"]["application/json"]["schema"]
            content = json.dumps(make.value(schema)).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        answer = await real.request(
            method.upper(), path, params=query, content=content, headers=headers
        )
        assert answer.status_code < 500, (method, path, query, content, answer.text[:500])
        assert answer.headers["X-Request-Id"]
