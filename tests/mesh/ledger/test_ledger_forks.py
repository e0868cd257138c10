"""Two histories of one log, and a node's own logs in other hands."""

from __future__ import annotations

import pytest

from mesh.ledger.ledger import Received, Refusal
from scheduler.instant import Instant
from tests.mesh.ledger.samples import (
    NOW,
    author_log,
    claim,
    fork_of,
    ledger_of,
    receive,
    terms,
    written,
)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("position", [1, 2, 3])
def test_a_second_history_is_counted_and_not_kept(position: int, size: int) -> None:
    log, ledger = author_log(sizes=[1, 2, 2, 1]), ledger_of("b", "a")
    ledger.receive_window_untrusted([one.data for one in log])
    before = ledger.document(*log[0].key)
    fork = fork_of(log, position, size)
    assert receive(ledger, fork.data) == Received(fork=True)
    assert ledger.statistics()["forks"] == 1
    assert ledger.document(*log[0].key) == before


def test_a_history_that_goes_on_from_another_branch_is_a_fork_too() -> None:
    log, ledger = author_log(sizes=[1, 1]), ledger_of("b", "a")
    ledger.receive_window_untrusted([one.data for one in log])
    branch = [*log[:1], fork_of(log, 1, 1)]
    assert receive(ledger, fork_of(branch, 2, 1).data).fork


def test_our_own_older_epochs_come_back_as_ours() -> None:
    lived = ledger_of("a")
    old = written(lived, [1, 2, 1])
    restored = ledger_of("a", "b")
    assert terms(restored.replay(old[:2])) == [1, 2, 3]
    restored.open_epoch(Instant(0.0, NOW.wall_ms + 1), 0)
    received = receive(restored, old[2].data)
    assert received.appended == (old[2],)
    assert terms(received.records) == [4]
    assert not received.foreign_own


def test_our_current_epoch_in_other_hands_is_told_and_not_taken() -> None:
    ours, clone = ledger_of("a"), ledger_of("a")
    (shared,) = written(ours, [1])
    (same,) = written(clone, [1])
    assert same == shared
    clone.write(claim(7))
    (beyond,) = clone.seal()
    assert receive(ours, shared.data) == Received()
    assert receive(ours, beyond.data) == Received(refused=Refusal.FOREIGN_OWN, foreign_own=True)
    ours.write(claim(8))
    ours.seal()
    assert receive(ours, beyond.data) == Received(fork=True, foreign_own=True)


def test_after_a_new_epoch_the_foreign_end_of_the_old_one_is_taken() -> None:
    ours, clone = ledger_of("a"), ledger_of("a")
    written(ours, [1])
    (_, beyond) = written(clone, [1, 1])
    assert receive(ours, beyond.data).foreign_own
    ours.open_epoch(NOW, 0)
    received = receive(ours, beyond.data)
    assert received.appended == (beyond,)
    assert not received.foreign_own


def test_a_later_boot_of_ours_is_taken_and_outnumbered_by_the_next_epoch() -> None:
    ours, clone = ledger_of("a"), ledger_of("a")
    written(ours, [1])
    (later,) = written(clone, [1], wall_ms=NOW.wall_ms + 5_000)
    received = receive(ours, later.data)
    assert received.appended == (later,)
    assert not received.foreign_own
    assert ours.open_epoch(NOW, 0) > later.epoch
