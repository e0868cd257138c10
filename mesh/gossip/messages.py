"""What nodes say to each other on a link: one deterministic CBOR list `[type, field, ...]` each.

A message is the body of a frame on the gossip channel. Every field has a shape that bounds it, so
that what `decode_untrusted` lets through can be used without another look. Signed things (member
records, registers, envelopes, certificates) are byte strings here: whoever needs them proves them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from mesh.gossip.events import PeerState
from mesh.gossip.shapes import MessageError, Shape, flag, group, many, number, octets
from scheduler import cbor
from scheduler.ids import Digest, NodeId, node_id_from_bytes, node_id_to_bytes

MAX_MESSAGE_BYTES = 1 << 20
"""The frame limit after authentication: it bounds what one peer can make us hold."""
MAX_BLOB_BYTES = MAX_MESSAGE_BYTES - 1024
"""A blob must fit in a frame with its wrapping."""
MAX_ENVELOPE_BYTES = 16 << 10
"""One group commit's records and a signature: the envelope format's own limit."""
MAX_RECORD_BYTES = 1024
"""A member record: 512 B of name and addresses, a signature and room."""
MAX_REGISTER_BYTES = 64 << 10
"""The largest register lists 64 data entries of a few hundred bytes; one must fit one send."""
MAX_CERTIFICATE_BYTES = 8 << 10
"""A certificate with its labels is about 1 KiB."""
SEND_BYTES = 64 << 10
"""What we put in one frame when a list may be cut, so that a ping behind it waits little."""
WINDOW_ENVELOPES = 64
"""Envelopes in one message: a window is proved at its last one, backwards by hash."""
BUCKETS = 256
"""Parts that a context is compared by: 2 kB of hashes say which 1/256 differs."""


class Hashes(NamedTuple):
    """State in 8 bytes each: equal hashes mean that there is nothing to tell each other."""

    members: bytes
    registers: bytes
    context: bytes


class Head(NamedTuple):
    """Up to where one log is held: everything to `seq`, whose envelope has the hash `head`."""

    author: NodeId
    epoch: int
    seq: int
    head: bytes


class Standing(NamedTuple):
    """One member as the asker knows it, without proof: only what is newer comes back."""

    node: NodeId
    boot: int
    incarnation: int
    state: PeerState


class RegisterVersion(NamedTuple):
    """Which value of a register the asker has."""

    node: NodeId
    kind: int
    boot: int
    seq: int


@dataclass(frozen=True, slots=True)
class Opinion:
    """What `author` thinks of one incarnation; unsigned, since the subject's answer refutes it."""

    node: NodeId
    boot: int
    incarnation: int
    state: PeerState
    """SUSPECT or UNREACHABLE; alive and left come as records that the member signed itself."""
    author: NodeId


Update = bytes | Opinion
"""News of one member: its signed record, or an opinion."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there? Answered by an Ack with the same number."""

    number: int
    hashes: Hashes
    updates: tuple[Update, ...] = ()


@dataclass(frozen=True, slots=True)
class Ack:
    """I am (or, from a helper, the one you asked about is)."""

    number: int
    hashes: Hashes
    updates: tuple[Update, ...] = ()


@dataclass(frozen=True, slots=True)
class PingRequest:
    """Ping this member for me: I do not hear it."""

    number: int
    target: NodeId
    updates: tuple[Update, ...] = ()


@dataclass(frozen=True, slots=True)
class Nack:
    """I am here, but the member you asked about has not answered me."""

    number: int


@dataclass(frozen=True, slots=True)
class Rumours:
    """News of members, passed on a limited number of times."""

    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """What I know of members: everything when a link opens, what you lack when you ask."""

    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class MembersWanted:
    """This is what I know of members; tell me what is newer."""

    known: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """I leave; the record is mine, signed, with the left flag."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Ledger envelopes as their authors made them; `bulk` when they answer a Pull."""

    envelopes: tuple[bytes, ...]
    bulk: bool


@dataclass(frozen=True, slots=True)
class Blobs:
    """Specs and small modules; their addresses are their SHA-256."""

    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BlobsWanted:
    """Send me these blobs if you hold them."""

    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Certificates:
    """Certificates, DER."""

    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CertificatesWanted:
    """Send me the certificates with these serials if you know them."""

    serials: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Registers:
    """Signed registers as their owners made them."""

    registers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RegistersWanted:
    """These values I have; tell me newer ones and those that I do not name."""

    known: tuple[RegisterVersion, ...]


@dataclass(frozen=True, slots=True)
class HeadsWanted:
    """My context by bucket, empty buckets left out; tell me the heads of those that differ."""

    buckets: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of my logs in the buckets that differed."""

    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Pull:
    """Send me this log's envelopes from this seq on, a window at a time."""

    author: NodeId
    epoch: int
    from_seq: int


Message = (
    Ping
    | Ack
    | PingRequest
    | Nack
    | Rumours
    | Members
    | MembersWanted
    | Goodbye
    | Envelopes
    | Blobs
    | BlobsWanted
    | Certificates
    | CertificatesWanted
    | Registers
    | RegistersWanted
    | HeadsWanted
    | Heads
    | Pull
)


