from __future__ import annotations

import pytest

from mesh.ledger.context import Context
from tests.mesh.ledger.samples import ledger_of, written


def test_it_grows_with_what_is_flushed_and_never_shrinks() -> None:
    first, second, third = written(ledger_of("a"), [1, 2, 3])
    context = Context()
    assert context.seq(first.key) == 0
    assert context.advance([first, second]) == [first.key]
    assert context.head(first.key) == (second.last_seq, second.hash)
    assert context.advance([first]) == []
    assert context.head(first.key) == (second.last_seq, second.hash)
    assert context.advance([third]) == [first.key]
    assert context.copy() == {first.key: (third.last_seq, third.hash)}


def test_each_log_that_grew_is_named_once_in_order() -> None:
    ours, theirs = written(ledger_of("a"), [1, 1]), written(ledger_of("b"), [1])
    assert Context().advance([*theirs, *ours]) == [theirs[0].key, ours[0].key]


def test_a_copy_is_the_callers_to_keep() -> None:
    (envelope,) = written(ledger_of("a"), [1])
    context = Context()
    context.advance([envelope])
    context.copy().clear()
    assert context.seq(envelope.key) == 2


def test_a_log_of_which_nothing_is_flushed_has_no_head() -> None:
    with pytest.raises(KeyError):
        Context().head((ledger_of("a")._author, 1))
