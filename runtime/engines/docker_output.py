"""A container's output on its way to the attempt's files, also across gaps.

After a gap the engine's own copy is read from its beginning, and as many bytes of each stream as
are here already are passed over. Blocks on the disk: call it from a thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runtime.outputs import CLOCK, FRAME_HEADER, NOTE, STDERR, STDOUT, OutputStream, read_tail
from runtime.ports import EngineJob

_HEADER_BYTES = 8
"""Stream, three zeros, length (big-endian): the engine's own framing."""

Part = tuple[int, bytes]


class Demultiplexer:
    """Takes the engine's framing off (pure). A frame of any length passes in the pieces it comes
    in."""

    def __init__(self) -> None:
        self._header = b""
        self._stream = 0
        self._left_bytes = 0

    def feed(self, data: bytes) -> list[Part]:
        """What came, by stream; others than the two that programs print to are passed over."""
        parts: list[Part] = []
        at = 0
        while at < len(data):
            if self._left_bytes == 0:
                take = min(_HEADER_BYTES - len(self._header), len(data) - at)
                self._header += data[at : at + take]
                at += take
                if len(self._header) == _HEADER_BYTES:
                    self._stream = self._header[0]
                    self._left_bytes = int.from_bytes(self._header[4:], "big")
                    self._header = b""
                continue
            piece = data[at : at + self._left_bytes]
            at += len(piece)
            self._left_bytes -= len(piece)
            if self._stream in (STDOUT, STDERR):
                parts.append((self._stream, piece))
        return parts


class Output:
    """Both streams of one attempt."""

    def __init__(self, job: EngineJob) -> None:
        self._job = job
        self._streams = {
            STDOUT: _stream(STDOUT, job.stdout, job, 0),
            STDERR: _stream(STDERR, job.stderr, job, 0),
        }
        self._pass_over = {STDOUT: 0, STDERR: 0}

    @property
    def stdout(self) -> OutputStream:
        """Sizes and tail of the one stream."""
        return self._streams[STDOUT]

    @property
    def stderr(self) -> OutputStream:
        """Sizes and tail of the other."""
        return self._streams[STDERR]

    def resume(self) -> None:
        """Go on after what an earlier agent wrote, once its torn end is repaired."""
        kept = _repair(self._job)
        for stream, path in ((STDOUT, self._job.stdout), (STDERR, self._job.stderr)):
            self._streams[stream] = _stream(stream, path, self._job, kept[stream])

    def begin_again(self) -> None:
        """What comes next begins with the first byte that the program ever printed."""
        for stream, output in self._streams.items():
            self._pass_over[stream] = output.size_bytes

    def write(self, parts: Sequence[Part]) -> None:
        """Keep what came."""
        for stream, data in parts:
            known = min(self._pass_over[stream], len(data))
            self._pass_over[stream] -= known
            if known < len(data):
                self._streams[stream].write(data[known:])

    def note(self, sentence: str) -> None:
        """A remark of the node's own, among what the program printed to stderr."""
        self._streams[STDERR].write(f"[bacalhau-mesh: {sentence}]\n".encode())

    def close(self) -> None:
        """No more output."""
        for output in self._streams.values():
            output.close()


def _stream(stream: int, path: Path, job: EngineJob, kept_bytes: int) -> OutputStream:
    output = OutputStream(
        stream, str(path), str(job.log), job.output_limit_bytes, kept_bytes=kept_bytes
    )
    output.size_bytes = kept_bytes
    output.tail = read_tail(str(path))[0]
    return output


def _repair(job: EngineJob) -> dict[int, int]:
    """Cut the log and both files back to the last whole frame; bytes of each stream that stay."""
    kept = {CLOCK: 0, STDOUT: 0, STDERR: 0, NOTE: 0}
    try:
        with open(job.log, "r+b") as log:
            end_bytes = os.fstat(log.fileno()).st_size
            at = 0
            while len(header := log.read(FRAME_HEADER.size)) == FRAME_HEADER.size:
                stream, length = FRAME_HEADER.unpack(header)
                if at + FRAME_HEADER.size + length > end_bytes:
                    break
                at = log.seek(length, os.SEEK_CUR)
                kept[stream] += length
            log.truncate(at)
    except FileNotFoundError:
        pass
    for path, stream in ((job.stdout, STDOUT), (job.stderr, STDERR)):
        if path.exists():
            os.truncate(path, kept[stream])
    return kept