def _read_hashes_untrusted(raw: Any) -> Hashes:
    if type(raw) is not bytes or len(raw) != 24:
        raise MessageError("not three hashes of 8 bytes")
    return Hashes(raw[:8], raw[8:16], raw[16:])


def _read_opinion_untrusted(raw: Any) -> Opinion:
    node, boot, incarnation, state, author = _OPINION_FIELDS.read_untrusted(raw)
    if state not in (PeerState.SUSPECT, PeerState.UNREACHABLE):
        raise MessageError("an opinion is suspect or unreachable")
    return Opinion(node, boot, incarnation, state, author)


def _write_update(update: Update) -> Any:
    if isinstance(update, bytes):
        return update
    return _OPINION_FIELDS.write(
        (update.node, update.boot, update.incarnation, update.state, update.author)
    )


def _read_update_untrusted(raw: Any) -> Update:
    if type(raw) is bytes:
        record: bytes = _RECORD.read_untrusted(raw)
        return record
    return _read_opinion_untrusted(raw)


def _tuple_of(*values: Any) -> tuple[Any, ...]:
    return values


_U32 = number((1 << 32) - 1)
_U64 = number((1 << 64) - 1)
_HASH = octets(32, 32)
_NODE = Shape(node_id_to_bytes, lambda raw: node_id_from_bytes(octets(16, 16).read_untrusted(raw)))
_STATE = Shape(int, lambda raw: PeerState(number(max(PeerState)).read_untrusted(raw)))
_FLAG = flag()
_HASHES = Shape(b"".join, _read_hashes_untrusted)
_RECORD = octets(1, MAX_RECORD_BYTES)
_OPINION_FIELDS = group(_tuple_of, _NODE, _U64, _U32, _STATE, _NODE)
_UPDATES = many(Shape(_write_update, _read_update_untrusted))
_DIGEST = Shape(bytes.fromhex, lambda raw: Digest(_HASH.read_untrusted(raw).hex()))

_SHAPES: dict[int, tuple[type[Any], tuple[Shape, ...]]] = {
    1: (Ping, (_U64, _HASHES, _UPDATES)),
    2: (Ack, (_U64, _HASHES, _UPDATES)),
    3: (PingRequest, (_U64, _NODE, _UPDATES)),
    4: (Nack, (_U64,)),
    5: (Rumours, (_UPDATES,)),
    6: (Members, (_UPDATES,)),
    7: (MembersWanted, (many(group(Standing, _NODE, _U64, _U32, _STATE)),)),
    8: (Goodbye, (_RECORD,)),
    9: (Envelopes, (many(octets(1, MAX_ENVELOPE_BYTES), WINDOW_ENVELOPES), _FLAG)),
    10: (Blobs, (many(octets(0, MAX_BLOB_BYTES)),)),
    11: (BlobsWanted, (many(_DIGEST),)),
    12: (Certificates, (many(octets(1, MAX_CERTIFICATE_BYTES)),)),
    13: (CertificatesWanted, (many(octets(16, 16)),)),
    14: (Registers, (many(octets(1, MAX_REGISTER_BYTES)),)),
    15: (RegistersWanted, (many(group(RegisterVersion, _NODE, number(255), _U64, _U64)),)),
    16: (HeadsWanted, (many(group(_tuple_of, number(BUCKETS - 1), octets(8, 8)), BUCKETS),)),
    17: (Heads, (many(group(Head, _NODE, _U64, _U64, _HASH)),)),
    18: (Pull, (_NODE, _U64, _U64)),
}
_TYPES = {kind: number for number, (kind, _) in _SHAPES.items()}
_FIELDS = {kind: tuple(one.name for one in fields(kind)) for kind in _TYPES}


def encode(message: Message) -> bytes:
    """The frame body of a message."""
    kind = type(message)
    number = _TYPES[kind]
    shapes = _SHAPES[number][1]
    values = (getattr(message, name) for name in _FIELDS[kind])
    return cbor.encode(
        [number, *(shape.write(value) for shape, value in zip(shapes, values, strict=True))]
    )


def decode_untrusted(data: bytes) -> Message:
    """The message in a frame body from a peer; MessageError, and nothing else, when it is none."""
    try:
        value = cbor.decode_untrusted(data, max_bytes=MAX_MESSAGE_BYTES)
    except cbor.CborError as error:
        raise MessageError(str(error)) from error
    if type(value) is not list or not value or type(value[0]) is not int:
        raise MessageError("not a list that begins with a type")
    if value[0] not in _SHAPES:
        raise MessageError(f"type {value[0]} is not known here")
    kind, shapes = _SHAPES[value[0]]
    if len(value) != len(shapes) + 1:
        raise MessageError(f"{kind.__name__} has {len(shapes)} fields")
    message: Message = kind(
        *(shape.read_untrusted(item) for shape, item in zip(shapes, value[1:], strict=True))
    )
    return message
