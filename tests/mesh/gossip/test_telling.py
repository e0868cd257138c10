from __future__ import annotations

from random import Random

from mesh.gossip import messages
from mesh.gossip.events import LinkId, StartTimer
from mesh.gossip.ground import Ground
from mesh.gossip.links import Link, Links
from mesh.gossip.members import MemberTable
from mesh.gossip.outbox import Outbox
from mesh.gossip.telling import TELL_WAIT_S, Telling
from mesh.gossip.timing import Timing
from mesh.trust import CertificateBook
from tests.mesh.gossip.solo import node, record, said, trust

P1, P2 = node("p1"), node("p2")


def _telling(*numbers: int) -> tuple[Telling, Links, Outbox]:
    outbox = Outbox()
    links = Links(node("own"), crossing_s=5.0)
    for number in numbers:
        links.add(Link(LinkId(number), node(f"p{number}"), False, "x:1", 0.0))
    table = MemberTable(record("own"))
    ground = Ground(CertificateBook(trust("own")), table, links, outbox, Timing(), Random(1))
    return Telling(ground), links, outbox


def _told(outbox: Outbox) -> dict[int, list[bytes]]:
    """What each link was told, in order; timers apart."""
    told: dict[int, list[bytes]] = {}
    for link, message in said([one for one in outbox.take() if not isinstance(one, StartTimer)]):
        assert isinstance(message, messages.Envelopes)
        told.setdefault(link, []).extend(message.envelopes)
    return told


def test_everybody_is_told_at_once_unless_somebody_is_named() -> None:
    telling, _, outbox = _telling(1, 2)
    telling.tell([b"one", b"two"], 5.0, first=None)
    assert _told(outbox) == {1: [b"one", b"two"], 2: [b"one", b"two"]}


def test_who_waits_is_told_first_and_the_rest_within_a_moment() -> None:
    telling, _, outbox = _telling(1, 2)
    telling.tell([b"one"], 5.0, first={P1})
    timer, *sent = outbox.take()
    assert timer == StartTimer(("gossip", "tell"), 5.0 + TELL_WAIT_S)
    assert said(sent) == [(1, messages.Envelopes((b"one",), False))]
    telling.rest(5.0 + TELL_WAIT_S)
    assert _told(outbox) == {2: [b"one"]}


def test_nobody_gets_a_log_with_a_gap_or_twice() -> None:
    telling, _, outbox = _telling(1, 2, 3)
    for envelope, first in ((b"a", ()), (b"b", {P1}), (b"c", {P2}), (b"d", {P1, P2})):
        telling.tell([envelope], 5.0, first=first)
    assert _told(outbox) == {1: [b"a", b"b", b"c", b"d"], 2: [b"a", b"b", b"c", b"d"]}
    telling.tell([b"e"], 5.0, first=None)
    assert _told(outbox) == {1: [b"e"], 2: [b"e"], 3: [b"a", b"b", b"c", b"d", b"e"]}
    telling.rest(6.0)
    assert _told(outbox) == {}, "there is no rest"


def test_a_link_that_opens_meanwhile_gets_what_was_not_told_to_all() -> None:
    telling, links, outbox = _telling(1)
    telling.tell([b"a"], 5.0, first={P1, P2})
    links.add(Link(LinkId(2), P2, False, "x:1", 0.0))
    telling.rest(5.0)
    assert _told(outbox) == {1: [b"a"], 2: [b"a"]}


def test_what_follows_shares_the_message_and_the_timer() -> None:
    telling, _, outbox = _telling(1)
    telling.tell([b"a"], 5.0, first=())
    telling.tell([b"b"], 5.004, first=())
    assert outbox.take() == [StartTimer(("gossip", "tell"), 5.0 + TELL_WAIT_S)]
    telling.rest(5.0 + TELL_WAIT_S)
    [(link, message)] = said(outbox.take())
    assert (link, message) == (1, messages.Envelopes((b"a", b"b"), False))
