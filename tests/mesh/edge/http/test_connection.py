from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from mesh.edge.http.connection import BODY_S, HEAD_S, IDLE_S
from mesh.edge.http.incoming import MAX_HEAD_BYTES
from mesh.edge.http.wire import SEND_S
from tests.mesh.edge.http.wires import (
    HOST,
    error_of,
    read_all,
    read_body,
    read_until,
    respond,
    served,
    statuses,
)

GET = b"GET /a%2Fb?c=d HTTP/1.1\r\n" + HOST + b"\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was sent, else with the address it was asked at."""
    body, _ = await read_body(receive)
    await respond(send, body or scope["raw_path"] + b"?" + scope["query_string"])


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading."""
    await respond(send, b"no", 413)


def post(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(one + b"\r\n" for one in headers)
    return b"POST / HTTP/1.1\r\n" + HOST + lines + b"\r\n" + body


def sized(body: bytes) -> bytes:
    return post(body, b"Content-Length: %d" % len(body))


# --- good clients ---------------------------------------------------------------------------------


async def test_what_an_application_is_told() -> None:
    told: list[Scope] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        told.append(scope)
        await respond(send, b"")

    async with served(look) as stream:
        await stream.send_all(GET.replace(b"Host", b"X-One: 1\r\nHost"))
        await read_until(stream, b"\r\n\r\n")
    [scope] = told
    assert (scope["type"], scope["method"], scope["http_version"]) == ("http", "GET", "1.1")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a/b", b"/a%2Fb", b"c=d")
    assert scope["headers"] == [(b"x-one", b"1"), (b"host", b"127.0.0.1")]


async def test_a_thousand_requests_on_one_connection() -> None:
    async with served(echo) as stream:
        for number in range(1000):
            body = b"%04d" % number
            await stream.send_all(sized(body))
            assert await read_until(stream, body)


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with served(echo) as stream:
        await stream.send_all(b"".join(sized(b"<%d>" % number) for number in range(200)))
        data = await read_until(stream, b"<199>")
    assert statuses(data) == [200] * 200
    assert [data.find(b"<%d>" % number) for number in range(200)] == sorted(
        data.find(b"<%d>" % number) for number in range(200)
    )


async def test_a_request_in_single_bytes() -> None:
    async with served(echo) as stream:
        for byte in sized(b"slow"):
            await stream.send_all(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()
        assert (await read_until(stream, b"slow")).startswith(b"HTTP/1.1 200")


async def test_a_chunked_body_and_a_large_one() -> None:
    large = bytes(range(256)) * 8192
    async with served(echo) as stream, trio.open_nursery() as nursery:
        await stream.send_all(
            post(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")
        )
        assert (await read_until(stream, b"abcde")).endswith(b"\r\n\r\nabcde")
        nursery.start_soon(stream.send_all, sized(large))
        data = await read_until(stream, large)
    assert data.endswith(large)


async def test_a_client_that_waits_to_be_told_to_go_on() -> None:
    async with served(echo) as stream:
        await stream.send_all(post(b"", b"Content-Length: 2", b"Expect: 100-continue"))
        assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await stream.send_all(b"ok")
        assert (await read_until(stream, b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_waits_is_told_no_at_once() -> None:
    async with served(deaf) as stream:
        await stream.send_all(post(b"", b"Content-Length: 2", b"Expect: 100-continue"))
        data = await read_until(stream, b"\r\n\r\nno")
        assert statuses(data) == [413]
        assert b"connection: close" in data.lower()


async def test_head_has_the_head_of_get_and_no_body() -> None:
    async with served(echo) as stream:
        await stream.send_all(GET.replace(b"GET", b"HEAD") + sized(b"next"))
        data = await read_until(stream, b"next")
    assert data.lower().count(b"content-length: 10\r\n") == 1
    assert statuses(data) == [200, 200]
    assert b"/a%2Fb?c=d" not in data


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_who_wants_no_second_answer_gets_the_end(version: bytes) -> None:
    async with served(echo) as stream:
        request = GET.replace(b"HTTP/1.1", b"HTTP/" + version)
        await stream.send_all(request.replace(b"Host", b"Connection: close\r\nHost"))
        data = await read_all(stream)
    assert statuses(data) == [200]
    assert b"connection: close" in data.lower()


async def test_a_client_that_closed_its_half_is_answered() -> None:
    async with served(echo) as stream:
        await stream.send_all(sized(b"last words"))
        await stream.send_eof()
        assert (await read_all(stream)).endswith(b"last words")


async def test_an_unread_body_is_no_part_of_the_next_request() -> None:
    async with served(deaf) as stream:
        await stream.send_all(sized(b"GET /smuggled HTTP/1.1\r\n\r\n") * 2)
        assert statuses(await read_until(stream, b"no")) in ([413], [413, 413])


async def test_an_answer_arrives_though_the_upload_goes_on() -> None:
    """Closing at once would reset the connection, and the answer would be lost."""
    async with served(deaf) as stream:
        await stream.send_all(post(b"x" * 1000, b"Content-Length: 50000000"))
        data = await read_until(stream, b"no")
        for _ in range(100):
            await stream.send_all(bytes(65536))
        await stream.send_eof()
        assert await read_all(stream) == b""
    assert statuses(data) == [413]


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
        (b"", IDLE_S, []),
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
        if sent:
            await stream.send_all(sent)
        assert statuses(await read_all(stream)) == answer
    assert trio.current_time() - began_s >= wait_s


# --- applications ---------------------------------------------------------------------------------


async def test_an_application_that_fails_or_says_nothing() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a secret detail")

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    for app in (fails, silent):
        async with served(app) as stream:
            await stream.send_all(GET)
            data = await read_until(stream, b"}")
            assert error_of(data)["Status"] == 500
            assert b"secret" not in data


async def test_an_application_that_fails_is_told_of_without_a_body_to_head() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a secret detail")

    async with served(fails) as stream:
        await stream.send_all(GET.replace(b"GET", b"HEAD"))
        data = await read_all(stream)
    assert statuses(data) == [500]
    assert data.endswith(b"\r\n\r\n")


async def test_an_application_that_fails_as_it_is_cancelled_harms_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        async def fail() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise RuntimeError("while it cleans up")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(8 << 20), "more_body": True})

    async with served(both, patience_s=2 * SEND_S) as stream:
        await stream.send_all(GET)
        await trio.sleep(SEND_S + 1)
        assert not (await read_all(stream)).endswith(b"0\r\n\r\n")


async def test_an_answer_survives_what_is_still_on_its_way() -> None:
    async with served(echo) as stream:
        await stream.send_all(sized(b"all").replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" * 1000)
        data = await read_all(stream)
    assert data.endswith(b"\r\n\r\nall")


async def test_an_answer_that_breaks_off_is_seen_to() -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("the rest")

    async with served(breaks) as stream:
        await stream.send_all(GET)
        data = await read_all(stream)
    assert b"half" in data
    assert b"0\r\n\r\n" not in data


async def test_a_stop_ends_a_connection_after_its_answer() -> None:
    stops = False

    async def last(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal stops
        stops = True
        await respond(send, b"last")

    async with served(last, stopping=lambda: stops) as stream:
        await stream.send_all(GET + GET)
        data = await read_all(stream)
    assert statuses(data) == [200]
    assert b"connection: close" in data.lower()
