from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mesh.edge.http.dispatch import Call, Dispatch
from mesh.edge.http.errors import Refused


def call(name: str) -> Call:
    async def answer(request: Request) -> Response:
        parts = ",".join(f"{key}={value}" for key, value in request.path_params.items())
        return Response(f"{name} {parts}".strip())

    return answer


DISPATCH = Dispatch(
    [
        Route("/jobs", call("list")),
        Route("/jobs", call("submit"), methods=["PUT", "POST"]),
        Route("/jobs/diff", call("diff"), methods=["PUT"]),
        Route("/jobs/{id}", call("get")),
        Route("/jobs/{id}", call("stop"), methods=["DELETE"]),
        Route("/nodes/{id}", call("node")),
        Route("/jobs/{id}/results/{attempt}.tar.gz", call("archive")),
    ]
)


async def ask(method: str, path: str) -> str:
    scope = {"type": "http", "method": method, "path": path, "headers": []}
    return bytes((await DISPATCH.answer(Request(scope))).body).decode()


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/jobs", "list"),
        ("HEAD", "/jobs", "list"),
        ("POST", "/jobs", "submit"),
        ("PUT", "/jobs/diff", "diff"),
        ("GET", "/jobs/diff", "get id=diff"),
        ("DELETE", "/jobs/a%2Fb", "stop id=a%2Fb"),
        ("GET", "/nodes/x", "node id=x"),
        ("GET", "/jobs/a/results/b.tar.gz", "archive id=a,attempt=b"),
    ],
)
async def test_found(method: str, path: str, answer: str) -> None:
    assert await ask(method, path) == answer


@pytest.mark.parametrize("path", ["", "/", "/jobs/", "/jobs/a/b", "/job", "/jobs/a/results/b.zip"])
async def test_nothing_there(path: str) -> None:
    with pytest.raises(Refused) as told:
        await ask("GET", path)
    assert told.value.problem.status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/jobs", "GET, HEAD, POST, PUT"),
        ("POST", "/jobs/diff", "DELETE, GET, HEAD, PUT"),
        ("PATCH", "/nodes/x", "GET, HEAD"),
    ],
)
async def test_not_this_way(method: str, path: str, allowed: str) -> None:
    with pytest.raises(Refused) as told:
        await ask(method, path)
    assert told.value.problem.status == 405
    assert told.value.headers == {"Allow": allowed}
