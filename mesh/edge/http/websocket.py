"""One WebSocket: wsproto reads and writes the protocol, an ASGI application talks over it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import h11
import trio
from starlette.types import ASGIApp, Message, Scope
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from mesh.edge.http.incoming import Head

if TYPE_CHECKING:
    from mesh.edge.http.connection import Connection

MAX_MESSAGE_CHARS = 64 << 10
"""No socket of this API is sent anything but its close."""
CLOSE_S = 1.0
"""How long the other side may take to confirm a close."""
ABNORMAL, SERVER_ERROR, TOO_BIG = 1006, 1011, 1009

log = logging.getLogger("mesh.edge.http.server")


class SocketExchange:
    """A request for a WebSocket and what follows, as the two channels of an ASGI application."""

    def __init__(self, connection: Connection, request: Head, scope: Scope) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._request = request
        self._scope = scope
        self._socket = WSConnection(ConnectionType.SERVER)
        self._told = False
        """The application knows that somebody wants to connect."""
        self._open = False
        self._close_code: int | None = None
        self._message: list[str | bytes] = []
        self._pending: list[Message] = []
        self._sending = trio.Lock()

    async def run(self, app: ASGIApp) -> None:
        """Have it answered, to the end of the connection."""
        try:
            self._socket.initiate_upgrade_connection(self._request.headers, self._request.target)
        except (RemoteProtocolError, LocalProtocolError, h11.ProtocolError, ValueError) as error:
            # It reads the Host as a name, and says so in its own way when it cannot.
            await self._connection.refuse(400, f"the request for a WebSocket: {error}")
            return
        try:
            await app(self._scope, self.receive, self.send)
        except* Exception as errors:
            # The application has told its log all about it.
            log.debug("a WebSocket ended early: %r", errors)
            await self._close(SERVER_ERROR, "")
        if self._open:
            await self._close(1000, "")
            with trio.move_on_after(CLOSE_S):
                while not self._wire.ended and self._close_code is None:
                    await self._read()
        elif not self._connection.answer.begun:
            await self._connection.refuse(500, "this node could not open the WebSocket")

    async def receive(self) -> Message:
        """`websocket.connect`, then what is sent to us, then `websocket.disconnect`."""
        if not self._told:
            self._told = True
            return {"type": "websocket.connect"}
        while not self._pending:
            if self._close_code is not None:
                return {"type": "websocket.disconnect", "code": self._close_code}
            await self._read()
        return self._pending.pop(0)

    async def _read(self) -> None:
        data = await self._wire.receive()
        if not data:
            self._close_code = ABNORMAL
            return
        await self._take(data)

    async def _take(self, data: bytes) -> None:
        try:
            self._socket.receive_data(data)
            await self._take_events()
        except RemoteProtocolError as error:
            await self._write(error.event_hint or CloseConnection(code=1002))
            self._close_code = ABNORMAL

    async def _take_events(self) -> None:
        for event in self._socket.events():
            if isinstance(event, Ping) and self._socket.state is ConnectionState.OPEN:
                await self._write(event.response())
            elif isinstance(event, CloseConnection):
                # Of the parser's own making while it is open: what came was no frame.
                if self._socket.state in (ConnectionState.REMOTE_CLOSING, ConnectionState.OPEN):
                    await self._write(event.response())
                self._close_code = event.code
            elif isinstance(event, TextMessage | BytesMessage):
                await self._take_message(event)

    async def _take_message(self, event: TextMessage | BytesMessage) -> None:
        self._message.append(event.data if isinstance(event.data, str) else bytes(event.data))
        if sum(map(len, self._message)) > MAX_MESSAGE_CHARS:
            self._message.clear()
            await self._close(TOO_BIG, "nothing this long is read here")
            self._close_code = ABNORMAL
        elif event.message_finished:
            texts = [one for one in self._message if isinstance(one, str)]
            data = [one for one in self._message if isinstance(one, bytes)]
            self._message.clear()
            if isinstance(event, TextMessage):
                self._pending.append({"type": "websocket.receive", "text": "".join(texts)})
            else:
                self._pending.append({"type": "websocket.receive", "bytes": b"".join(data)})

    async def send(self, message: Message) -> None:
        """Accept, refuse, send or close. OSError once the other side has gone."""
        kind = message["type"]
        if kind == "websocket.accept":
            headers = [(name, value) for name, value in message.get("headers", ())]
            accepted = AcceptConnection(extra_headers=headers)
            await self._write(accepted)
            self._open = True
            if early := self._connection.requests.unread:
                await self._take(early)
        elif kind == "websocket.send":
            text = message.get("text")
            told = BytesMessage(message["bytes"]) if text is None else TextMessage(text)
            await self._write(told)
            if self._wire.broken:
                raise ConnectionError("the reader of the WebSocket has gone")
        elif kind == "websocket.close" and self._open:
            await self._close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.close":
            await self._connection.refuse(403, "no WebSocket can be opened here")
        else:
            await self._send_refusal(message)

    async def _send_refusal(self, message: Message) -> None:
        """An HTTP answer in place of the change."""
        if message["type"] == "websocket.http.response.start":
            data = self._connection.head(message["status"], message["headers"])
        else:
            more = message.get("more_body", False)
            data = self._connection.answer.part(message.get("body", b""), more=more)
        await self._wire.send(data)

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            await self._write(CloseConnection(code=code, reason=reason))

    async def _write(self, event: Event) -> None:
        # A pong must not come into the midst of a frame of the application's.
        async with self._sending:
            try:
                await self._wire.send(self._socket.send(event))
            except LocalProtocolError:
                # It was closed meanwhile, from the other side.
                raise ConnectionError("the WebSocket is closed") from None
