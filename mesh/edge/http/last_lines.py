"""The end of an output that comes in pieces."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator


class LastLines:
    """The last lines of both streams together, in the order in which they began."""

    def __init__(self, count: int) -> None:
        self._lines: deque[tuple[int, list[str]]] = deque(maxlen=count)
        self._open: dict[int, list[str]] = {}

    def add(self, stream: int, text: str) -> None:
        """More output: a line ends with its line feed, in whatever pieces it comes."""
        for piece in io.StringIO(text, newline="\n"):
            pieces = self._open.get(stream)
            if pieces is None:
                pieces = self._open[stream] = []
                self._lines.append((stream, pieces))
            pieces.append(piece)
            if piece.endswith("\n"):
                del self._open[stream]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for stream, pieces in self._lines:
            yield stream, "".join(pieces)
