"""What a node reads back from its disk: the same state, and a cut where a row is damaged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesh.ledger.envelope import decode_untrusted
from mesh.ledger.ledger import Ledger, StoredEnvelope
from scheduler.ids import NodeId
from tests.mesh.ledger.samples import NOW, author_log, fork_of, ledger_of, receive, terms, written
from tests.mesh.trust_stub import StubTrust, stub_book, stub_certificate

A = stub_certificate("a")


def test_replay_gives_the_same_state_without_checking_a_signature() -> None:
    ledger = ledger_of("b", "a")
    theirs, own = author_log(), written(ledger, [2, 1])
    received = ledger.receive_window_untrusted([one.data for one in theirs])
    disk = [*own[:1], *theirs, *own[1:]]
    ledger.flushed(disk)
    author, book = stub_book("b", "a")
    again = Ledger(book=book, author=author, version="0.1.0")
    records = again.replay(disk)
    assert isinstance(book.trust, StubTrust)
    assert book.trust.verified == 0
    assert [one for one in records if one[0].author == A.node] == list(received.records)
    assert [dot.seq for dot, _ in records if dot.author == author] == [1, 2, 3, 4]
    assert again.context() == ledger.context()
    assert again.last_hlc == ledger.last_hlc
    assert again.cut == []
    for key in ledger.context():
        assert again.document(*key) == ledger.document(*key)


def _flipped(envelope: StoredEnvelope, position: int) -> StoredEnvelope:
    data = bytearray(envelope.data)
    data[position] ^= 1
    return replace(envelope, data=bytes(data))


@pytest.mark.parametrize("position", [0, 5, 20, 60, 120, -70, -1])
def test_a_corrupt_middle_cuts_the_log_and_peers_send_the_rest_again(position: int) -> None:
    log, other = author_log(), author_log("c")
    disk = [log[0], other[0], log[1], _flipped(log[2], position), other[1], log[3]]
    ledger = ledger_of("b", "a", "c")
    records = ledger.replay(disk)
    assert terms(records) == [1, 1, 2, 3, 2, 3]
    key = log[0].key
    assert ledger.cut == [(*key, log[2].first_seq)]
    assert ledger.context()[key] == (log[1].last_seq, log[1].hash)
    assert ledger.context()[other[0].key] == (other[1].last_seq, other[1].hash)
    received = ledger.receive_window_untrusted([log[2].data, log[3].data])
    assert received.appended == (log[2], log[3])


def test_a_stored_log_with_a_row_missing_is_cut_there() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    assert terms(ledger.replay([log[0], log[2], log[3]])) == [1]
    assert ledger.cut == [(*log[0].key, log[1].first_seq)]
    assert ledger.context() == {log[0].key: (log[0].last_seq, log[0].hash)}


@pytest.mark.parametrize("disk", [[0, 2, 3, 1], [3, 2, 1, 0], [0, 0, 1, 1, 2, 3, 3]])
def test_rows_that_peers_sent_again_stand_where_they_may(disk: list[int]) -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    assert terms(ledger.replay([log[place] for place in disk])) == [1, 2, 3, 4, 5, 6, 7]
    assert ledger.cut == []
    assert ledger.context() == {log[0].key: (log[3].last_seq, log[3].hash)}


def test_a_damaged_row_is_made_good_by_a_later_one() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    disk = [log[0], _flipped(log[1], 60), log[2], log[1], log[3]]
    assert terms(ledger.replay(disk)) == [1, 2, 3, 4, 5, 6, 7]
    assert ledger.cut == []


def test_rows_that_do_not_name_each_other_are_cut() -> None:
    log, ledger = author_log(sizes=[1, 1, 1]), ledger_of("b", "a")
    ledger.replay([log[0], fork_of(log, 1, 1), log[2]])
    assert ledger.cut == [(*log[0].key, log[2].first_seq)]


@pytest.mark.parametrize(
    "stored",
    [
        replace(author_log()[0], epoch=1),
        replace(author_log()[0], count=9),
        replace(author_log()[0], author=NodeId("n-" + "a" * 26)),
        replace(author_log()[0], hash=bytes(32)),
    ],
    ids=["epoch", "count", "author", "hash"],
)
def test_an_index_that_does_not_fit_its_envelope_is_corrupt(stored: StoredEnvelope) -> None:
    ledger = ledger_of("b", "a")
    assert ledger.replay([stored]) == []
    assert len(ledger.cut) == 1


def test_a_stored_envelope_whose_certificate_is_lost_is_cut_and_comes_again() -> None:
    log, ledger = author_log(), ledger_of("b")
    assert ledger.replay(log) == []
    assert ledger.cut == [(*log[0].key, 1)]
    assert receive(ledger, log[0].data).missing_certificate == A.serial


def test_the_first_epoch_after_replay_is_greater_than_all_before() -> None:
    lived = ledger_of("a")
    old = written(lived, [1], wall_ms=NOW.wall_ms + 86_400_000)
    restored = ledger_of("a")
    restored.replay(old)
    assert restored.open_epoch(NOW, 0) > old[0].epoch
    (opened,) = restored.seal()
    body = receive(ledger_of("b", "a"), opened.data).records[0][1].body
    assert body["builds_on"] == ((old[0].epoch, 2, old[0].hash.hex()),)


def test_a_folded_record_is_read_again_by_its_dot() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    records = ledger.receive_window_untrusted([one.data for one in log]).records
    assert [ledger.record(dot) for dot, _ in records] == [record for _, record in records]
    last = records[-1][0]
    assert ledger.record(last._replace(seq=last.seq + 1)) is None
    assert ledger.record(last._replace(seq=0)) is None
    assert ledger.record(last._replace(epoch=1)) is None


def test_decoding_again_what_is_served_gives_what_was_stored() -> None:
    log, ledger = author_log(), ledger_of("b", "a")
    ledger.flushed(ledger.receive_window_untrusted([one.data for one in log]).appended)
    assert [decode_untrusted(data).stored for data in ledger.window(*log[0].key, 1)] == log
