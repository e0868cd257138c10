from __future__ import annotations

from dataclasses import replace

import pytest

from mesh.ledger.envelope import (
    FRAME_BYTES,
    MAX_EPOCH,
    MAX_FIRST_SEQ,
    MAX_RECORDS,
    NO_HASH,
    RECORD_FRAME_BYTES,
    WINDOW_ENVELOPES,
    EnvelopeError,
    chained_runs,
    decode_untrusted,
    encode_envelope,
    is_signed,
)
from scheduler import cbor
from scheduler.records import MAX_RECORD_BYTES
from tests.mesh.ledger.samples import ledger_of, written
from tests.mesh.trust_stub import StubTrust, stub_certificate

TRUST = StubTrust(stub_certificate("a"))
AUTHOR = bytes(16)
BODY = [1, AUTHOR, 5, 1, 1, NO_HASH, bytes(16), [b"record"]]


def sealed(body: object, signature: object = bytes(64)) -> bytes:
    return cbor.encode([cbor.encode(body), signature])


def changed(place: int, value: object) -> list[object]:
    body: list[object] = list(BODY)
    body[place] = value
    return body


def test_what_was_encoded_is_read_back_and_proved() -> None:
    stored = encode_envelope(
        TRUST, epoch=5, first_seq=4, previous=bytes([1] * 32), records=[b"one", b"two"]
    )
    envelope = decode_untrusted(stored.data)
    assert envelope.stored == stored
    assert (stored.author, stored.epoch, stored.first_seq, stored.last_seq) == (
        TRUST.own.node,
        5,
        4,
        5,
    )
    assert (envelope.previous, envelope.serial) == (bytes([1] * 32), TRUST.own.serial)
    assert envelope.records == (b"one", b"two")
    assert is_signed(envelope, TRUST.own, TRUST)


def test_another_node_proves_nothing_even_with_the_same_key() -> None:
    stored = encode_envelope(TRUST, epoch=5, first_seq=1, previous=NO_HASH, records=[b"one"])
    other = replace(TRUST.own, node=stub_certificate("b").node)
    assert not is_signed(decode_untrusted(stored.data), other, TRUST)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "list of eight"),
        (BODY[:7], "list of eight"),
        (changed(0, 2), "format version is not 1"),
        (changed(0, True), "format version is not 1"),
        (changed(1, bytes(15)), "author is not 16 bytes"),
        (changed(2, 0), "epoch is not"),
        (changed(2, MAX_EPOCH + 1), "epoch is not"),
        (changed(2, True), "epoch is not"),
        (changed(3, 0), "first seq is not"),
        (changed(3, MAX_FIRST_SEQ + 1), "first seq is not"),
        (changed(4, 0), "count is not"),
        (changed(4, MAX_RECORDS + 1), "count is not"),
        (changed(5, bytes(31)), "previous is not 32 bytes"),
        (changed(5, bytes([1] * 32)), "and it alone"),
        (changed(3, 2), "and it alone"),
        (changed(6, b""), "serial is not 16 bytes"),
        (changed(7, b"record"), "not a list of byte strings"),
        (changed(7, ["record"]), "not a list of byte strings"),
    ],
)
def test_each_broken_place_is_named(body: object, says: str) -> None:
    with pytest.raises(EnvelopeError, match=says):
        decode_untrusted(sealed(body))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not CBOR"),
        (cbor.encode([b"", bytes(64), b""]), "list of two"),
        (cbor.encode([[], bytes(64)]), "body is not a byte string"),
        (sealed(BODY, bytes(63)), "signature is not 64 bytes"),
        (sealed(BODY) + b"\0", "not"),
        (sealed(changed(7, [bytes(16_384)])), "16384 are allowed"),
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(EnvelopeError, match=says):
        decode_untrusted(data)


def test_the_body_as_it_stands_is_read() -> None:
    assert decode_untrusted(sealed(BODY)).records == (b"record",)


def test_the_frame_around_records_is_within_its_allowance() -> None:
    records = [bytes(MAX_RECORD_BYTES - 1), bytes(4000), bytes(3000)]
    stored = encode_envelope(
        TRUST,
        epoch=MAX_EPOCH,
        first_seq=MAX_FIRST_SEQ,
        previous=bytes([1] * 32),
        records=records,
    )
    allowed = FRAME_BYTES + sum(len(record) + RECORD_FRAME_BYTES for record in records)
    assert len(stored.data) <= allowed


def test_runs_end_where_a_predecessor_is_not_named_and_at_a_window() -> None:
    log = [decode_untrusted(one.data) for one in written(ledger_of("a"), [1] * 70)]
    other = [decode_untrusted(one.data) for one in written(ledger_of("b"), [1, 1])]
    mixed = [*log[:3], *other, *log[4:6]]
    assert list(chained_runs(mixed)) == [log[:3], other, log[4:6]]
    assert [len(run) for run in chained_runs(log)] == [WINDOW_ENVELOPES, 6]
    assert list(chained_runs([])) == []


def test_a_run_does_not_join_two_epochs() -> None:
    ledger = ledger_of("a")
    envelopes = [
        decode_untrusted(one.data)
        for wall_ms in (5, 6)
        for one in written(ledger, [1], wall_ms=wall_ms)
    ]
    assert list(chained_runs(envelopes)) == [[envelopes[0]], [envelopes[1]]]
