"""HTTP/1.1 on one connection: h11 reads and writes the protocol, an ASGI application answers.

A connection is one task, and so is all that it answers: requests come one after another, pipelined
ones wait in the parser, and a body is read only as fast as the application takes it.
"""

from __future__ import annotations

import email.utils
import functools
import logging
import math
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

import h11
import trio
from starlette.types import ASGIApp, Message, Scope

from mesh.edge.http.errors import API_COMPONENT, error_response
from mesh.edge.http.websocket import SocketExchange, wants_socket
from mesh.edge.http.wire import LINGER_S, Wire
from mesh.member.commands import Problem

IDLE_S = 600.0
"""Clients that poll keep one connection, also through a pause of minutes."""
HEAD_S = 10.0
"""From the first byte of a request to the end of its head: a client sends it at once."""
BODY_S = 30.0
"""Between two pieces of a body."""
MAX_HEAD_BYTES = 16 << 10
MAX_EARLY_BYTES = 64 << 10
"""What is read ahead of the present request while its answer is made; who sends more is cut off."""
ASGI = {"version": "3.0", "spec_version": "2.1"}
NO_BODY = (204, 304)
WHOLE = (h11.DONE, h11.MUST_CLOSE)
Address = tuple[str, int]

log = logging.getLogger("mesh.edge.http.server")


