from __future__ import annotations

from mesh.gossip import messages
from mesh.gossip.events import BlobsArrived, BlobsWanted, EnvelopesArrived, LinkId, PullAsked
from mesh.gossip.messages import Hashes, HeadsWanted, MembersWanted, Ping, RegistersWanted
from scheduler.ids import blob_digest
from tests.mesh.gossip.solo import NAMES, Solo, node, record, said

ASKS = (MembersWanted, RegistersWanted, HeadsWanted)


def _asked(solo: Solo, hashes: Hashes) -> list[type]:
    sent = said(solo.tell("p1", Ping(1, hashes)))
    return [type(message) for _, message in sent if isinstance(message, ASKS)]


def test_equal_hashes_ask_for_nothing_and_each_that_differs_for_its_own() -> None:
    solo = Solo("p1")
    own = solo.gossip._exchange.hashes()
    assert _asked(solo, own) == []
    for field, ask in zip(Hashes._fields, ASKS, strict=True):
        assert _asked(solo, own._replace(**{field: b"another!"})) == [ask]


def test_comparisons_with_a_peer_are_spaced_and_the_same_one_rests() -> None:
    solo = Solo("p1")
    own = solo.gossip._exchange.hashes()
    start_s = solo.now_s
    asked = {}
    for tenth in range(130):
        solo.now_s = start_s + tenth / 10
        for context in (b"stays...",) if tenth > 5 else (b"%08d" % tenth,):
            if _asked(solo, own._replace(context=context)):
                asked[tenth] = context
    assert list(asked) == [0, 10, 110]


def test_an_opened_link_is_told_everybody_and_asked_for_the_rest() -> None:
    solo = Solo("p1", "p2")
    sent = said(solo.open("p3"))
    everybody = (record("own").data, record("p1").data, record("p2").data)
    assert sent == [
        (3, messages.Members(everybody)),
        (3, RegistersWanted(())),
        (3, HeadsWanted(())),
    ]


def test_members_asked_for_are_those_that_the_asker_lacks() -> None:
    solo = Solo("p1", "p2")
    known = solo.gossip._table.standings()[:2]
    sent = said(solo.tell("p1", MembersWanted(known)))
    assert sent == [(1, messages.Members((record("p2").data,)))]


def test_what_is_for_the_member_is_handed_on() -> None:
    solo = Solo("p1")
    link, digest = LinkId(1), blob_digest(b"blob")
    for message, told in (
        (messages.Envelopes((b"e",), False), EnvelopesArrived(link, (b"e",), False)),
        (messages.Envelopes((b"e",), True), EnvelopesArrived(link, (b"e",), True)),
        (messages.Blobs((b"blob",)), BlobsArrived((b"blob",))),
        (messages.BlobsWanted((digest,)), BlobsWanted(link, (digest,))),
        (messages.Pull(node("p2"), 3, 4), PullAsked(link, node("p2"), 3, 4)),
    ):
        assert solo.tell("p1", message) == [told]


def test_the_large_are_cut_into_frames() -> None:
    solo = Solo("p1")
    sent = said(solo.gossip.send_envelopes(LinkId(1), [bytes(16_000)] * 10))
    assert [len(message.envelopes) for _, message in sent] == [4, 4, 2]
    assert len(NAMES) == 6
