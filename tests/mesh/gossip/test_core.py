"""One node by hand: whole effects for the small rules."""

from __future__ import annotations

from random import Random

from mesh.gossip import messages
from mesh.gossip.events import (
    AddressHeard,
    BlobsArrived,
    CertificateLearned,
    CloseLink,
    Dial,
    LinkClosed,
    LinkId,
    LinkOpened,
    MessageReceived,
    PeerChanged,
    PeerState,
    Send,
    StartTimer,
    TimerFired,
)
from mesh.gossip.messages import MAX_BLOB_BYTES, Ping
from scheduler.ids import blob_digest
from tests.mesh.gossip.solo import CERTIFICATES, NO_HASHES, Solo, node, of_type, record, said

UNREACHABLE, SUSPECT = PeerState.UNREACHABLE, PeerState.SUSPECT


def test_the_start_dials_those_known_and_sets_the_timers() -> None:
    solo = Solo(known_peers=[(node("p1"), ["p1:1", "own:1235"])])
    effects = solo.gossip.start(solo.now())
    assert of_type(effects, Dial) == []
    fresh = Solo()
    assert [one.token[1] for one in fresh.gossip.start(fresh.now())] == [
        "period",
        "dial",
        "compare",
    ]
    assert solo.handle(AddressHeard("p1:1", None)) == []


def test_a_link_that_opens_brings_its_certificate_and_then_its_member() -> None:
    solo = Solo()
    effects = solo.open("p1")
    assert effects == [
        CertificateLearned(CERTIFICATES["p1"].der),
        Send(LinkId(1), messages.encode(messages.Members((record("own").data,)))),
        Send(LinkId(1), messages.encode(messages.RegistersWanted(()))),
        Send(LinkId(1), messages.encode(messages.HeadsWanted(()))),
    ]
    assert solo.gossip.peers() == []
    effects = solo.tell("p1", messages.Members((record("p1").data,)))
    assert effects == [
        PeerChanged(node("p1"), PeerState.ALIVE),
        StartTimer(("gossip", "rumours"), solo.now_s + 0.2),
    ]
    (peer,) = solo.gossip.peers()
    assert (peer.node, peer.name, peer.linked, peer.addresses) == (
        node("p1"),
        "p1",
        True,
        ("p1:1235",),
    )
    assert solo.gossip.link_of(node("p1")) == 1


def test_a_link_to_ourselves_is_closed_and_not_dialled_again() -> None:
    solo = Solo()
    assert solo.handle(AddressHeard("loop:1", None)) == [Dial("loop:1")]
    der = CERTIFICATES["own"].der
    effects = solo.handle(LinkOpened(LinkId(9), node("own"), True, "loop:1", der))
    assert effects == [CloseLink(LinkId(9), "this is ourselves")]
    solo.now_s += 30.0
    assert solo.handle(AddressHeard("loop:1", None)) == []


def test_the_loser_of_two_links_is_closed_once_the_other_is_up() -> None:
    solo = Solo("p1")
    effects = solo.open("p1", link=11, dialled=True)
    (closed,) = of_type(effects, CloseLink)
    ours_stays = node("own") < node("p1")
    assert closed.link == (1 if ours_stays else 11)
    assert solo.gossip.link_of(node("p1")) == (11 if ours_stays else 1)
    assert solo.handle(LinkClosed(closed.link, goodbye=True)) == []
    assert solo.state("p1") is PeerState.ALIVE


def test_a_goodbye_of_a_link_starts_no_suspicion() -> None:
    solo = Solo("p1", "p2")
    effects = solo.handle(LinkClosed(LinkId(1), goodbye=True))
    assert of_type(effects, PeerChanged) == []
    assert solo.state("p1") is PeerState.ALIVE


def test_what_a_peer_says_after_its_link_closed_is_counted() -> None:
    solo = Solo("p1")
    solo.handle(LinkClosed(LinkId(1), goodbye=True))
    assert solo.tell("p1", Ping(1, NO_HASHES)) == []
    assert solo.gossip.statistics()["messages_after_close"] == 1


