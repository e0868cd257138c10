from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mesh.ledger.envelope import NO_HASH, encode_envelope
from mesh.ledger.ledger import Ledger, Received, Refusal, StoredEnvelope
from mesh.ledger.waiting import HELD_PER_AUTHOR
from scheduler.ids import Dot
from scheduler.instant import Instant
from scheduler.records import RecordError, encode_record
from tests.mesh.ledger.samples import (
    NOW,
    author_log,
    claim,
    every_kind,
    ledger_of,
    receive,
    signed,
    terms,
    written,
)
from tests.mesh.trust_stub import StubTrust, stub_book, stub_certificate

A = stub_certificate("a")


# --- own records ----------------------------------------------------------------------------------


def test_an_epoch_is_the_wall_clock_above_and_chance_below() -> None:
    ledger = ledger_of("a")
    assert ledger.open_epoch(Instant(0.0, 1_000), 0xABCDE) == 1_000 << 16 | 0xBCDE
    assert ledger.open_epoch(Instant(0.0, 1_000), 1) == 1_001 << 16 | 1
    assert ledger.open_epoch(Instant(0.0, 5), 2) == 1_002 << 16 | 2
    assert ledger.open_epoch(Instant(0.0, 2_000), 3) == 2_000 << 16 | 3


def test_an_epoch_names_what_it_builds_on_and_its_readings_only_grow() -> None:
    ledger = ledger_of("a")
    first = written(ledger, [1, 1])
    second = written(ledger, [1])
    ledger.open_epoch(Instant(0.0, 5), 0)
    (third,) = ledger.seal()
    (opened,) = receive(ledger_of("b", "a"), third.data).records
    assert opened[1].body == {
        "builds_on": (
            (first[-1].epoch, 3, first[-1].hash.hex()),
            (second[-1].epoch, 2, second[-1].hash.hex()),
        ),
        "version": "0.1.0",
    }
    assert opened[1].hlc == ledger.last_hlc > claim(1).hlc


def test_an_epoch_after_very_many_is_still_a_record_that_readers_take() -> None:
    ledger, reader = ledger_of("a"), ledger_of("b", "a")
    for _ in range(300):
        ledger.open_epoch(NOW, 0)
    received = reader.receive_window_untrusted([one.data for one in ledger.seal()])
    assert len(received.records) == 300
    assert len(received.records[-1][1].body["builds_on"]) == 128
    assert received.records[-1][1].body["builds_on"][-1][0] == received.records[-2][0].epoch


def test_what_was_written_before_a_new_epoch_comes_with_the_next_seal() -> None:
    ledger = ledger_of("a")
    first = ledger.open_epoch(NOW, 0)
    ledger.write(claim(1))
    second = ledger.open_epoch(NOW, 0)
    assert ledger.write(claim(2)) == Dot(A.node, second, 2)
    assert [(one.epoch, one.count) for one in ledger.seal()] == [(first, 2), (second, 2)]
    assert ledger.seal() == []


def test_a_record_of_our_own_that_readers_would_find_void_is_refused() -> None:
    ledger = ledger_of("a", roles=("submit",))
    ledger.open_epoch(NOW, 0)
    with pytest.raises(RecordError):
        ledger.write(claim(1))


# --- flushed --------------------------------------------------------------------------------------


def test_only_what_is_flushed_is_told_and_served() -> None:
    ledger = ledger_of("a")
    first, second, third = written(ledger, [1, 2, 1])
    key = first.key
    assert (ledger.context(), ledger.window(*key, 1)) == ({}, [])
    assert ledger.flushed([first, second]) == [(*key, second.last_seq, second.hash)]
    assert ledger.context() == {key: (second.last_seq, second.hash)}
    assert ledger.window(*key, 1) == [first.data, second.data]
    assert ledger.flushed([third]) == [(*key, third.last_seq, third.hash)]
    assert ledger.flushed([third]) == []


