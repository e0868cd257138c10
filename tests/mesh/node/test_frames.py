import random

import pytest
import trio.testing

from mesh.node.frames import (
    MAX_FRAME_BYTES,
    FrameError,
    FrameReader,
    Hello,
    decode_goodbye_untrusted,
    decode_hello_untrusted,
    encode_frame,
    encode_goodbye,
    encode_hello,
)
from scheduler import cbor
from scheduler.ids import node_id_from_bytes

HELLO = Hello(1, "ab" * 32, node_id_from_bytes(b"n" * 16))


def test_layout_on_the_wire() -> None:
    assert encode_frame(1, b"body") == b"\0\0\0\x05\x01body"
    assert encode_hello(HELLO) == cbor.encode([0, 1, b"\xab" * 32, b"n" * 16])
    assert encode_goodbye("why") == cbor.encode([1, "why"])
    assert decode_hello_untrusted(encode_hello(HELLO)) == HELLO
    assert decode_goodbye_untrusted(encode_goodbye("x" * 500)) == "x" * 200


def test_hello_of_a_later_release_may_say_more() -> None:
    later = cbor.encode([0, 2, b"\xab" * 32, b"n" * 16, {"more": 1}])
    assert decode_hello_untrusted(later).version == 2


def test_too_large_a_frame_is_not_made() -> None:
    assert len(encode_frame(1, b"x" * (MAX_FRAME_BYTES - 1))) == MAX_FRAME_BYTES + 4
    with pytest.raises(ValueError, match="are allowed"):
        encode_frame(1, b"x" * MAX_FRAME_BYTES)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        cbor.encode([]),
        cbor.encode([1, "bye"]),
        cbor.encode([0]),
        cbor.encode([0, "1", b"c" * 32, b"n" * 16]),
        cbor.encode([0, 1, b"c" * 31, b"n" * 16]),
        cbor.encode([0, 1, b"c" * 32, b"n"]),
        cbor.encode({0: 1}),
        cbor.encode([0, 1, b"c" * 32, b"n" * 16, b"x" * 2000]),
    ],
)
def test_bad_hellos(body: bytes) -> None:
    with pytest.raises(FrameError):
        decode_hello_untrusted(body)


@pytest.mark.parametrize("body", [b"", cbor.encode([1]), cbor.encode([1, 5]), encode_hello(HELLO)])
def test_bad_goodbyes(body: bytes) -> None:
    with pytest.raises(FrameError):
        decode_goodbye_untrusted(body)


@pytest.mark.parametrize("seed", range(5))
async def test_frames_come_whole_however_the_bytes_are_cut(seed: int, nursery) -> None:
    chance = random.Random(seed)
    frames = [(chance.randrange(3), chance.randbytes(chance.randrange(3000))) for _ in range(40)]
    raw = b"".join(encode_frame(channel, body) for channel, body in frames)
    sender, receiver = trio.testing.memory_stream_one_way_pair()

    async def send() -> None:
        at = 0
        while at < len(raw):
            step = chance.randrange(1, 900)
            await sender.send_all(raw[at : at + step])
            at += step
        await sender.aclose()

    nursery.start_soon(send)
    reader = FrameReader(receiver)
    assert [await reader.read() for _ in frames] == frames
    assert await reader.read() is None


@pytest.mark.parametrize(
    "raw", [b"\0\0", b"\0\0\0\x05\x01bo", b"\0\0\0\0\x01", b"\0\x10\0\x01\x01"]
)
async def test_cut_empty_and_oversized_frames(raw: bytes) -> None:
    sender, receiver = trio.testing.memory_stream_one_way_pair()
    await sender.send_all(raw)
    await sender.aclose()
    with pytest.raises(FrameError):
        await FrameReader(receiver).read()
