from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.gossip import messages
from mesh.gossip.events import PeerState
from mesh.gossip.messages import Hashes, Head, MessageError, Opinion, RegisterVersion, Standing
from scheduler import cbor
from scheduler.ids import blob_digest
from tests.mesh.gossip.solo import node

A, B = node("p1"), node("p2")
HASHES = Hashes(b"m" * 8, b"r" * 8, b"c" * 8)
OPINION = Opinion(A, 2**63, 7, PeerState.SUSPECT, B)
EACH = [
    messages.Ping(1, HASHES, (b"record", OPINION)),
    messages.Ack(2**64 - 1, HASHES),
    messages.PingRequest(3, A, (OPINION,)),
    messages.Nack(4),
    messages.Rumours((b"record",)),
    messages.Members((b"record", OPINION)),
    messages.MembersWanted((Standing(A, 1, 2, PeerState.LEFT),)),
    messages.Goodbye(b"record"),
    messages.Envelopes((b"one", b"two"), True),
    messages.Blobs((b"", b"blob")),
    messages.BlobsWanted((blob_digest(b"x"),)),
    messages.Certificates((b"der",)),
    messages.CertificatesWanted((bytes(16),)),
    messages.Registers((b"register",)),
    messages.RegistersWanted((RegisterVersion(A, 1, 2, 3),)),
    messages.HeadsWanted(((0, bytes(8)), (255, b"h" * 8))),
    messages.Heads((Head(A, 1, 2, bytes(32)),)),
    messages.Pull(B, 9, 10),
]


def test_each_type_of_message_is_among_the_samples() -> None:
    assert [type(one) for one in EACH] == list(get_args(messages.Message))


@pytest.mark.parametrize("message", EACH, ids=lambda one: type(one).__name__)
def test_a_message_survives_the_wire(message: messages.Message) -> None:
    assert messages.decode_untrusted(messages.encode(message)) == message


def test_the_page_of_the_protocol_numbers_them_alike() -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
    section = page.split("### Messages of gossip")[1].split("\n### ")[0]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", section, re.MULTILINE)
    numbers = [messages.encode(message)[1] for message in EACH]
    names = [type(message).__name__ for message in EACH]
    assert rows == [(str(number), name) for number, name in zip(numbers, names, strict=True)]


def test_a_ping_on_the_wire() -> None:
    assert messages.encode(messages.Ping(5, HASHES)) == (
        b"\x84\x01\x05\x58\x18" + b"m" * 8 + b"r" * 8 + b"c" * 8 + b"\x80"
    )


NODE = bytes(16)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        [True],
        [0],
        [99],
        ["ping"],
        [4],
        [4, -1],
        [4, True],
        [4, 2**64 - 1, 0],
        [1, 1, bytes(23), []],
        [1, 1, bytes(24), [None]],
        [1, 1, bytes(24), [b""]],
        [1, 1, bytes(24), [bytes(1025)]],
        [1, 1, bytes(24), [[NODE, 1, 0, PeerState.ALIVE.value, NODE]]],
        [1, 1, bytes(24), [[NODE, 1, 0, PeerState.LEFT.value, NODE]]],
        [1, 1, bytes(24), [[NODE, 1, 2**32, 1, NODE]]],
        [3, 1, bytes(15), []],
        [7, [[NODE, 1, 0, 4]]],
        [9, [b"e"] * 65, False],
        [9, [bytes(16385)], False],
        [9, [b"e"], 1],
        [11, [bytes(31)]],
        [14, [bytes(65537)]],
        [15, [[NODE, 256, 1, 1]]],
        [16, [[256, bytes(8)]]],
        [17, [[NODE, 1, 1, bytes(31)]]],
        [18, NODE, 1],
    ],
    ids=str,
)
def test_what_no_shape_allows_is_refused(value: object) -> None:
    with pytest.raises(MessageError):
        messages.decode_untrusted(cbor.encode(value))


def test_more_than_a_frame_is_refused_unread() -> None:
    with pytest.raises(MessageError, match="1048576 are allowed"):
        messages.decode_untrusted(bytes(messages.MAX_MESSAGE_BYTES + 1))


def test_the_largest_blob_fits_a_frame() -> None:
    data = messages.encode(messages.Blobs((bytes(messages.MAX_BLOB_BYTES),)))
    assert len(data) <= messages.MAX_MESSAGE_BYTES


def _decode(data: bytes) -> None:
    try:
        messages.decode_untrusted(data)
    except MessageError:
        pass


def test_mutated_messages_raise_one_error_type() -> None:
    random = Random(1)
    for _ in range(2000):
        data = bytearray(messages.encode(random.choice(EACH)))
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(data))
            match random.randrange(4):
                case 0:
                    data[at] ^= 1 << random.randrange(8)
                case 1:
                    del data[at:]
                case 2:
                    data[at:at] = random.randbytes(random.randint(1, 9))
                case _:
                    data[at] = random.randrange(256)
            if not data:
                break
        _decode(bytes(data))


@given(st.binary(max_size=200))
def test_any_bytes_raise_one_error_type(data: bytes) -> None:
    _decode(data)
    for kind in (b"\x82\x05\x81", b"\x84\x01\x00\x58\x18"):
        _decode(kind + data)
