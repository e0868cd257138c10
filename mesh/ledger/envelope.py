"""The envelope: a signed run of records, as it travels and as it is stored.

Format, chain and proof. What the records inside may say is `validate`'s business; whether the
envelope fits what is held is the gate's, in `ledger`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.trust import Certificate, Trust
from scheduler import cbor
from scheduler.ids import ID_BYTES, NodeId, node_id_from_bytes, node_id_to_bytes
from scheduler.records import MAX_COUNTER, MAX_HLC

FORMAT_VERSION = 1
SIGNATURE_CONTEXT = b"bacalhau-mesh envelope 1\0"
"""No other kind of signature begins so: one cannot be passed off as another."""
MAX_ENVELOPE_BYTES = 16 * 1024
"""A bulk frame of 64 KiB holds several, and one costs microseconds to check."""
MAX_EPOCH = MAX_HLC
"""Epochs are wall milliseconds shifted left by 16 bits, as readings are: the same end of time."""
MAX_RECORDS = 16 * 1024
"""A record takes a byte at least: no envelope can hold more."""
MAX_FIRST_SEQ = MAX_COUNTER - MAX_RECORDS
"""So that no record of an envelope has a seq beyond 53 bits."""
WINDOW_ENVELOPES = 64
"""Envelopes proved by one signature at most, and sent in one answer to a pull."""
HASH_BYTES = 32
NO_HASH = bytes(HASH_BYTES)
"""What the first envelope of an epoch names as the one before it."""
SIGNATURE_BYTES = 64
FRAME_BYTES = 192
"""Everything in an envelope but its records: 170 bytes at most, rounded up."""
RECORD_FRAME_BYTES = 3
"""Length prefix of a record of up to 8 KiB."""

LogKey = tuple[NodeId, int]
"""(author, epoch): one log."""


class EnvelopeError(ValueError):
    """Bytes that are not an envelope; the sentence says why."""


@dataclass(frozen=True, slots=True)
class StoredEnvelope:
    """One envelope as it stands on disk and on the wire, with what an index needs."""

    author: NodeId
    epoch: int
    first_seq: int
    count: int
    hash: bytes
    """SHA-256 of `data`, 32 bytes."""
    data: bytes

    @property
    def key(self) -> LogKey:
        return (self.author, self.epoch)

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.count - 1


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an envelope says, read but not yet proved."""

    stored: StoredEnvelope
    previous: bytes
    serial: bytes
    records: tuple[bytes, ...]
    signed: bytes
    """The message that the signature is over."""
    signature: bytes

    def follows(self, before: Envelope) -> bool:
        """True when this one names `before` as its predecessor: its author vouches for it."""
        return (
            self.stored.key == before.stored.key
            and self.stored.first_seq == before.stored.last_seq + 1
            and self.previous == before.stored.hash
        )


def encode_envelope(
    trust: Trust, *, epoch: int, first_seq: int, previous: bytes, records: Sequence[bytes]
) -> StoredEnvelope:
    """These encoded records of our own as a signed envelope; the caller keeps to the size limit."""
    author = trust.own.node
    body = cbor.encode(
        [
            FORMAT_VERSION,
            node_id_to_bytes(author),
            epoch,
            first_seq,
            len(records),
            previous,
            trust.own.serial,
            list(records),
        ]
    )
    data = cbor.encode([body, trust.sign(_message(body))])
    digest = hashlib.sha256(data).digest()
    return StoredEnvelope(author, epoch, first_seq, len(records), digest, data)


def decode_untrusted(data: bytes) -> Envelope:
    """The envelope in these bytes; EnvelopeError, and nothing else, when they hold none."""
    try:
        body, signature = _pair_untrusted(data)
        value = cbor.decode_untrusted(body, max_bytes=MAX_ENVELOPE_BYTES)
    except cbor.CborError as error:
        raise EnvelopeError(str(error)) from error
    if type(value) is not list or len(value) != 8:
        raise EnvelopeError("the body is not a list of eight")
    version, author, epoch, first_seq, count, previous, serial, records = value
    if type(version) is not int or version != FORMAT_VERSION:
        raise EnvelopeError(f"the format version is not {FORMAT_VERSION}")
    _check_integer(epoch, "epoch", MAX_EPOCH)
    _check_integer(first_seq, "first seq", MAX_FIRST_SEQ)
    _check_integer(count, "count", MAX_RECORDS)
    _check_bytes(author, "author", ID_BYTES)
    _check_bytes(previous, "previous", HASH_BYTES)
    _check_bytes(serial, "serial", ID_BYTES)
    if (first_seq == 1) != (previous == NO_HASH):
        raise EnvelopeError("the first envelope of an epoch, and it alone, names none before it")
    if type(records) is not list or any(type(record) is not bytes for record in records):
        raise EnvelopeError("the records are not a list of byte strings")
    digest = hashlib.sha256(data).digest()
    stored = StoredEnvelope(node_id_from_bytes(author), epoch, first_seq, count, digest, data)
    return Envelope(stored, previous, serial, tuple(records), _message(body), signature)


def is_signed(envelope: Envelope, certificate: Certificate, trust: Trust) -> bool:
    """True when the author's own key signed it: another node's certificate proves nothing."""
    return certificate.node == envelope.stored.author and trust.verify(
        certificate, envelope.signed, envelope.signature
    )


def chained_runs(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """The same envelopes, in order, cut where one does not name the one before, and at a window."""
    run: list[Envelope] = []
    for envelope in envelopes:
        if run and (len(run) == WINDOW_ENVELOPES or not envelope.follows(run[-1])):
            yield run
            run = []
        run.append(envelope)
    if run:
        yield run


def _message(body: bytes) -> bytes:
    return SIGNATURE_CONTEXT + hashlib.sha256(body).digest()


def _pair_untrusted(data: bytes) -> tuple[bytes, bytes]:
    value = cbor.decode_untrusted(data, max_bytes=MAX_ENVELOPE_BYTES)
    if type(value) is not list or len(value) != 2:
        raise EnvelopeError("an envelope is a list of two")
    body, signature = value
    if type(body) is not bytes:
        raise EnvelopeError("the body is not a byte string")
    _check_bytes(signature, "signature", SIGNATURE_BYTES)
    return body, signature


def _check_integer(value: Any, name: str, maximum: int) -> None:
    if type(value) is not int or not 1 <= value <= maximum:
        raise EnvelopeError(f"{name} is not an integer from 1 to {maximum}")


def _check_bytes(value: Any, name: str, length: int) -> None:
    if type(value) is not bytes or len(value) != length:
        raise EnvelopeError(f"{name} is not {length} bytes")