def test_any_bytes_and_any_token_are_survived_and_counted() -> None:
    solo = Solo("p1")
    random = Random(4)
    samples = [
        messages.encode(messages.Ping(1, NO_HASHES, (record("p2").data,))),
        messages.encode(messages.Registers((b"x", record("p1").data))),
        messages.encode(messages.Certificates((b"x",))),
        messages.encode(messages.Members((record("p3").data,))),
    ]
    for _ in range(500):
        data = bytearray(random.choice(samples))
        for _ in range(3):
            data[random.randrange(len(data))] = random.randrange(256)
        solo.handle(MessageReceived(LinkId(1), bytes(data)))
    assert solo.gossip.statistics()["messages_refused"] > 100
    assert solo.handle(TimerFired(("gossip", "nonsense"), 0.0)) == []
    assert solo.gossip.statistics()["timers_unknown"] == 1


def test_own_news_go_to_all_linked_peers_blobs_first() -> None:
    solo = Solo("p1", "p2")
    sent = said(solo.gossip.broadcast([b"e1", b"e2"], [b"blob"], solo.now()))
    assert sent == [
        (1, messages.Blobs((b"blob",))),
        (2, messages.Blobs((b"blob",))),
        (1, messages.Envelopes((b"e1", b"e2"), False)),
        (2, messages.Envelopes((b"e1", b"e2"), False)),
    ]


def test_a_blob_that_fits_no_frame_is_left_out_and_counted() -> None:
    solo = Solo("p1")
    large = bytes(MAX_BLOB_BYTES + 1)
    assert said(solo.gossip.send_blobs(LinkId(1), [large, b"small"])) == [
        (1, messages.Blobs((b"small",)))
    ]
    assert solo.gossip.statistics()["blobs_too_large"] == 1


def test_blobs_are_asked_of_one_peer_after_another_until_they_come() -> None:
    solo = Solo("p1", "p2")
    digest = blob_digest(b"blob")
    effects = solo.gossip.want_blobs([digest], solo.now())
    wanted = messages.BlobsWanted((digest,))
    assert said(effects) == [(1, wanted)]
    assert StartTimer(("gossip", "wants"), solo.now_s + 1.0) in effects
    solo.now_s += 1.0
    assert said(solo.fire("wants")) == [(2, wanted)]
    assert BlobsArrived((b"blob",)) in solo.tell("p2", messages.Blobs((b"blob",)))
    solo.now_s += 1.0
    assert solo.fire("wants") == []


def test_blobs_asked_on_a_link_that_ends_are_asked_on_another_at_once() -> None:
    solo = Solo("p1", "p2")
    wanted = messages.BlobsWanted((blob_digest(b"blob"),))
    assert said(solo.gossip.want_blobs(wanted.digests, solo.now())) == [(1, wanted)]
    assert (2, wanted) in said(solo.handle(LinkClosed(LinkId(1), goodbye=True)))
    assert wanted not in [one for _, one in said(solo.handle(LinkClosed(LinkId(2), goodbye=True)))]
    assert (3, wanted) in said(solo.open("p3"))


def test_a_register_is_signed_told_and_kept() -> None:
    solo = Solo("p1", "p2")
    for payload in (b"one", b"two"):
        sent = said(solo.gossip.publish(1, payload, solo.now()))
        assert [link for link, _ in sent] == [1, 2]
        assert solo.gossip.register(node("own"), 1) == payload
    assert solo.gossip.register(node("p1"), 1) is None


def test_leaving_says_goodbye_and_nothing_after() -> None:
    solo = Solo("p1", "p2")
    effects = solo.gossip.leave(solo.now())
    goodbyes = [one for one in said(effects) if isinstance(one[1], messages.Goodbye)]
    assert [link for link, _ in goodbyes] == [1, 2]
    assert [one.link for one in of_type(effects, CloseLink)] == [1, 2]
    assert solo.fire("period") == solo.tell("p1", Ping(1, NO_HASHES)) == []


def test_the_forced_comparison_sees_what_was_not_told() -> None:
    held: dict = {}
    solo = Solo("p1")
    solo.gossip._context = lambda: held
    held[node("p2"), 1] = (5, bytes(32))
    sent = said(solo.fire("compare"))
    (wanted,) = [one for _, one in sent if isinstance(one, messages.HeadsWanted)]
    assert len(wanted.buckets) == 1
