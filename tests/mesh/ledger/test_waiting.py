from __future__ import annotations

from mesh.ledger.envelope import Envelope, decode_untrusted
from mesh.ledger.waiting import (
    HELD_PER_AUTHOR,
    WAITING_PER_SERIAL,
    WAITING_SERIALS,
    HeldBehindGap,
    WaitingForCertificate,
)
from tests.mesh.ledger.samples import ledger_of, written


def log_of(name: str, length: int) -> list[Envelope]:
    return [decode_untrusted(one.data) for one in written(ledger_of(name), [1] * length)]


def test_held_envelopes_are_taken_in_order_up_to_a_seq() -> None:
    log, held = log_of("a", 5), HeldBehindGap()
    key = log[0].stored.key
    for envelope in (log[4], log[2], log[3], log[2]):
        assert held.hold(envelope)
    assert len(held) == 3
    assert held.take(key, log[2].stored.first_seq - 1) == []
    assert held.take(key, log[3].stored.first_seq) == [log[2], log[3]]
    assert held.waits(key)
    assert held.take(key, 1_000) == [log[4]]
    assert not held.waits(key)
    assert len(held) == 0


def test_one_author_fills_its_own_room_and_no_others() -> None:
    log, other, held = log_of("a", HELD_PER_AUTHOR + 2), log_of("b", 2), HeldBehindGap()
    assert all(held.hold(envelope) for envelope in log[1:-1])
    assert not held.hold(log[-1])
    assert held.hold(log[1])
    assert held.hold(other[1])
    assert len(held) == HELD_PER_AUTHOR + 1
    held.take(log[0].stored.key, log[1].stored.first_seq)
    assert held.hold(log[-1])


def test_envelopes_wait_by_serial_in_order_of_arrival() -> None:
    log, other, waiting = log_of("a", 3), log_of("b", 1), WaitingForCertificate()
    for envelope in (log[1], other[0], log[0], log[1]):
        assert waiting.wait(envelope)
    assert waiting.serials() == [log[0].serial, other[0].serial]
    assert len(waiting) == 3
    assert waiting.take(log[0].serial) == [log[1], log[0]]
    assert waiting.take(log[0].serial) == []
    assert len(waiting) == 1


def test_the_room_for_waiting_is_bounded_both_ways() -> None:
    log, waiting = log_of("a", WAITING_PER_SERIAL + 1), WaitingForCertificate()
    assert all(waiting.wait(envelope) for envelope in log[:-1])
    assert not waiting.wait(log[-1])
    assert waiting.wait(log[0])
    others = [log_of(f"other {number}", 1)[0] for number in range(WAITING_SERIALS)]
    assert [waiting.wait(envelope) for envelope in others] == [True] * (WAITING_SERIALS - 1) + [
        False
    ]
