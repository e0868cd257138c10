"""Frames of a link: a length of 4 bytes, a channel of 1 byte, a body; and the hello that opens it.

The length counts the channel and the body. `docs/protocol.md` has the table.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import trio

from scheduler import cbor
from scheduler.ids import NodeId, node_id_from_bytes, node_id_to_bytes

PROTOCOL_VERSION = 1
CONTROL, MESSAGES, REQUESTS = 0, 1, 2
"""Channels: hello and goodbye; gossip; questions and answers about blobs and logs."""
MAX_FRAME_BYTES = 1 << 20
"""The most that a certified peer makes us hold for one frame."""
MAX_HELLO_BYTES = 1024
"""A hello is under 100 bytes; the rest is room for later fields."""
MAX_GOODBYE_CHARACTERS = 200
READ_BYTES = 64 * 1024

_HEAD = struct.Struct(">IB")
_HELLO, _GOODBYE = 0, 1


class FrameError(Exception):
    """Bytes that are no frame of this protocol; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame each way."""

    version: int
    cluster: str
    node: NodeId


def encode_frame(channel: int, body: bytes) -> bytes:
    """One frame; ValueError when it would be larger than peers take."""
    if len(body) >= MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {len(body)} bytes where {MAX_FRAME_BYTES} are allowed")
    return _HEAD.pack(len(body) + 1, channel) + body


def encode_hello(hello: Hello) -> bytes:
    """The body of a hello."""
    return cbor.encode(
        [_HELLO, hello.version, bytes.fromhex(hello.cluster), node_id_to_bytes(hello.node)]
    )


def encode_goodbye(reason: str) -> bytes:
    """The body of a goodbye; the reason is for people."""
    return cbor.encode([_GOODBYE, reason[:MAX_GOODBYE_CHARACTERS]])


def decode_hello_untrusted(body: bytes) -> Hello:
    """The hello in a control frame. Raises FrameError."""
    value = _control_untrusted(body, _HELLO)
    if len(value) < 4:
        raise FrameError("a hello of fewer than four parts")
    _, version, cluster, node = value[:4]
    if type(version) is not int or type(cluster) is not bytes or len(cluster) != 32:
        raise FrameError("a hello without version and cluster")
    if type(node) is not bytes or len(node) != 16:
        raise FrameError("a hello without a node id")
    return Hello(version, cluster.hex(), node_id_from_bytes(node))


def decode_goodbye_untrusted(body: bytes) -> str:
    """The reason of a goodbye. Raises FrameError."""
    value = _control_untrusted(body, _GOODBYE)
    if len(value) < 2 or type(value[1]) is not str:
        raise FrameError("a goodbye without a reason")
    return value[1][:MAX_GOODBYE_CHARACTERS]


def _control_untrusted(body: bytes, kind: int) -> list[object]:
    try:
        value = cbor.decode_untrusted(body, max_bytes=MAX_HELLO_BYTES)
    except cbor.CborError as error:
        raise FrameError(f"control frame: {error}") from error
    if type(value) is not list or not value or value[0] != kind:
        raise FrameError("not the control frame expected here")
    return value


class FrameReader:
    """Frames from a stream, one after another. It reads no further than the peer sends."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def read(self, *, max_bytes: int = MAX_FRAME_BYTES) -> tuple[int, bytes] | None:
        """The next (channel, body), or None at the end of the stream.

        Raises FrameError for a frame that is too large, empty or cut off.
        """
        if not await self._fill(_HEAD.size):
            return None
        length, channel = _HEAD.unpack_from(self._buffer)
        if not 1 <= length <= max_bytes:
            raise FrameError(f"a frame of {length} bytes where 1 to {max_bytes} are allowed")
        if not await self._fill(4 + length):
            raise FrameError("the stream ended within a frame")
        body = bytes(self._buffer[_HEAD.size : 4 + length])
        del self._buffer[: 4 + length]
        return channel, body

    async def _fill(self, size_bytes: int) -> bool:
        while len(self._buffer) < size_bytes:
            chunk = await self._stream.receive_some(READ_BYTES)
            if not chunk:
                if self._buffer and size_bytes == _HEAD.size:
                    raise FrameError("the stream ended within a frame")
                return False
            self._buffer += chunk
        return True