class Connection:
    """One client's connection to the API."""

    def __init__(
        self,
        app: ASGIApp,
        wire: Wire,
        *,
        client: Address | None,
        server: Address | None,
        stopping: Callable[[], bool],
    ) -> None:
        self._app = app
        self.wire = wire
        self._client = client
        self._server = server
        self.stopping = stopping
        self.parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.idle = True
        """Between two requests."""
        self.awaited = ""
        """The part of a request, `head` or `body`, that has begun and is waited for."""
        self._method = b""
        """Of the present request."""

    async def run(self) -> None:
        """Serve it until either side ends it."""
        try:
            with self.wire.patience:
                await self._serve()
            late = self.wire.patience.cancelled_caught and self.awaited
            if late and not self.stopping():
                with trio.move_on_after(LINGER_S):
                    await self.refuse(408, f"the {late} of the request did not arrive in time")
        finally:
            self.wire.close()

    async def _serve(self) -> None:
        try:
            while (request := await self._next_request()) is not None:
                if not request.http_version.startswith(b"1."):
                    await self.refuse(505, "only HTTP/1.1 is spoken here")
                    return
                if wants_socket(request):
                    exchange = SocketExchange(self, request, self._scope_of(request, "websocket"))
                    await exchange.run(self._app)
                    return
                if not await Exchange(self, self._scope_of(request, "http")).run(self._app):
                    return
        except h11.RemoteProtocolError as error:
            await self.refuse(error.error_status_hint, f"the request is not HTTP/1.1: {error}")

    async def _next_request(self) -> h11.Request | None:
        self.idle, self.awaited, self._method = True, "", b""
        self.wire.wait_for(IDLE_S)
        while not self.stopping():
            event = self.parser.next_event()
            if isinstance(event, h11.Request):
                self.idle, self.awaited, self._method = False, "", event.method
                self.wire.wait_for(math.inf)
                return event
            if event is not h11.NEED_DATA:
                return None
            if not self.awaited and self.parser.trailing_data[0]:
                self.awaited = "head"
                self.wire.wait_for(HEAD_S)
            self.parser.receive_data(await self.wire.receive())
        return None

    def _scope_of(self, request: h11.Request, kind: str) -> Scope:
        path, _, query = request.target.partition(b"?")
        text = path.decode("ascii")
        return {
            "type": kind,
            "asgi": ASGI,
            "http_version": request.http_version.decode("ascii"),
            "method": request.method.decode("ascii").upper(),
            "scheme": "http" if kind == "http" else "ws",
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(request.headers),
            "client": self._client,
            "server": self._server,
            "extensions": {} if kind == "http" else {"websocket.http.response": {}},
        }

    def head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The head of an answer; it says so when the connection cannot go on after it."""
        told = [*headers, (b"date", _date(int(time.time())))]
        if self.stopping() or self.parser.their_state is not h11.DONE:
            told.append((b"connection", b"close"))
        return self.parser.send(h11.Response(status_code=status, headers=told)) or b""

    async def refuse(self, status: int, message: str) -> None:
        """Answer a request that reaches no application, where that can still be done, and part."""
        if self.parser.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            code = "InternalError" if status == 500 else "BadRequest"
            problem = Problem(code, message, status=status, component=API_COMPONENT)
            request_id = secrets.token_hex(16)
            response = error_response(problem, request_id)
            told = (b"x-request-id", request_id.encode())
            parts = [self.head(status, [*response.raw_headers, told])]
            if self._method != b"HEAD":
                parts.append(self.parser.send(h11.Data(data=bytes(response.body))) or b"")
            await self.wire.send(b"".join(parts))
        await self.wire.linger()


class Exchange:
    """One request and its answer, as the two channels of an ASGI application."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._parser = connection.parser
        self._scope = scope
        self._asked = False
        """The whole request was handed out, or nobody wants the rest of it."""
        self._head: Message | None = None
        """An answer's head that waits for its body: both go in one packet."""
        self._mute = scope["method"] == "HEAD"
        self._error: h11.RemoteProtocolError | None = None

    async def run(self, app: ASGIApp) -> bool:
        """Have it answered; whether another request can follow."""
        parser, connection = self._parser, self._connection
        try:
            await app(self._scope, self.receive, self.send)
        except* Exception as errors:
            # The application has told its log all about it.
            log.debug("an answer ended early: %r", errors)
        if parser.our_state is h11.SEND_RESPONSE:
            if self._error is not None:
                raise self._error
            await connection.refuse(500, "this node met an error of its own and could not answer")
            return False
        if parser.our_state not in WHOLE or self._wire.broken:
            return False
        if parser.our_state is h11.MUST_CLOSE or parser.their_state is not h11.DONE:
            # What may still be on its way must not destroy the answer.
            await self._wire.linger()
            return False
        if connection.stopping():
            return False
        parser.start_next_cycle()
        return True

    async def receive(self) -> Message:
        """The next piece of the body; after the last, and once the client has gone, that."""
        if not self._asked:
            try:
                return await self._next_piece()
            except h11.RemoteProtocolError as error:
                self._error, self._asked = error, True
        else:
            await self._until_gone()
        return {"type": "http.disconnect"}

    async def _next_piece(self) -> Message:
        parser = self._parser
        if parser.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            await self._wire.send(parser.send(go_on) or b"")
        pieces: list[bytes] = []
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            elif event is h11.NEED_DATA:
                if pieces:
                    break
                self._connection.awaited = "body"
                self._wire.wait_for(BODY_S)
                parser.receive_data(await self._wire.receive())
                self._wire.wait_for(math.inf)
                self._connection.awaited = ""
            else:
                self._asked = True
                break
        return {
            "type": "http.request",
            "body": b"".join(pieces),
            "more_body": not self._asked,
        }

    async def _until_gone(self) -> None:
        while not self._wire.ended and self._error is None:
            if len(self._parser.trailing_data[0]) > MAX_EARLY_BYTES:
                return  # whether a flood has an end is not seen without reading it
            self._parser.receive_data(await self._wire.receive())

    async def send(self, message: Message) -> None:
        """Part of the answer: `http.response.start`, then bodies. Waits for a slow reader."""
        if message["type"] == "http.response.start":
            self._head = message
            if any(name.lower() == b"content-length" for name, _ in message["headers"]):
                return
            # A feed: its reader may wait long for the first news, and for the head until then.
            await self._wire.send(self._take_head())
            return
        parts = [] if self._head is None else [self._take_head()]
        data = message.get("body", b"")
        if data and not self._mute:
            parts.append(self._parser.send(h11.Data(data=data)) or b"")
        more = message.get("more_body", False)
        if not more:
            parts.append(self._parser.send(h11.EndOfMessage()) or b"")
        await self._wire.send(b"".join(parts))
        if more:
            await trio.lowlevel.checkpoint()

    def _take_head(self) -> bytes:
        assert self._head is not None
        head, self._head = self._head, None
        self._mute = self._mute or head["status"] in NO_BODY
        self._drop_rest()
        return self._connection.head(head["status"], head["headers"])

    def _drop_rest(self) -> None:
        """Who is answered before all was read reads no more; what is here already is dropped."""
        if self._asked:
            return
        self._asked = True
        event: Any = None
        try:
            while event is not h11.NEED_DATA and not isinstance(event, h11.EndOfMessage):
                event = self._parser.next_event()
        except h11.RemoteProtocolError as error:
            self._error = error


@functools.lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return email.utils.formatdate(second, usegmt=True).encode("ascii")
