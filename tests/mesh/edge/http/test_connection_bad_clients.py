"""Clients that send what is no request, leave in the midst of it, or never finish."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from mesh.edge.http.connection import BODY_S, HEAD_S
from mesh.edge.http.incoming import MAX_HEAD_BYTES
from tests.mesh.edge.http.wires import (
    GET,
    HOST,
    echo,
    error_of,
    post,
    read_all,
    read_body,
    read_until,
    respond,
    served,
    statuses,
)

# --- bad clients ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Bad Header: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 2 * MAX_HEAD_BYTES, 431),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"PRI * HTTP/2.0\r\nHost: x\r\n\r\nSM\r\n\r\n", 505),
    ],
)
async def test_what_is_no_request_gets_a_sentence(sent: bytes, status: int) -> None:
    async with served(echo) as stream:
        await stream.send_all(sent)
        data = await read_until(stream, b"}")
        await stream.send_eof()
        assert await read_all(stream) == b""
    assert statuses(data) == [status]
    error = error_of(data)
    assert error["Status"] == status
    assert error["RequestID"].encode() in data.partition(b"\r\n\r\n")[0]
    assert error["Message"]


async def test_a_body_that_is_none_gets_a_sentence() -> None:
    async with served(echo_or_leave) as stream:
        await stream.send_all(post(b"zz\r\n", b"Transfer-Encoding: chunked"))
        data = await read_until(stream, b"}")
    assert error_of(data)["Status"] == 400


async def echo_or_leave(scope: Scope, receive: Receive, send: Send) -> None:
    body, last = await read_body(receive)
    if last["type"] == "http.request":
        await respond(send, body)


@pytest.mark.parametrize("cut", [1, 10, 40])
async def test_who_leaves_in_the_midst_of_a_head(cut: int) -> None:
    async with served(echo) as stream:
        await stream.send_all(GET[:cut])
        await stream.aclose()


async def test_who_leaves_in_the_midst_of_a_body_is_told_to_the_application() -> None:
    told: list[tuple[bytes, str]] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        body, last = await read_body(receive)
        told.append((body, last["type"]))

    async with served(look) as stream:
        await stream.send_all(post(b"half", b"Content-Length: 8"))
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()
    assert told == [(b"half", "http.disconnect")]


async def test_who_leaves_in_the_midst_of_an_answer_ends_it() -> None:
    ended = trio.Event()

    async def feed() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(1 << 16)
        finally:
            ended.set()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(feed())(scope, receive, send)

    async with served(endless) as stream:
        await stream.send_all(GET)
        assert await stream.receive_some()
        await stream.aclose()
        await ended.wait()


@pytest.mark.parametrize("half", [False, True])
async def test_a_quiet_feed_ends_when_its_reader_goes(half: bool) -> None:
    ended = trio.Event()

    async def feed() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await trio.sleep_forever()
        finally:
            ended.set()

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(feed())(scope, receive, send)

    async with served(quiet) as stream:
        await stream.send_all(GET)
        await read_until(stream, b"first")
        if half:
            await stream.send_eof()
        else:
            await stream.aclose()
        await ended.wait()


async def test_the_head_of_a_feed_does_not_wait_for_news() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        await receive()

    async with served(silent) as stream:
        await stream.send_all(GET)
        assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_reader_that_takes_nothing_holds_the_writer_back() -> None:
    made = 0

    async def feed() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(1000):
            made += 1
            yield bytes(1 << 16)

    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(feed())(scope, receive, send)

    async with served(long) as stream:
        await stream.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        assert made < 100
        data = await read_until(stream, b"0\r\n\r\n")
    assert made == 1000
    assert len(data) > 1000 << 16


async def test_who_floods_a_feed_with_requests_is_cut_off() -> None:
    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(_nothing())(scope, receive, send)

    async with served(quiet) as stream:
        await stream.send_all(GET)
        await read_until(stream, b"\r\n\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(GET * 1_000_000)


async def _nothing() -> AsyncIterator[bytes]:
    await trio.sleep_forever()
    yield b""


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "wait_s", "answer"),
    [
        (b"GET / HT", HEAD_S, [408]),
        (post(b"half", b"Content-Length: 8"), BODY_S, [408]),
        (GET + b"GET / HT", HEAD_S, [200, 408]),
    ],
)
async def test_nobody_is_waited_for_without_end(
    sent: bytes, wait_s: float, answer: list[int], autojump_clock: trio.testing.MockClock
) -> None:
    began_s = trio.current_time()
    async with served(echo, patience_s=2 * wait_s) as stream:
        await stream.send_all(sent)
        assert statuses(await read_all(stream)) == answer
    assert trio.current_time() - began_s >= wait_s
