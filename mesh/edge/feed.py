"""The live feed (pure): changes in the order in which they were made, encoded once for all readers.

A ring keeps the last of them, bounded by count and bytes. A reader has a position in it; one whose
position has fallen off, because it was away or reads too slowly, needs a snapshot. So nothing ever
queues for a reader.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TOPICS = ("nodes", "jobs", "executions", "events")
KEPT_ENTRIES = 2_048
"""More than three minutes at ten a second: a reader that reconnects finds what it missed."""
KEPT_BYTES = 4 << 20
"""A burst of some thousand jobs; a reader that cannot follow is better served by a snapshot."""
SEND_BYTES = 256 << 10
"""At most in one go to one reader, so that what waits in its socket stays small."""
STILL_HERE = b": still here\n\n"

_KEYS = {"nodes": "Nodes", "jobs": "Jobs", "executions": "Executions", "events": "Events"}
_ALL = frozenset(TOPICS)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has read, as the id of a frame: a boot of the node, and a number in it."""

    boot: int
    number: int

    def __str__(self) -> str:
        return f"{self.boot:x}-{self.number}"


def read_position_untrusted(text: str) -> Position | None:
    """The position in a frame's id; None for any other text, which asks for a snapshot."""
    boot, _, number = text.partition("-")
    if not (0 < len(boot) <= 16 and set(boot) <= set("0123456789abcdef")):
        return None
    if not (number.isascii() and number.isdecimal() and len(number) <= 15):
        return None
    return Position(int(boot, 16), int(number))


@dataclass(slots=True)
class Parts:
    """One frame's content by key, encoded; what went away stands under `gone`."""

    rows: Mapping[str, bytes]
    gone: Mapping[str, Sequence[str]] = field(default_factory=dict)
    frames: dict[frozenset[str], bytes] = field(default_factory=dict)
    """Frames made of it, by topics."""

    @property
    def size_bytes(self) -> int:
        """Of all rows."""
        return sum(map(len, self.rows.values()))


def encode_rows(**rows: Any) -> dict[str, bytes]:
    """Each that is not empty as compact JSON."""
    return {
        key: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        for key, value in rows.items()
        if value
    }


def changes_frame(parts: Parts, position: Position | None, topics: frozenset[str]) -> bytes:
    """The frame of changes for readers of these topics; empty when there is nothing for them.

    Without a position there is nothing to go on from after it.
    """
    made = parts.frames.get(topics)
    if made is None:
        content = _content(parts, topics)
        made = _frame(f"{_id(position)}event: changes\n", content) if content else b""
        parts.frames[topics] = made
    return made


def snapshot_frames(
    pieces: Sequence[Parts], position: Position | None, topics: frozenset[str]
) -> Iterator[bytes]:
    """The frames of a snapshot, made one at a time: many may be read at once. The last one alone
    has an id: a part is nothing to go on from."""
    for number, parts in enumerate(pieces, 1):
        more = number < len(pieces)
        head = [b'"Piece":%d,"More":%s' % (number, b"true" if more else b"false")]
        told = "event: snapshot\n" if more else f"{_id(position)}event: snapshot\n"
        yield _frame(told, [*head, *_content(parts, topics)])


def _content(parts: Parts, topics: frozenset[str]) -> list[bytes]:
    wanted = {"Mesh", *(_KEYS[one] for one in topics)}
    content = [b'"%s":%s' % (k.encode(), v) for k, v in parts.rows.items() if k in wanted]
    gone = {key: list(ids) for key, ids in parts.gone.items() if key in wanted and ids}
    if gone:
        content.append(b'"Gone":%s' % json.dumps(gone, separators=(",", ":")).encode())
    return content


def _id(position: Position | None) -> str:
    return "" if position is None else f"id: {position}\n"


def _frame(head: str, content: Collection[bytes]) -> bytes:
    return b"%sdata: {%s}\n\n" % (head.encode(), b",".join(content))


class Ring:
    """The last changes of one boot of the node."""

    def __init__(
        self, boot: int, *, entries_max: int = KEPT_ENTRIES, bytes_max: int = KEPT_BYTES
    ) -> None:
        self.boot = boot
        self._entries: deque[Parts] = deque()
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._size_bytes = 0
        self._number = 0

    @property
    def position(self) -> Position:
        """That of the newest change."""
        return Position(self.boot, self._number)

    def add(self, parts: Parts) -> None:
        """One more change; the oldest give way."""
        self._entries.append(parts)
        self._number += 1
        self._size_bytes += parts.size_bytes
        while len(self._entries) > self._entries_max or (
            self._size_bytes > self._bytes_max and len(self._entries) > 1
        ):
            self._size_bytes -= self._entries.popleft().size_bytes

    def holds(self, position: Position) -> bool:
        """Whether a reader that has read so far can go on from there."""
        behind = self._number - position.number
        return position.boot == self.boot and 0 <= behind <= len(self._entries)

    def since(self, position: Position) -> list[Parts]:
        """What was added after a position that is held."""
        return list(self._entries)[len(self._entries) - (self._number - position.number) :]

    def next_for(
        self, position: Position, topics: frozenset[str] = _ALL
    ) -> tuple[bytes, Position] | None:
        """Frames after a position, and the position after them: no bytes when nothing is there for
        these topics. None: a snapshot is needed."""
        if not self.holds(position):
            return None
        frames: list[bytes] = []
        size_bytes, number = 0, position.number
        first = self._number - len(self._entries)
        while number < self._number and size_bytes < SEND_BYTES:
            parts = self._entries[number - first]
            number += 1
            frame = changes_frame(parts, Position(self.boot, number), topics)
            size_bytes += len(frame)
            frames.append(frame)
        return b"".join(frames), Position(self.boot, number)
