"""What the ledger says of bytes from a peer."""

from __future__ import annotations

from mesh.ledger.received import Outcome, Received, Refusal


def test_nothing_is_the_default() -> None:
    received = Received()
    assert received.appended == ()
    assert received.records == ()
    assert (received.gap, received.missing_certificate, received.refused) == (None, None, None)
    assert not received.fork
    assert not received.foreign_own


def test_outcomes_do_not_share_what_they_gather() -> None:
    one, other = Outcome(), Outcome()
    one.furthest_seqs["n", 1] = 5  # type: ignore[index]
    assert not other.furthest_seqs


def test_refusals_have_names_that_counters_can_carry() -> None:
    assert len({one.value for one in Refusal}) == len(Refusal)
    assert all(one.value.isidentifier() for one in Refusal)
