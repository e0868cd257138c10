from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.lowlevel
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from mesh.edge.http import page
from mesh.edge.http.app import make_app
from mesh.edge.http.page_door import API_CALLS, PageDoor
from mesh.edge.page_token import PageToken
from tests.mesh.edge.fake_doors import FakeDoors

MAX_PAGE_BYTES = 100_000
WATCH, STORY, LOGS = API_CALLS


async def test_the_page_and_its_files(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="(/[^"]+)"', answer.text)
    named += [f"/page/{one}" for text in page.files().values() for one in imported(text.decode())]
    assert len(set(named)) > 5
    for name in set(named):
        one = await client.get(name)
        assert one.status_code == 200, name
        assert one.headers["Content-Type"] == page.KINDS[Path(name).suffix]
        assert one.headers["X-Content-Type-Options"] == "nosniff"


def imported(text: str) -> list[str]:
    return re.findall(r'from "\./([\w.]+)"', text)


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/page/page.css"])
async def test_nothing_inline_and_nothing_from_elsewhere(
    client: httpx.AsyncClient, path: str
) -> None:
    policy = (await client.get(path)).headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert {rules[f"{one}-src"] for one in ("script", "style", "img", "connect")} == {"'self'"}
    assert rules["base-uri"] == rules["frame-ancestors"] == "'none'"


def test_the_files_hold_to_the_policy() -> None:
    texts = {name: one.decode() for name, one in page.files().items()}
    named = {one for text in texts.values() for one in re.findall(r"\w*:?//[\w.]+\.\w+", text)}
    assert named <= {"http://www.w3.org"}, "besides the namespace of a drawing"
    for name, text in texts.items():
        if name.endswith(".html"):
            assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text) == [], name
        if name.endswith(".js"):
            assert (
                re.findall(r"innerHTML|outerHTML|insertAdjacent|\beval\b|document\.write", text)
                == []
            )


def test_all_of_it_is_small() -> None:
    assert sum(map(len, page.files().values())) < MAX_PAGE_BYTES


@pytest.mark.parametrize(
    "path",
    [
        "/page/none.js",
        "/page/page.html",
        "/page/entry.html",
        "/page/..%2Fjoin.py",
        "/page/__init__.py",
        "/page/",
    ],
)
async def test_no_other_file_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_the_page_is_read_only(client: httpx.AsyncClient) -> None:
    assert (await client.post("/")).status_code == 405
    head = await client.head("/")
    assert (head.status_code, head.content) == (200, b"")


# --- on an address of its own ---------------------------------------------------------------------


async def _yes(request: Request) -> JSONResponse:
    """GET something that is open."""
    return JSONResponse({"Open": True})


async def _ticks(request: Request) -> StreamingResponse:
    """GET a feed that never ends by itself."""

    async def feed() -> AsyncIterator[bytes]:
        while True:
            yield b": still here\n\n"
            await trio.lowlevel.checkpoint()

    return StreamingResponse(feed())


@pytest.fixture
def token(tmp_path: Path) -> PageToken:
    return PageToken(tmp_path)


@pytest.fixture
def door(doors: FakeDoors, token: PageToken) -> PageDoor:
    others = [Route(WATCH, _ticks), Route(STORY, _yes)]
    kept = [one for one in make_app(doors).routes if getattr(one, "path", "") not in (WATCH, STORY)]
    token.made()
    return PageDoor(doors, [*others, *kept], host="192.0.2.7", token=token)


@pytest.fixture
async def phone(door: PageDoor) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(door)
    async with httpx.AsyncClient(transport=transport, base_url="http://192.0.2.7:1236") as client:
        yield client


STORY_OF_ONE = STORY.replace("{id}", "j-1")


async def test_a_link_opens_the_page_once_and_a_cookie_from_then_on(
    phone: httpx.AsyncClient, token: PageToken
) -> None:
    assert (await phone.get(STORY_OF_ONE)).status_code == 401
    opened = await phone.get("/", params={"token": token.current()})
    assert opened.status_code == 200
    assert "overview" in opened.text
    cookie = opened.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert (await phone.get("/")).status_code == 200
    assert (await phone.get(STORY_OF_ONE)).json() == {"Open": True}


@pytest.mark.parametrize("given", ["", "wrong", "é☃", "a" * 26, "x" * 5000])
async def test_a_wrong_token_opens_nothing(phone: httpx.AsyncClient, given: str) -> None:
    answer = await phone.get("/", params={"token": given})
    assert answer.status_code == (403 if given else 401)
    title, why = page.ENTRY_WORDS[answer.status_code]
    assert title in answer.text
    assert why in answer.text
    assert "bacalhau-mesh page" in answer.text
    assert "{" not in answer.text
    assert "Set-Cookie" not in answer.headers
    assert (await phone.get(STORY_OF_ONE)).status_code == 401