def test_a_window_begins_where_asked_and_keeps_to_its_bounds() -> None:
    ledger = ledger_of("a")
    envelopes = written(ledger, [1] * 100)
    ledger.flushed(envelopes)
    data, key = [one.data for one in envelopes], envelopes[0].key
    assert ledger.window(*key, 1) == data[:64]
    assert ledger.window(*key, 0) == data[:64]
    assert ledger.window(*key, 67) == data[65:]
    assert ledger.window(*key, 1, max_envelopes=3) == data[:3]
    assert ledger.window(*key, 1, max_bytes=len(data[0]) + len(data[1])) == data[:2]
    assert ledger.window(*key, 1, max_bytes=1) == data[:1]
    assert ledger.window(*key, 102) == []
    assert ledger.window(A.node, 1, 1) == []


def test_a_window_asked_from_within_an_envelope_begins_with_that_envelope() -> None:
    ledger = ledger_of("a")
    envelopes = written(ledger, [1, 5, 1])
    ledger.flushed(envelopes)
    assert ledger.window(*envelopes[0].key, 4) == [envelopes[1].data, envelopes[2].data]


# --- the gate -------------------------------------------------------------------------------------


def test_envelopes_in_order_are_taken_one_by_one() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    for envelope in log:
        received = receive(ledger, envelope.data)
        assert received.appended == (envelope,)
        assert len(received.records) == envelope.count
        assert received.records[0][0] == Dot(A.node, envelope.epoch, envelope.first_seq)
        assert replace(received, appended=(), records=()) == Received()
    assert ledger.document(*log[0].key) == ledger_document(log)


def ledger_document(log: Sequence[StoredEnvelope]) -> bytes:
    fresh = ledger_of("c", "a")
    fresh.receive_window_untrusted([one.data for one in log])
    return fresh.document(*log[0].key)


def test_a_gap_is_named_and_its_filling_releases_what_was_held() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    key = log[0].key
    assert receive(ledger, log[3].data) == Received(gap=(*key, 1))
    assert receive(ledger, log[0].data).gap == (*key, log[1].first_seq)
    assert receive(ledger, log[2].data) == Received(gap=(*key, log[1].first_seq))
    assert ledger.statistics()["held"] == 2
    received = receive(ledger, log[1].data)
    assert received.appended == (log[1], log[2], log[3])
    assert terms(received.records) == [2, 3, 4, 5, 6, 7]
    assert received.gap is None
    assert ledger.statistics()["held"] == 0


def test_a_full_room_behind_a_gap_still_names_the_gap() -> None:
    log, ledger = author_log(sizes=[1] * (HELD_PER_AUTHOR + 2)), ledger_of("b", "a")
    for envelope in log[1:-1]:
        assert receive(ledger, envelope.data).refused is None
    received = receive(ledger, log[-1].data)
    assert received == Received(gap=(*log[0].key, 1), refused=Refusal.HELD_FULL)
    assert receive(ledger, log[0].data).appended == tuple(log[:-1])


def test_a_gap_is_named_even_when_nothing_of_its_log_could_be_held() -> None:
    source, ledger = ledger_of("a"), ledger_of("b", "a")
    crowd = written(source, [1] * (HELD_PER_AUTHOR + 1))
    first, second = written(source, [1, 1])
    for envelope in crowd[1:]:
        receive(ledger, envelope.data)
    assert receive(ledger, second.data) == Received(gap=(*first.key, 1), refused=Refusal.HELD_FULL)


def test_duplicates_are_silent() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    data = [one.data for one in log]
    ledger.receive_window_untrusted(data)
    assert ledger.receive_window_untrusted(data) == Received()
    assert ledger.receive_window_untrusted([data[0], data[0]]) == Received()
    other = ledger_of("c", "a")
    assert other.receive_window_untrusted([data[0], data[0]]).appended == (log[0],)
    assert receive(other, data[2]) == receive(other, data[2])


# --- proof ----------------------------------------------------------------------------------------


def test_a_window_is_proved_by_its_last_signature_alone() -> None:
    author, book = stub_book("b", "a")
    ledger = Ledger(book=book, author=author, version="0.1.0")
    log = author_log(sizes=[1] * 64)
    received = ledger.receive_window_untrusted([one.data for one in log])
    assert received.appended == tuple(log)
    assert isinstance(book.trust, StubTrust)
    assert book.trust.verified == 1


def test_a_window_whose_last_signature_is_broken_is_proved_up_to_the_last_whole_one() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    data = [one.data for one in log]
    data[3] = data[3][:-1] + bytes([data[3][-1] ^ 1])
    received = ledger.receive_window_untrusted(data)
    assert received.appended == tuple(log[:3])
    assert received.refused is Refusal.SIGNATURE
    assert received.gap is None


