"""Requests from the bytes of one connection, in the order in which they came: llhttp reads them.

What it lets pass and this API does not is looked at here: hosts, codings of a body, other versions.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import httptools

MAX_HEAD_BYTES = 16 << 10
LOOKED_AT = frozenset((b"connection", b"expect", b"host", b"transfer-encoding", b"upgrade"))


class NotHttp(Exception):
    """What came is no request that can be answered: a status of 4xx or 5xx and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Head(NamedTuple):
    """The head of one request."""

    method: str
    target: bytes
    version: str
    """`1.0` or `1.1`."""
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    is_last: bool
    """Its sender wants nothing to follow the answer."""
    waits: bool
    """Its sender wants to hear that it should go on before it sends the body."""
    to_socket: bool
    """A change to a WebSocket is asked for: what follows is not HTTP."""


class Requests:
    """Takes bytes, gives the parts of requests."""

    def __init__(self) -> None:
        self.unread = b""
        """Bytes that nobody has asked for; after a head `to_socket`, those that came with it."""
        self.begun = False
        """Of the next or present request something has come, but not all."""
        self._ended = False
        self._parts: deque[Head | bytes | NotHttp] = deque()
        self._parser = httptools.HttpRequestParser(self)
        self._is_body = False
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._idle_bytes = 0
        """So many came without making a part."""

    def take(self, data: bytes) -> None:
        """More bytes; none say that nothing follows."""
        self._ended = not data
        self.unread = self.unread + data if self.unread else data

    def next_untrusted(self) -> Head | bytes | None:
        """A head, then pieces of its body, then b"" for its end; None while there is nothing yet.

        Raises NotHttp, now and whenever asked again, where no request can be read any more.
        """
        while not self._parts and self.unread:
            data, self.unread = self.unread, b""
            self._read(data)
        if not self._parts:
            if self._ended and self.begun:
                raise NotHttp(400, "the request breaks off before its end")
            return None
        part = self._parts.popleft()
        if isinstance(part, NotHttp):
            self._parts.appendleft(part)
            raise part
        return part

    def _read(self, data: bytes) -> None:
        self._idle_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as change:
            self._change(data[change.args[0] :])
        except httptools.HttpParserError as error:
            self._parts.append(self._problem(error))
        else:
            if self._idle_bytes > MAX_HEAD_BYTES:
                self._parts.append(_too_long("this part of the request"))

    def _problem(self, error: httptools.HttpParserError) -> NotHttp:
        if isinstance(error.__context__, NotHttp):
            return error.__context__
        if self._parser.get_method() == b"PRI":
            return NotHttp(505, "only HTTP/1.1 is spoken here")
        return NotHttp(400, f"the request is not HTTP/1.1: {error}")

    def _change(self, rest: bytes) -> None:
        """Another protocol is asked for: WebSockets are known here, all else is passed over."""
        self._parts.pop()
        head = self._parts[-1]
        assert isinstance(head, Head)
        if head.to_socket:
            self.unread = rest
            return
        self._parts.pop()
        lines = [b"%b: %b\r\n" % one for one in head.headers if one[0] != b"upgrade"]
        first = b"%b %b HTTP/%b\r\n" % (head.method.encode(), head.target, head.version.encode())
        self._parser = httptools.HttpRequestParser(self)
        self.unread = b"".join((first, *lines, b"\r\n", rest))

    # What the parser calls.

    def on_message_begin(self) -> None:
        self.begun, self._is_body = True, False
        self._target, self._headers, self._head_bytes = b"", [], 0

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of the head, or of those that may follow a body in chunks, which nobody reads."""
        self._count(len(name) + len(value))
        if not self._is_body:
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def _count(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _too_long("the head of the request")

    def on_headers_complete(self) -> None:
        parser = self._parser
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise NotHttp(505, "only HTTP/1.1 is spoken here")
        told: dict[bytes, bytes] = {}
        for name, value in self._headers:
            if name in LOOKED_AT:
                if name in told:
                    if name == b"host":
                        raise NotHttp(400, "the request names more than one Host")
                    value = told[name] + b"," + value
                told[name] = value
        if version == "1.1" and b"host" not in told:
            raise NotHttp(400, "the request names no Host")
        if told.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise NotHttp(501, "of transfer codings only chunked is known here")
        method = parser.get_method().decode("ascii")
        if method == "CONNECT":
            raise NotHttp(501, "this is no proxy: nothing is connected here")
        self._is_body, self._idle_bytes = True, 0
        self._parts.append(
            Head(
                method,
                self._target,
                version,
                self._headers,
                is_last=version == "1.0" or b"close" in _tokens(told.get(b"connection", b"")),
                waits=version == "1.1" and told.get(b"expect", b"").lower() == b"100-continue",
                to_socket=parser.should_upgrade() and told[b"upgrade"].lower() == b"websocket",
            )
        )

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self.begun, self._idle_bytes = False, 0
        self._parts.append(b"")


def _tokens(value: bytes) -> list[bytes]:
    return [one.strip() for one in value.lower().split(b",")] if value else []


def _too_long(what: str) -> NotHttp:
    return NotHttp(431, f"{what} is longer than {MAX_HEAD_BYTES} bytes")
