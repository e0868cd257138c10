"""What attempts printed, for readers: in order, streams apart, resumable by offset.

A log is a file of frames (stream, length, bytes) and an offset is a place between two of them. It
stays on the node that ran the attempt; any holder of the result can serve the streams one after the
other from the manifest. Everything here blocks on the disk: call it from a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runtime.outputs import CLOCK, CLOCK_STEP_MS, CLOCK_TIME, FRAME_HEADER, STDERR, STDOUT
from scheduler.ids import AttemptId, Digest
from storage.digest import Manifest

TOTAL_BYTES = 1 << 30
AGE_S = 30 * 86_400.0
"""Of logs whose attempt is over: results hold both streams too, and only their order is lost. As
long as finished jobs stay in the archive at least."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some output: parts as (stream, bytes), and the offset at which the next page begins."""

    parts: tuple[tuple[int, bytes], ...]
    next_offset: int


class Logs:
    """The log files of one node."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, attempt: AttemptId) -> Path:
        """Where the log of this attempt stands, once it has printed something."""
        if "/" in attempt or attempt.startswith("."):
            raise ValueError(f"{attempt!r} is not an attempt id")
        return self._folder / attempt

    def exists(self, attempt: AttemptId) -> bool:
        """Whether the attempt printed something here."""
        return self.path(attempt).exists()

    def size_bytes(self, attempt: AttemptId) -> int:
        """How long the log is now: greater than an offset, there is something to read."""
        try:
            return self.path(attempt).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, attempt: AttemptId, *, offset: int, limit_bytes: int) -> LogPage:
        """Whole frames from `offset` on, as many as fit in the limit, one at least. Nothing where
        there is no log. An offset that is not one of ours may give nonsense, never an error."""
        try:
            with open(self.path(attempt), "rb") as file:
                file.seek(offset)
                raw = file.read(limit_bytes + FRAME_HEADER.size)
                return _whole_frames(raw, offset, file.read)
        except FileNotFoundError:
            return LogPage((), offset)

    def offset_since(self, attempt: AttemptId, since_ms: int) -> int:
        """Where the output begins that was printed at `since_ms` (milliseconds since 1970) or, by
        less than a second, before it; the end of the log when all of it is older."""
        try:
            with open(self.path(attempt), "rb") as file:
                return _offset_since(file, since_ms)
        except FileNotFoundError:
            return 0

    def prune(
        self,
        under_way: Callable[[AttemptId], bool],
        now_s: float,
        *,
        total_bytes: int = TOTAL_BYTES,
        age_s: float = AGE_S,
    ) -> int:
        """Forget logs of attempts that are over, by their last byte: all beyond the age, and the
        oldest of the rest until they fit. `now_s` by the wall clock. How many went."""
        found: list[tuple[float, int, Path]] = []
        with os.scandir(self._folder) as scanned:
            for item in scanned:
                status = item.stat(follow_symlinks=False)
                if not under_way(AttemptId(item.name)):
                    found.append((status.st_mtime, status.st_size, Path(item.path)))
        left_bytes, gone = total_bytes, 0
        for written_s, size_bytes, path in sorted(found, reverse=True):
            left_bytes -= size_bytes
            if left_bytes < 0 or written_s < now_s - age_s:
                path.unlink(missing_ok=True)
                gone += 1
        return gone


def _offset_since(file: BinaryIO, since_ms: int) -> int:
    at = 0
    while len(header := file.read(FRAME_HEADER.size)) == FRAME_HEADER.size:
        stream, length = FRAME_HEADER.unpack(header)
        if stream == CLOCK:
            told = file.read(CLOCK_TIME.size)
            if len(told) < CLOCK_TIME.size or CLOCK_TIME.unpack(told)[0] + CLOCK_STEP_MS > since_ms:
                break
        at += FRAME_HEADER.size + length
        file.seek(at)
    return at


def _whole_frames(raw: bytes, offset: int, read_more: Callable[[int], bytes]) -> LogPage:
    parts: list[tuple[int, bytearray]] = []
    at = 0
    while True:
        if at + FRAME_HEADER.size > len(raw) and not parts:
            raw += read_more(at + FRAME_HEADER.size - len(raw))
        if at + FRAME_HEADER.size > len(raw):
            break
        stream, length = FRAME_HEADER.unpack_from(raw, at)
        end = at + FRAME_HEADER.size + length
        if end > len(raw) and not parts:
            raw += read_more(end - len(raw))
        if end > len(raw):
            break  # for the next page; or still being written, or cut off by a crash
        if stream != CLOCK:
            if not parts or parts[-1][0] != stream:
                parts.append((stream, bytearray()))
            parts[-1][1].extend(memoryview(raw)[at + FRAME_HEADER.size : end])
        at = end
    return LogPage(tuple((stream, bytes(body)) for stream, body in parts), offset + at)


def read_manifest_output(
    manifest: Manifest,
    find: Callable[[Digest], Path | None],
    *,
    offset: int,
    limit_bytes: int,
) -> LogPage | None:
    """Output of a finished attempt out of its result: all of stdout, then all of stderr; an offset
    counts their bytes. None when a blob is not on this node."""
    start = offset
    parts: list[tuple[int, bytes]] = []
    for stream, digest in ((STDOUT, manifest.stdout), (STDERR, manifest.stderr)):
        path = find(digest)
        if path is None:
            return None
        size_bytes = path.stat().st_size
        if start < size_bytes and limit_bytes > 0:
            with open(path, "rb") as file:
                file.seek(start)
                body = file.read(limit_bytes)
            parts.append((stream, body))
            limit_bytes -= len(body)
            offset += len(body)
        start = max(0, start - size_bytes)
    return LogPage(tuple(parts), offset)
