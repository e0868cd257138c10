from __future__ import annotations

import pytest

from mesh.gossip.suspicion import Suspicion
from tests.mesh.gossip.solo import node


def _suspicion(wanted: int = 4) -> Suspicion:
    return Suspicion(since_s=100.0, min_s=3.0, max_s=24.0, confirmations_wanted=wanted)


@pytest.mark.parametrize(("suspecters", "seconds"), [(1, 24.0), (3, 9.67), (5, 3.0)])
def test_it_ends_the_sooner_the_more_share_it(suspecters: int, seconds: float) -> None:
    suspicion = _suspicion()
    for index in range(1, suspecters + 1):
        assert suspicion.confirm(node("own") if index == 6 else node(f"p{index}"))
    assert suspicion.ends_s - 100.0 == pytest.approx(seconds, abs=0.01)


def test_where_so_many_cannot_be_one_is_enough() -> None:
    assert _suspicion(wanted=0).ends_s == 103.0


def test_a_voice_counts_once_and_not_beyond_those_wanted() -> None:
    suspicion = _suspicion(wanted=1)
    assert suspicion.confirm(node("p1"))
    assert not suspicion.confirm(node("p1"))
    assert suspicion.confirm(node("p2"))
    assert not suspicion.confirm(node("p3"))
    assert suspicion.authors == [node("p1"), node("p2")]


def test_a_verdict_held_back_falls_later() -> None:
    suspicion = _suspicion(wanted=0)
    suspicion.held_until_s = 106.0
    assert suspicion.ends_s == 106.0
