"""One flush at a time, and what waits for it."""

from __future__ import annotations

from mesh.ledger.ledger import Ledger
from mesh.member.events import Changed, Restored
from mesh.member.flushes import Flushes
from scheduler.ids import blob_digest
from scheduler.instant import Instant
from tests.mesh.trust_stub import stub_book


def flushes() -> tuple[Flushes, Ledger]:
    node, book = stub_book("a")
    ledger = Ledger(book=book, author=node, version="0")
    return Flushes(ledger, Restored()), ledger


def test_effects_that_wait_for_nothing_are_given_out_at_once() -> None:
    gathering, _ = flushes()
    gathering.hold([Changed(("j",))])
    assert gathering.next() == (None, [Changed(("j",))])


def test_effects_wait_for_the_flush_of_what_was_written_before_them() -> None:
    gathering, ledger = flushes()
    ledger.open_epoch(Instant(0, 1), 0)
    gathering.hold([Changed(("j",))])
    persist, ready = gathering.next()
    assert persist is not None
    assert ready == []
    assert gathering.flushed(persist.token).effects == [Changed(("j",))]


def test_while_a_flush_is_out_everything_gathers() -> None:
    gathering, ledger = flushes()
    ledger.open_epoch(Instant(0, 1), 0)
    first, _ = gathering.next()
    assert first is not None
    gathering.blobs([(blob_digest(b"spec"), b"spec")], own=True)
    gathering.hold([Changed(("later",))])
    assert gathering.next() == (None, [])
    assert gathering.flushed(first.token).effects == []
    second, ready = gathering.next()
    assert second is not None
    assert second.blobs == ((blob_digest(b"spec"), b"spec"),)
    assert ready == []
    done = gathering.flushed(second.token)
    assert done.own_blobs == [b"spec"]
    assert done.effects == [Changed(("later",))]


def test_blobs_of_others_are_kept_and_not_pushed_again() -> None:
    gathering, _ = flushes()
    gathering.asked_specs[blob_digest(b"spec")] = None
    gathering.blobs([(blob_digest(b"spec"), b"spec")], own=False)
    persist, _ = gathering.next()
    assert persist is not None
    assert gathering.flushed(persist.token).own_blobs == []
    assert not gathering.asked_specs
