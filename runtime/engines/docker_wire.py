"""Questions and streams over an engine's Unix socket, on trio, where the SDK needs a thread each.

A stream (output, events, a pull) is cancelled like anything else, and what the engine sends right
behind its head is not lost. HTTP/1.0 keeps bodies plain: no chunks, and the end is the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import trio

ANSWER_WAIT_S = 10.0
"""A busy engine answers small questions within a second or two; a hung one never."""
MAX_HEAD_BYTES = 64 << 10
MAX_ANSWER_BYTES = 16 << 20
"""A list of thousands of containers."""
MAX_LINE_BYTES = 1 << 20
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})\b")


class EngineAway(Exception):
    """The engine cannot be reached, or answers with nothing that makes sense: why, in words."""


class EngineRefused(Exception):
    """The engine said no."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        """Of HTTP: 400, 404, 409, 500, ..."""
        self.words = words
        """The engine's own."""


class Answer:
    """The body of one answer, as it comes."""

    def __init__(self, stream: trio.SocketStream, status: int, begun: bytes) -> None:
        self._stream = stream
        self._begun = begun
        self.status = status

    async def receive(self) -> bytes:
        """The next bytes; none at the end, also where the engine went away in the middle."""
        if self._begun:
            begun, self._begun = self._begun, b""
            return begun
        try:
            return bytes(await self._stream.receive_some())
        except trio.BrokenResourceError:
            return b""

    async def read_all(self) -> bytes:
        """The whole body. EngineAway when it is longer than any answer should be."""
        body = bytearray()
        while data := await self.receive():
            body += data
            if len(body) > MAX_ANSWER_BYTES:
                raise EngineAway("its answer does not end")
        return bytes(body)


class JsonLines:
    """Documents of an answer that has one a line."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._rest = b""

    async def next(self) -> Any:
        """The next document; None at the end. EngineAway for what is no JSON."""
        while b"\n" not in self._rest:
            data = await self._answer.receive()
            if not data:
                return None
            self._rest += data
            if len(self._rest) > MAX_LINE_BYTES:
                raise EngineAway("one line of its answer does not end")
        line, self._rest = self._rest.split(b"\n", 1)
        return _document(line) if line.strip() else await self.next()


@asynccontextmanager
async def asking(
    socket: str,
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    wait_s: float = ANSWER_WAIT_S,
) -> AsyncIterator[Answer]:
    """An answer while the block runs; its beginning is waited for. EngineAway, or EngineRefused for
    a status from 400 on."""
    target = f"{path}?{urlencode(query)}" if query else path
    lines = [f"{method} {target} HTTP/1.0", "Host: docker", "Content-Length: 0"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    stream = await _connect(socket)
    async with stream:
        try:
            with trio.fail_after(wait_s):
                await stream.send_all("\r\n".join([*lines, "", ""]).encode())
                answer = await _read_head(stream)
        except trio.TooSlowError:
            raise EngineAway(f"it gave no answer within {wait_s:.0f} s") from None
        except trio.BrokenResourceError:
            raise EngineAway("it hung up") from None
        if answer.status >= 400:
            with trio.move_on_after(ANSWER_WAIT_S):
                raise EngineRefused(answer.status, _message(await answer.read_all()))
            raise EngineAway("its answer does not end")
        yield answer


async def ask(socket: str, path: str, query: Mapping[str, str] | None = None) -> Any:
    """What a GET brings, as JSON. EngineAway or EngineRefused."""
    async with asking(socket, "GET", path, query) as answer:
        with trio.move_on_after(ANSWER_WAIT_S):
            return _document(await answer.read_all())
        raise EngineAway("its answer does not end")


async def _connect(socket: str) -> trio.SocketStream:
    try:
        return await trio.open_unix_socket(socket)
    except PermissionError:
        raise EngineAway("this user may not open its socket") from None
    except OSError as error:
        raise EngineAway(f"its socket does not answer ({error.strerror})") from None


async def _read_head(stream: trio.SocketStream) -> Answer:
    head = b""
    while b"\r\n\r\n" not in head:
        data = await stream.receive_some()
        if not data or len(head) > MAX_HEAD_BYTES:
            raise EngineAway("it hung up" if not data else "its answer is no HTTP")
        head += data
    match = _STATUS.match(head)
    if match is None:
        raise EngineAway("its answer is no HTTP")
    return Answer(stream, int(match[1]), head.split(b"\r\n\r\n", 1)[1])


def _document(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        raise EngineAway("its answer is no JSON, or half of one") from None


def _message(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["message"])
    except (ValueError, KeyError, TypeError):
        return raw[:1000].decode("utf-8", "replace")