async def test_a_wrong_cookie_opens_nothing(phone: httpx.AsyncClient, door: PageDoor) -> None:
    for given in ("", "wrong", "a" * 26, "\xff"):
        headers = {"Cookie": f"{door._cookie}={given}".encode("latin-1")}
        assert (await phone.get("/", headers=headers)).status_code == 401  # type: ignore[arg-type]
        assert (await phone.get(STORY_OF_ONE, headers=headers)).status_code == 401  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/orchestrator/jobs"),
        ("PUT", "/api/v1/orchestrator/jobs"),
        ("DELETE", "/api/v1/orchestrator/jobs/j-1"),
        ("GET", "/api/v1/orchestrator/nodes"),
        ("GET", "/api/v1/mesh/status"),
        ("GET", "/api/v1/openapi.json"),
        ("PUT", "/api/v1/mesh/faults"),
        ("GET", "/api/v1/mesh/blobs/" + "0" * 64),
        ("GET", "/metrics"),
        ("GET", "/api/v1/mesh/jobs/j-1/results"),
        ("GET", "/api/v1/mesh/jobs/a/b/story"),
    ],
)
async def test_nothing_else_is_there(
    phone: httpx.AsyncClient, token: PageToken, method: str, path: str
) -> None:
    assert (await phone.request(method, path)).status_code == 401
    await phone.get("/", params={"token": token.current()})
    answer = await phone.request(method, path)
    assert answer.status_code == 404
    assert answer.json()["Message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_it_only_reads(phone: httpx.AsyncClient, token: PageToken, method: str) -> None:
    await phone.get("/", params={"token": token.current()})
    for path in ("/", "/page/page.js", WATCH, STORY_OF_ONE):
        assert (await phone.request(method, path)).status_code == 405


async def test_its_files_hold_no_secret_and_need_no_token(phone: httpx.AsyncClient) -> None:
    assert (await phone.get("/page/page.css")).status_code == 200


@pytest.mark.parametrize(
    ("named", "reached", "asked", "status"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7:1236", 401),
        ("ship.example", "192.0.2.7", "SHIP.example:1236", 401),
        ("0.0.0.0", "192.0.2.7", "192.0.2.7", 401),
        ("0.0.0.0", "192.0.2.7", "192.0.2.8", 403),
        ("0.0.0.0", "192.0.2.7", "evil.example", 403),
        ("0.0.0.0", "192.0.2.7", "0.0.0.0:1236", 403),
        ("::", "2001:db8::7", "[2001:db8::7]:1236", 401),
        ("192.0.2.7", "192.0.2.7", "localhost", 403),
    ],
)
async def test_hosts(
    doors: FakeDoors, token: PageToken, named: str, reached: str, asked: str, status: int
) -> None:
    door = PageDoor(doors, [], host=named, token=token)

    async def at(scope: Any, receive: Any, send: Any) -> None:
        await door({**scope, "server": (reached, 1236)}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(at), base_url="http://x") as client:
        assert (await client.get("/", headers={"Host": asked})).status_code == status


async def test_pages_of_others_are_refused(phone: httpx.AsyncClient, token: PageToken) -> None:
    await phone.get("/", params={"token": token.current()})
    foreign = {"Origin": "http://evil.example"}
    assert (await phone.get(STORY_OF_ONE, headers=foreign)).status_code == 403
    own = {"Origin": "http://192.0.2.7:1236"}
    assert (await phone.get(STORY_OF_ONE, headers=own)).status_code == 200


async def test_a_new_token_ends_what_the_old_one_opened(
    phone: httpx.AsyncClient, door: PageDoor, token: PageToken
) -> None:
    await phone.get("/", params={"token": token.current()})
    cookie = "; ".join(f"{name}={one}" for name, one in phone.cookies.items())
    scope = {
        "type": "http",
        "method": "GET",
        "path": WATCH,
        "raw_path": WATCH.encode(),
        "query_string": b"",
        "headers": [(b"host", b"192.0.2.7:1236"), (b"cookie", cookie.encode())],
        "server": ("192.0.2.7", 1236),
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 5:
            PageToken(token._path.parent).renew()
        await trio.lowlevel.checkpoint()

    with trio.fail_after(5):
        await door(scope, trio.sleep_forever, send)
    assert [one.get("status") for one in sent[:1]] == [200]
    assert len(sent) < 10
    assert (await phone.get("/")).status_code == 401