def test_a_broken_signature_inside_a_window_breaks_the_chain_and_leaves_a_gap() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    data = [one.data for one in log]
    data[1] = data[1][:-1] + bytes([data[1][-1] ^ 1])
    received = ledger.receive_window_untrusted(data)
    assert received.appended == (log[0],)
    assert received.refused is Refusal.SIGNATURE
    assert received.gap == (*log[0].key, log[1].first_seq)


def test_one_node_cannot_write_as_another() -> None:
    ledger = ledger_of("b", "a", "mallory")
    opened = [encode_record(every_kind(A.node, 9)[0])]
    mallory = replace(stub_certificate("mallory"), node=A.node)
    forged = encode_envelope(
        StubTrust(mallory), epoch=9, first_seq=1, previous=NO_HASH, records=opened
    )
    assert receive(ledger, forged.data) == Received(refused=Refusal.SIGNATURE)
    assert ledger.statistics()["logs"] == 0


def test_what_lacks_a_certificate_waits_for_it() -> None:
    log = author_log()
    author, book = stub_book("b")
    ledger = Ledger(book=book, author=author, version="0.1.0")
    for envelope in (log[1], log[0]):
        assert receive(ledger, envelope.data) == Received(missing_certificate=A.serial)
    assert ledger.receive_window_untrusted([one.data for one in log[2:]]) == Received(
        missing_certificate=A.serial
    )
    assert ledger.certificate_added() == Received()
    assert ledger.statistics()["waiting"] == 4
    book.add(A)
    received = ledger.certificate_added()
    assert received.appended == tuple(log)
    assert (received.gap, received.missing_certificate) == (None, None)
    assert ledger.statistics()["waiting"] == 0


def test_a_renewed_certificate_in_mid_log_is_waited_for_from_there_on() -> None:
    renewed = stub_certificate("a", issue=2)
    log = author_log(sizes=[1, 1])
    later = encode_envelope(
        StubTrust(renewed),
        epoch=log[0].epoch,
        first_seq=log[1].last_seq + 1,
        previous=log[1].hash,
        records=[encode_record(claim(9))],
    )
    author, book = stub_book("b", "a")
    ledger = Ledger(book=book, author=author, version="0.1.0")
    received = ledger.receive_window_untrusted([*(one.data for one in log), later.data])
    assert received.appended == tuple(log)
    assert received.missing_certificate == renewed.serial
    book.add(renewed)
    assert ledger.certificate_added().appended == (later,)


def test_when_too_much_waits_the_certificate_is_still_asked_for() -> None:
    ledger = ledger_of("b")
    log = author_log(sizes=[1] * 65)
    for envelope in log[:-1]:
        receive(ledger, envelope.data)
    assert receive(ledger, log[-1].data) == Received(
        missing_certificate=A.serial, refused=Refusal.WAITING_FULL
    )


# --- void -----------------------------------------------------------------------------------------


def test_a_void_envelope_is_kept_and_passed_on_and_folded_by_nobody() -> None:
    first = signed([encode_record(claim(1))])
    second = signed([encode_record(claim(2))], first_seq=2, previous=first.hash)
    ledger = ledger_of("b", "a")
    assert receive(ledger, first.data) == Received(appended=(first,))
    received = receive(ledger, second.data)
    assert received.appended == (second,)
    assert terms(received.records) == [2]
    ledger.flushed([first, second])
    assert ledger.window(*first.key, 1) == [first.data, second.data]
    assert ledger.statistics()["void"] == ledger.statistics()["void_epoch_opened"] == 1
    again = ledger_of("b", "a")
    assert again.replay([first, second]) == list(received.records)


def test_roles_come_from_the_certificate_the_envelope_names() -> None:
    own, book = stub_book("b")
    book.add(stub_certificate("a", ("compute",)))
    ledger = Ledger(book=book, author=own, version="0.1.0")
    received = ledger.receive_window_untrusted([one.data for one in author_log()])
    assert len(received.appended) == 4
    assert received.records == ()
    assert ledger.statistics()["void_role"] == 4
