"""Raw bytes to and from a served API: what clients of good and of bad will send."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mesh.edge.http.connection import Connection
from mesh.edge.http.wire import Wire

PATIENCE_S = 10.0
HOST = b"Host: 127.0.0.1\r\n"


@asynccontextmanager
async def served(
    app: ASGIApp, *, stopping: Callable[[], bool] = bool, patience_s: float = PATIENCE_S
) -> AsyncIterator[trio.SocketStream]:
    """One client's end of a connection that `app` answers, over a socket pair; the test fails when
    it does not end with the client's."""
    ours, theirs = trio.socket.socketpair()
    taken = socket.socket(fileno=theirs.detach())
    connection = Connection(app, Wire(taken), client=None, server=None, stopping=stopping)
    with trio.fail_after(patience_s):
        async with trio.open_nursery() as nursery, trio.SocketStream(ours) as stream:
            nursery.start_soon(connection.run)
            yield stream


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Everything up to the other side's end; what came before a reset counts."""
    data = b""
    try:
        while more := await stream.receive_some():
            data += more
    except trio.BrokenResourceError:
        pass
    return data


async def read_until(stream: trio.abc.ReceiveStream, mark: bytes) -> bytes:
    """What comes until `mark` has."""
    data = bytearray()
    more: bytes = b""
    while data.find(mark, max(0, len(data) - len(more) - len(mark))) < 0:
        more = bytes(await stream.receive_some())
        assert more, data
        data += more
    return bytes(data)


def statuses(data: bytes) -> list[int]:
    """Of the answers in it."""
    return [int(one) for one in re.findall(rb"HTTP/1.1 (\d{3}) ", data)]


def error_of(data: bytes) -> Any:
    return json.loads(data.partition(b"\r\n\r\n")[2])


async def respond(send: Send, body: bytes, status: int = 200) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Receive) -> tuple[bytes, Message]:
    """(The body, the message that ended it.)"""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body, message
        body += message["body"]
        if not message["more_body"]:
            return body, message


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
