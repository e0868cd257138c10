"""What a program printed: two files and one framed log, bounded, and their ends for people.

This module is also loaded by itself in the wasm worker, which must start fast: standard library
only, nothing of ours.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable

CLOCK, STDOUT, STDERR, NOTE = 0, 1, 2, 3
STREAM_NAMES = {STDOUT: "stdout", STDERR: "stderr"}
FRAME_HEADER = struct.Struct(">BI")
"""Stream (0 clock, 1 stdout, 2 stderr, 3 note of the node) and length: one frame of a log, then its
bytes."""
CLOCK_TIME = struct.Struct(">Q")
"""The bytes of a clock frame: when what follows it was printed, milliseconds since 1970."""
CLOCK_STEP_MS = 1000
"""Readers ask for output since a time in seconds: a clock frame stands before the first frame, and
before one that is this much later than the last clock frame."""
TAIL_BYTES = 2048
"""Kept of the end of each stream for the record."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class OutputStream:
    """One stream on its way to its file and to the common log. Files, and the folder of the
    former, are made by the first byte."""

    def __init__(
        self,
        stream: int,
        path: str,
        log: str,
        limit_bytes: int,
        wall_ms: Callable[[], int] = _wall_ms,
        *,
        kept_bytes: int = 0,
    ) -> None:
        """`kept_bytes` of it are there already, from an earlier life."""
        self._stream = stream
        self._path = path
        self._log = log
        self._limit_bytes = limit_bytes
        self._left_bytes = max(0, limit_bytes - kept_bytes)
        self._cut_told = not self._left_bytes
        self._wall_ms = wall_ms
        self._told_ms: int | None = None
        self._handles: tuple[int, int] | None = None
        self.size_bytes = 0
        """All that was printed, kept or not."""
        self.tail = b""

    def write(self, data: bytes) -> int:
        """Take what the program printed; how much of it was taken: always all."""
        self.size_bytes += len(data)
        self.tail = (self.tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]
        kept = data[: self._left_bytes]
        if kept:
            self._left_bytes -= len(kept)
            to_file, to_log = self._handles or self._open()
            _write_all(to_file, kept)
            header = FRAME_HEADER.pack(self._stream, len(kept))
            _write_all(to_log, self._clock() + header + kept)
        if len(kept) < len(data) and not self._cut_told:
            self._cut_told = True
            name = STREAM_NAMES[self._stream]
            write_note(
                self._log, f"{name} is kept up to {_size(self._limit_bytes)}: the rest is not"
            )
        return len(data)

    def close(self) -> None:
        """No more output."""
        for handle in self._handles or ():
            os.close(handle)
        self._handles = None

    def _clock(self) -> bytes:
        now_ms = self._wall_ms()
        if self._told_ms is not None and abs(now_ms - self._told_ms) < CLOCK_STEP_MS:
            return b""
        self._told_ms = now_ms
        return FRAME_HEADER.pack(CLOCK, CLOCK_TIME.size) + CLOCK_TIME.pack(max(now_ms, 0))

    def _open(self) -> tuple[int, int]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            to_file = os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)
            to_file = os.open(self._path, flags, 0o600)
        self._handles = (to_file, os.open(self._log, flags, 0o600))
        return self._handles


def _size(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.0f} MiB" if size_bytes >= 1 << 20 else f"{size_bytes} bytes"


def write_note(log: str, sentence: str) -> None:
    """A remark of the node's own: in the log alone, no part of what the program printed."""
    line = f"[bacalhau-mesh: {sentence}]\n".encode()
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _write_all(handle, FRAME_HEADER.pack(NOTE, len(line)) + line)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def read_tail(path: str) -> tuple[bytes, int]:
    """The end of a stream's file and its size in bytes; nothing where there is no file."""
    try:
        with open(path, "rb", buffering=0) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            file.seek(max(0, size_bytes - TAIL_BYTES))
            return file.read(TAIL_BYTES), size_bytes
    except FileNotFoundError:
        return b"", 0
