from __future__ import annotations

import pytest

from mesh.gossip.events import LinkId
from mesh.gossip.links import Link, Links
from scheduler.ids import NodeId

SMALL, LARGE = NodeId("n-a"), NodeId("n-z")


def _link(number: int, peer: NodeId, *, dialled: bool, opened_s: float = 0.0) -> Link:
    return Link(LinkId(number), peer, dialled, "x:1", opened_s)


@pytest.mark.parametrize(
    ("own", "older_dialled", "newer_dialled", "apart_s", "loses"),
    [
        (SMALL, True, False, 1.0, "newer"),
        (SMALL, False, True, 1.0, "older"),
        (LARGE, True, False, 1.0, "older"),
        (LARGE, False, True, 1.0, "newer"),
        (SMALL, True, True, 1.0, "newer"),
        (SMALL, False, False, 1.0, None),
        (SMALL, True, False, 6.0, "older"),
        (LARGE, False, True, 6.0, "older"),
        (SMALL, False, False, 6.0, "older"),
    ],
)
def test_which_of_two_stays(
    own: NodeId, older_dialled: bool, newer_dialled: bool, apart_s: float, loses: str | None
) -> None:
    links = Links(own, crossing_s=5.0)
    peer = LARGE if own == SMALL else SMALL
    older = _link(1, peer, dialled=older_dialled)
    newer = _link(2, peer, dialled=newer_dialled, opened_s=apart_s)
    assert links.add(older) == []
    assert links.add(newer) == {"older": [older], "newer": [newer], None: []}[loses]


@pytest.mark.parametrize(("first", "apart_s"), [(True, 1.0), (False, 1.0), (True, 6.0)])
def test_both_ends_close_the_same_one(first: bool, apart_s: float) -> None:
    """Whatever order each end sees, never one each."""
    closed = []
    for own, peer, mine_first in ((SMALL, LARGE, first), (LARGE, SMALL, not first)):
        links = Links(own, crossing_s=5.0)
        pair = [
            _link(1, peer, dialled=mine_first, opened_s=0.0),
            _link(2, peer, dialled=not mine_first, opened_s=apart_s),
        ]
        closed += [loser.id for one in pair for loser in links.add(one)]
    assert len(closed) == 2
    assert len(set(closed)) == 1


def test_links_by_peer() -> None:
    links = Links(SMALL, crossing_s=5.0)
    links.add(_link(1, LARGE, dialled=False))
    links.add(_link(2, LARGE, dialled=False))
    assert (links.of(LARGE), links.all_of(LARGE), len(links)) == (2, [1, 2], 1)
    assert links.linked() == [(LARGE, 2)]
    assert links.remove(LinkId(2)).peer == LARGE
    assert links.remove(LinkId(2)) is None
    assert links.of(LARGE) == 1
    links.remove(LinkId(1))
    assert (links.of(LARGE), links.all_of(LARGE), len(links)) == (None, [], 0)
