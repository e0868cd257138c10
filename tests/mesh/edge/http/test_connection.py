from __future__ import annotations

import pytest
import trio
import trio.testing
from starlette.types import Receive, Scope, Send

from mesh.edge.http.wire import SEND_S
from tests.mesh.edge.http.wires import (
    GET,
    deaf,
    echo,
    error_of,
    post,
    read_all,
    read_until,
    respond,
    served,
    sized,
    statuses,
)

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
