from __future__ import annotations

from itertools import pairwise

import pytest

from mesh.ledger.envelope import MAX_ENVELOPE_BYTES, NO_HASH, decode_untrusted
from mesh.ledger.writer import Writer
from scheduler.ids import Dot
from scheduler.records import Kind, Record, RecordError, encode_record
from tests.mesh.ledger.samples import claim, every_kind
from tests.mesh.trust_stub import StubTrust, stub_certificate

OWN = stub_certificate("a")


def stop(reason: str) -> Record:
    (sample,) = (one for one in every_kind(OWN.node, 5) if one.kind == Kind.STOP_REQUESTED)
    return sample._replace(body={**sample.body, "reason": reason})


def opened() -> Writer:
    writer = Writer(StubTrust(OWN))
    writer.open(5)
    return writer


def test_dots_are_final_and_one_seal_is_one_envelope() -> None:
    writer = opened()
    assert [writer.write(claim(term)) for term in (1, 2)] == [
        Dot(OWN.node, 5, 1),
        Dot(OWN.node, 5, 2),
    ]
    (envelope,) = writer.seal()
    assert decode_untrusted(envelope.data).records == tuple(
        encode_record(claim(term)) for term in (1, 2)
    )
    assert writer.seal() == []
    assert writer.write(claim(3)) == Dot(OWN.node, 5, 3)


def test_envelopes_chain_within_an_epoch_and_begin_anew_in_the_next() -> None:
    writer = opened()
    writer.write(claim(1))
    (first,) = writer.seal()
    writer.write(claim(2))
    writer.open(6)
    assert writer.write(claim(3)) == Dot(OWN.node, 6, 1)
    second, third = (decode_untrusted(one.data) for one in writer.seal())
    assert (second.stored.epoch, second.previous) == (5, first.hash)
    assert (third.stored.epoch, third.previous) == (6, NO_HASH)


@pytest.mark.parametrize("text_bytes", [10, 255, 256, 1_000, 4_000, 4_096])
def test_what_outgrows_an_envelope_goes_into_the_next(text_bytes: int) -> None:
    writer = opened()
    records = [stop("x" * text_bytes) for _ in range(60_000 // text_bytes)]
    for record in records:
        writer.write(record)
    envelopes = writer.seal()
    assert len(envelopes) > 1
    sizes = [len(envelope.data) for envelope in envelopes]
    assert max(sizes) <= MAX_ENVELOPE_BYTES
    assert min(sizes[:-1]) > MAX_ENVELOPE_BYTES - text_bytes - 400
    read = [decode_untrusted(envelope.data) for envelope in envelopes]
    assert all(later.follows(before) for before, later in pairwise(read))
    assert sum(envelope.stored.count for envelope in read) == len(records)


def test_a_record_that_readers_would_find_void_is_refused_and_takes_no_seq() -> None:
    writer = Writer(StubTrust(stub_certificate("a", ("submit",))))
    writer.open(5)
    with pytest.raises(RecordError, match="the roles submit do not allow kind 5"):
        writer.write(claim(1))
    with pytest.raises(RecordError, match="reason"):
        writer.write(stop("x" * 4_097))
    assert writer.write(stop("x")).seq == 1
