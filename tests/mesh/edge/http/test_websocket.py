from __future__ import annotations

import base64

import pytest
import trio
import trio.testing
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    TextMessage,
)
from wsproto.events import Request as Handshake

from mesh.edge.http.websocket import CLOSE_S, MAX_MESSAGE_CHARS
from tests.mesh.edge.http.wires import HOST, error_of, read_all, read_until, served, statuses

KEY = base64.b64encode(bytes(16))
UPGRADE = (
    b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends back what it is sent, until the other side closes."""
    socket = WebSocket(scope, receive, send)
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        if message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])


class Talk:
    """A client's side of a WebSocket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._socket = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []

    async def tell(self, *events: Event) -> None:
        await self._stream.send_all(b"".join(self._socket.send(event) for event in events))

    async def hear(self) -> Event:
        while not self._events:
            self._socket.receive_data(await self._stream.receive_some())
            self._events += self._socket.events()
        return self._events.pop(0)

    async def begin(self) -> None:
        await self.tell(Handshake(host="127.0.0.1", target="/"))
        assert isinstance(await self.hear(), AcceptConnection)


async def test_texts_bytes_pieces_and_pings() -> None:
    async with served(echo) as stream:
        talk = Talk(stream)
        await talk.begin()
        await talk.tell(TextMessage("eu", message_finished=False), TextMessage("ro €"))
        heard = await talk.hear()
        assert isinstance(heard, TextMessage)
        assert heard.data == "euro €"
        await talk.tell(Ping(b"here?"))
        assert await talk.hear() == Pong(b"here?")
        await talk.tell(BytesMessage(b"\0\1"))
        heard = await talk.hear()
        assert isinstance(heard, BytesMessage)
        assert bytes(heard.data) == b"\0\1"
        await talk.tell(CloseConnection(1000))
        closed = await talk.hear()
        assert isinstance(closed, CloseConnection)
        assert closed.code == 1000
        assert await read_all(stream) == b""


async def test_a_frame_that_comes_with_the_request() -> None:
    other = WSConnection(ConnectionType.CLIENT)
    hello = other.send(Handshake(host="127.0.0.1", target="/"))
    async with served(echo) as stream:
        # An empty text, masked with zeros.
        await stream.send_all(hello + b"\x81\x82\0\0\0\0hi")
        assert (await read_until(stream, b"\x81\x02hi")).startswith(b"HTTP/1.1 101 ")


async def test_a_message_without_end_is_not_kept() -> None:
    async with served(echo) as stream:
        talk = Talk(stream)
        await talk.begin()
        await talk.tell(TextMessage("x" * (MAX_MESSAGE_CHARS + 1), message_finished=False))
        closed = await talk.hear()
        assert isinstance(closed, CloseConnection)
        assert closed.code == 1009


@pytest.mark.parametrize("sent", [b"\xff\xff\xff\xff", b"\x81\x02hi", b"\x83\x80\0\0\0\0"])
async def test_what_is_no_frame_ends_it(sent: bytes) -> None:
    async with served(echo) as stream:
        await stream.send_all(UPGRADE)
        await read_until(stream, b"\r\n\r\n")
        await stream.send_all(sent)
        # A close with code 1002.
        assert b"\x03\xea" in await read_all(stream)


async def test_what_is_no_frame_and_comes_with_the_request_ends_it() -> None:
    async with served(echo) as stream:
        await stream.send_all(UPGRADE + b"\xff\xff\xff\xff")
        data = await read_all(stream)
    assert statuses(data) == [101]
    assert b"\x03\xea" in data


@pytest.mark.parametrize("confirms", [False, True])
async def test_the_end_is_confirmed_or_waited_for_no_longer(
    confirms: bool, autojump_clock: trio.testing.MockClock
) -> None:
    async def brief(scope: Scope, receive: Receive, send: Send) -> None:
        await WebSocket(scope, receive, send).accept()

    async with served(brief) as stream:
        talk = Talk(stream)
        await talk.begin()
        # A ping that crosses the close is no trouble, and no reason to wait on.
        await stream.send_all(b"\x89\x80\0\0\0\0")
        closed = await talk.hear()
        assert isinstance(closed, CloseConnection)
        assert closed.code == 1000
        began_s = trio.current_time()
        if confirms:
            await talk.tell(closed.response())
        assert await read_all(stream) == b""
    assert trio.current_time() - began_s == pytest.approx(0 if confirms else CLOSE_S)


@pytest.mark.parametrize("politely", [False, True])
async def test_who_leaves_is_told_to_the_application(politely: bool) -> None:
    told: list[int] = []

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        try:
            await socket.receive_text()
        except WebSocketDisconnect as gone:
            told.append(gone.code)

    async with served(wait) as stream:
        talk = Talk(stream)
        await talk.begin()
        if politely:
            await talk.tell(CloseConnection(1001))
            await read_all(stream)
        else:
            await stream.aclose()
    assert told == [1001 if politely else 1006]


async def test_sending_to_who_has_gone_is_an_error() -> None:
    ended: list[str] = []

    async def talk(scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        try:
            while True:
                await socket.send_text("news")
                await trio.lowlevel.checkpoint()
        except WebSocketDisconnect:
            ended.append("gone")

    async with served(talk) as stream:
        await stream.send_all(UPGRADE)
        await read_until(stream, b"news")
        await stream.aclose()
    assert ended == ["gone"]


async def test_an_application_that_fails() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        await WebSocket(scope, receive, send).accept()
        raise RuntimeError("a secret detail")

    async with served(fails) as stream:
        talk = Talk(stream)
        await talk.begin()
        closed = await talk.hear()
        assert isinstance(closed, CloseConnection)
        assert (closed.code, closed.reason) == (1011, "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 7"),
        (b"Sec-WebSocket-Key: " + KEY + b"\r\n", b""),
        (HOST, b"Host: 127.0.0.1\x9f\r\n"),
        (HOST, b"Host: xn--\xe8\r\n"),
        (HOST, HOST + b"Sec-WebSocket-Protocol: \xff\xfe\r\n"),
        (HOST, HOST + b"Sec-WebSocket-Extensions: \xff\r\n"),
    ],
)
async def test_a_handshake_that_is_none_gets_a_sentence(old: bytes, new: bytes) -> None:
    async with served(echo) as stream:
        await stream.send_all(UPGRADE.replace(old, new))
        assert error_of(await read_until(stream, b"}"))["Status"] in (400, 426)


async def test_no_upgrade_is_possible() -> None:
    async def closes(scope: Scope, receive: Receive, send: Send) -> None:
        await WebSocket(scope, receive, send).close()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    for app, status in ((closes, 403), (silent, 500)):
        async with served(app) as stream:
            await stream.send_all(UPGRADE)
            data = await read_until(stream, b"}")
            assert statuses(data) == [status]
            assert error_of(data)["Status"] == status
