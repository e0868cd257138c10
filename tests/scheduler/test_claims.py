"""What owners said, and when it counts."""

from __future__ import annotations

from itertools import permutations

import pytest

from scheduler.claims import Claims
from scheduler.ids import Dot, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import Expiry
from tests.scheduler.histories import ANN, BEN, CAT, attempt_id

VERSION = Dot(ANN, 1, 2)
ONE = attempt_id(1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([], ""),
        ([(ANN, 5, "superseded"), (BEN, 4, "duplicate")], "duplicate"),
        ([(ANN, 5, "superseded"), (CAT, 4, "duplicate")], "superseded"),
        ([(ANN, 1, "withdrawn"), (BEN, 9, "job_stopped")], "job_stopped"),
        ([(ANN, 1, "withdrawn")], "withdrawn"),
        ([(CAT, 1, "duplicate")], ""),
        ([(ANN, 1, "")], "asked"),
    ],
)
def test_the_earliest_stop_of_a_claimant_counts_and_a_withdrawal_last(
    said: list[tuple[NodeId, int, str]], reason: str
) -> None:
    for order in permutations([*said, (ANN, 0, None), (BEN, 0, None)]):
        claims = Claims()
        for author, hlc, why in order:
            if why is None:
                claims.add((1, author))
            else:
                claims.ask_stop(ONE, Hlc(hlc), Dot(author, 1, hlc), why)
        assert claims.stop_reason(ONE) == reason


def test_a_claim_names_the_attempts_that_its_author_had_asked_to_stop() -> None:
    claims = Claims()
    claims.ask_stop(ONE, Hlc(1), Dot(BEN, 1, 1), "duplicate")
    claims.ask_stop(attempt_id(2), Hlc(2), Dot(CAT, 1, 1), "duplicate")
    assert claims.add((1, ANN)) == []
    assert claims.add((2, BEN)) == [ONE]


def test_the_fence_is_the_greatest_pair_and_every_claim_is_remembered() -> None:
    for order in permutations([(1, CAT), (2, ANN), (2, BEN)]):
        claims = Claims()
        for claim in order:
            claims.add(claim)
        assert claims.greatest == (2, BEN)
        assert (1, CAT) in claims
        assert (2, CAT) not in claims


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([], None),
        ([(CAT, 1, "total_timeout")], None),
        ([(ANN, 5, "queue_timeout")], (ANN, 5, Expiry.QUEUE_TIMEOUT)),
        ([(ANN, 5, "queue_timeout"), (BEN, 4, "queue_timeout")], (BEN, 4, Expiry.QUEUE_TIMEOUT)),
        ([(ANN, 5, "queue_timeout"), (BEN, 9, "total_timeout")], (BEN, 9, Expiry.TOTAL_TIMEOUT)),
        ([(ANN, 5, "image_missing")], (ANN, 5, Expiry.IMAGE_MISSING)),
        ([(ANN, 5, "image_missing"), (BEN, 4, "queue_timeout")], (BEN, 4, Expiry.QUEUE_TIMEOUT)),
        ([(BEN, 3, "a later release's")], (BEN, 3, Expiry.QUEUE_TIMEOUT)),
    ],
)
def test_p15_a_total_timeout_goes_before_one_in_the_queue_then_the_earliest(
    said: list[tuple[NodeId, int, str]], found: tuple[NodeId, int, Expiry] | None
) -> None:
    for order in permutations(said):
        claims = Claims()
        claims.add((1, ANN))
        for author, hlc, reason in order:
            claims.expire(VERSION, Hlc(hlc), Dot(author, 1, hlc), reason)
        claims.add((1, BEN))
        expected = None if found is None else (Dot(found[0], 1, found[1]), found[2])
        assert claims.expired(VERSION) == expected
        assert claims.expired(Dot(ANN, 1, 3)) is None
