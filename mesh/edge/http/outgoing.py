"""One answer as bytes: its head, and how the end of its body is told."""

from __future__ import annotations

import email.utils
import functools
import time
from collections.abc import Iterable
from http import HTTPStatus

STATUS_LINES = {
    one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode("ascii") for one in HTTPStatus
}
NO_BODY = (204, 304)
GO_ON = STATUS_LINES[100] + b"\r\n"


class Answer:
    """The parts of one answer, in the order in which they are sent."""

    def __init__(self, version: str = "1.1", *, is_mute: bool = False) -> None:
        self._version = version
        self._is_mute = is_mute
        """A head is wanted, and no body: it is left out, whatever is given."""
        self._in_chunks = False
        self._left_bytes: int | None = None
        """Of a body whose length was told."""
        self.begun = False
        self.whole = False
        """Nothing of it is missing."""

    def head(self, status: int, headers: Iterable[tuple[bytes, bytes]], *, is_last: bool) -> bytes:
        """The head; names are in lower case. A body of no told length is sent in chunks where its
        reader knows them, else up to the end of the connection, which `is_last` announces.

        Raises ValueError for a header that would be read as more than one.
        """
        told = list(headers)
        self._is_mute = self._is_mute or status in NO_BODY
        lengths = [int(value) for name, value in told if name == b"content-length"]
        if lengths:
            self._left_bytes = 0 if self._is_mute else lengths[0]
        elif self._version == "1.1" and status not in NO_BODY:
            self._in_chunks = not self._is_mute
            told.append((b"transfer-encoding", b"chunked"))
        told.append((b"date", _date(int(time.time()))))
        if is_last:
            told.append((b"connection", b"close"))
        lines = b"".join([b"%b: %b\r\n" % one for one in told])
        if not lines.count(b"\r") == lines.count(b"\n") == len(told):
            raise ValueError("a header of the answer holds the end of a line")
        self.begun = True
        return b"%b%b\r\n" % (STATUS_LINES[status], lines)

    def part(self, data: bytes, *, more: bool) -> bytes:
        """A piece of the body. ValueError for more of it than was told."""
        if self._is_mute:
            data = b""
        if self._left_bytes is not None:
            self._left_bytes -= len(data)
            if self._left_bytes < 0:
                raise ValueError("the answer is longer than its head tells")
        elif self._in_chunks and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if more:
            return data
        self.whole = not self._left_bytes
        return data + b"0\r\n\r\n" if self._in_chunks else data


@functools.lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return email.utils.formatdate(second, usegmt=True).encode("ascii")
