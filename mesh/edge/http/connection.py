"""HTTP/1.1 on one connection: requests as they come, each answered by an ASGI application.

A connection is one task, and so is all that it answers: requests come one after another, pipelined
ones wait in the parser, and a body is read only as fast as the application takes it.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Callable, Iterable
from urllib.parse import unquote

import trio
from starlette.types import ASGIApp, Message, Scope

from mesh.edge.http.errors import API_COMPONENT, error_response
from mesh.edge.http.incoming import Head, NotHttp, Requests
from mesh.edge.http.outgoing import GO_ON, Answer
from mesh.edge.http.websocket import SocketExchange
from mesh.edge.http.wire import LINGER_S, Wire
from mesh.member.commands import Problem

HEAD_S = 10.0
"""From the first byte of a request to the end of its head: a client sends it at once."""
BODY_S = 30.0
"""Between two pieces of a body."""
MAX_EARLY_BYTES = 64 << 10
"""What is read ahead of the present request while its answer is made; who sends more is cut off."""
ASGI = {"version": "3.0", "spec_version": "2.1"}
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
        self.requests = Requests()
        self.answer = Answer()
        """To the present request, or to one that has not come."""
        self.idle_since_s = trio.current_time()
        """Since when it is between two requests, on trio's clock; infinity when it is not."""
        self.awaited = ""
        """The part of a request, `head` or `body`, that has begun and is waited for."""
        self.is_last = False
        """Nothing can follow the present request."""

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
                if request.to_socket:
                    exchange = SocketExchange(self, request, self._scope_of(request, "websocket"))
                    await exchange.run(self._app)
                    return
                scope = self._scope_of(request, "http")
                if not await Exchange(self, request, scope).run(self._app):
                    return
        except NotHttp as error:
            await self.refuse(error.status, error.message)

    async def _next_request(self) -> Head | None:
        self.idle_since_s = trio.current_time()
        self.awaited, self.answer, self.is_last = "", Answer(), False
        came_early = True
        while not self.stopping():
            request = self.requests.next_untrusted()
            if request is not None:
                assert isinstance(request, Head)
                if came_early:  # who has many in a row must not keep others waiting
                    await trio.lowlevel.checkpoint()
                if self.awaited:
                    self.wire.wait_for(math.inf)
                self.idle_since_s, self.awaited = math.inf, ""
                self.answer = Answer(request.version, is_mute=request.method == "HEAD")
                self.is_last = request.is_last or request.to_socket
                return request
            if self.wire.ended:
                return None
            if self.requests.begun and not self.awaited:
                self.awaited = "head"
                self.wire.wait_for(HEAD_S)
            self.requests.take(await self.wire.receive())
            came_early = False
        return None

    def _scope_of(self, request: Head, kind: str) -> Scope:
        path, _, query = request.target.partition(b"?")
        text = path.decode("ascii")
        return {
            "type": kind,
            "asgi": ASGI,
            "http_version": request.version,
            "method": request.method,
            "scheme": "http" if kind == "http" else "ws",
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": request.headers,
            "client": self._client,
            "server": self._server,
            "extensions": {} if kind == "http" else {"websocket.http.response": {}},
        }

    def head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The head of an answer; it says so when the connection cannot go on after it."""
        self.is_last = self.is_last or self.stopping()
        return self.answer.head(status, headers, is_last=self.is_last)

    async def refuse(self, status: int, message: str) -> None:
        """Answer a request that reaches no application, where that can still be done, and part."""
        if not self.answer.begun:
            code = "InternalError" if status == 500 else "BadRequest"
            problem = Problem(code, message, status=status, component=API_COMPONENT)
            request_id = secrets.token_hex(16)
            response = error_response(problem, request_id)
            self.is_last = True
            head = self.head(
                status, [*response.raw_headers, (b"x-request-id", request_id.encode())]
            )
            await self.wire.send(head + self.answer.part(bytes(response.body), more=False))
        await self.wire.linger()


class Exchange:
    """One request and its answer, as the two channels of an ASGI application."""

    def __init__(self, connection: Connection, request: Head, scope: Scope) -> None:
        self._connection = connection
        self._requests = connection.requests
        self._answer = connection.answer
        self._wire = connection.wire
        self._scope = scope
        self._waits = request.waits
        self._asked = False
        """The whole request was handed out, or nobody wants the rest of it."""
        self._head: Message | None = None
        """An answer's head that waits for its body: both go in one packet."""
        self._error: NotHttp | None = None

    async def run(self, app: ASGIApp) -> bool:
        """Have it answered; whether another request can follow."""
        connection = self._connection
        try:
            await app(self._scope, self.receive, self.send)
        except* Exception as errors:
            # The application has told its log all about it.
            log.debug("an answer ended early: %r", errors)
        if not self._answer.begun:
            if self._error is not None:
                raise self._error
            await connection.refuse(500, "this node met an error of its own and could not answer")
            return False
        if not self._answer.whole or self._wire.broken:
            return False
        if connection.is_last:
            # What may still be on its way must not destroy the answer.
            await self._wire.linger()
            return False
        return True

    async def receive(self) -> Message:
        """The next piece of the body; after the last, and once the client has gone, that."""
        if not self._asked:
            try:
                return await self._next_piece()
            except NotHttp as error:
                self._error, self._asked = error, True
        else:
            await self._until_gone()
        return {"type": "http.disconnect"}

    async def _next_piece(self) -> Message:
        pieces: list[bytes] = []
        while not self._asked:
            piece = self._requests.next_untrusted()
            if piece is not None:
                assert isinstance(piece, bytes)
                pieces.append(piece)
                self._asked = not piece
            elif pieces:
                break
            else:
                await self._read_on()
        return {
            "type": "http.request",
            "body": pieces[0] if len(pieces) == 1 else b"".join(pieces),
            "more_body": not self._asked,
        }

    async def _read_on(self) -> None:
        if self._waits:
            self._waits = False
            await self._wire.send(GO_ON)
        self._connection.awaited = "body"
        self._wire.wait_for(BODY_S)
        self._requests.take(await self._wire.receive())
        self._wire.wait_for(math.inf)
        self._connection.awaited = ""

    async def _until_gone(self) -> None:
        while not self._wire.ended and self._error is None:
            if len(self._requests.unread) > MAX_EARLY_BYTES:
                return  # whether a flood has an end is not seen without reading it
            self._requests.take(await self._wire.receive())

    async def send(self, message: Message) -> None:
        """Part of the answer: `http.response.start`, then bodies. Waits for a slow reader."""
        if message["type"] == "http.response.start":
            self._head = message
            if any(name == b"content-length" for name, _ in message["headers"]):
                return
            # A feed: its reader may wait long for the first news, and for the head until then.
            await self._wire.send(self._take_head())
            return
        head = b"" if self._head is None else self._take_head()
        more = message.get("more_body", False)
        await self._wire.send(head + self._answer.part(message.get("body", b""), more=more))
        if more:
            await trio.lowlevel.checkpoint()

    def _take_head(self) -> bytes:
        assert self._head is not None
        head, self._head = self._head, None
        self._drop_rest()
        return self._connection.head(head["status"], head["headers"])

    def _drop_rest(self) -> None:
        """Who is answered before all was read reads no more; what is here already is dropped."""
        try:
            while not self._asked:
                piece = self._requests.next_untrusted()
                self._asked = not piece
                self._connection.is_last = self._connection.is_last or piece is None
        except NotHttp as error:
            self._error, self._asked, self._connection.is_last = error, True, True
