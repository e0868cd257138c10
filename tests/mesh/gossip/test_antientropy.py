from __future__ import annotations

from random import Random

from mesh.gossip import messages
from mesh.gossip.antientropy import MAX_PULLS, AntiEntropy, ContextHashes
from mesh.gossip.events import LinkId, StartTimer
from mesh.gossip.ground import Ground
from mesh.gossip.links import Link, Links
from mesh.gossip.members import MemberTable
from mesh.gossip.messages import Head, Heads, HeadsWanted, Pull
from mesh.gossip.outbox import Outbox
from mesh.gossip.timing import Timing
from mesh.trust import CertificateBook
from tests.mesh.gossip.solo import node, of_type, record, said, trust

A, B = node("p1"), node("p2")
LINK_A, LINK_B = LinkId(1), LinkId(2)


def _head(author: str, seq: int, *, epoch: int = 1, branch: int = 0) -> Head:
    return Head(node(author), epoch, seq, bytes([seq, branch]) * 16)


class Reader:
    """One node's pulls, with links to p1 and p2."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.links = Links(node("own"), crossing_s=5.0)
        for link, peer in ((LINK_A, A), (LINK_B, B)):
            self.links.add(Link(link, peer, False, "x:1", 0.0))
        book, table = CertificateBook(trust("own")), MemberTable(record("own"))
        ground = Ground(book, table, self.links, self.outbox, Timing(), Random(1))
        self.pulls = AntiEntropy(ground, {})

    def asked(self) -> list[tuple[int, messages.Message]]:
        return said(self.outbox.take())

    def told(self, *heads: Head, link: LinkId = LINK_B, at_once: bool = False) -> None:
        self.pulls.on_heads(link, Heads(heads), 0.0, at_once=at_once)


def test_equal_contexts_have_equal_hashes_by_whatever_way_they_came() -> None:
    random = Random(5)
    heads = [_head(f"p{author}", seq, epoch=epoch)
             for author in (1, 2) for epoch in (1, 2) for seq in range(1, 20)]  # fmt: skip
    one, two = ContextHashes({}), ContextHashes({})
    for head in heads:
        one.put(head)
    latest = {(head.author, head.epoch): head for head in heads}
    for head in random.sample(list(latest.values()), len(latest)):
        two.put(head)
    three = ContextHashes({key: (head.seq, head.head) for key, head in latest.items()})
    assert one.hash == two.hash == three.hash != bytes(8)
    assert one.differing(two.buckets()) == []
    two.put(_head("p1", 19, branch=1))
    assert one.hash != two.hash
    assert [head.author for head in one.differing(two.buckets())] == [A]
    assert len(one.differing(())) == 4


def test_comparison_tells_the_heads_that_differ() -> None:
    reader, peer = Reader(), Reader()
    peer.pulls.context.put(_head("p1", 3))
    reader.pulls.compare(LINK_A)
    ((_, wanted),) = reader.asked()
    assert wanted == HeadsWanted(())
    peer.pulls.on_heads_wanted(LINK_B, wanted)
    assert peer.asked() == [(2, Heads((_head("p1", 3),)))]


def test_an_author_not_heard_directly_is_pulled_at_once() -> None:
    reader = Reader()
    reader.told(_head("p3", 5))
    assert reader.asked() == [(2, Pull(node("p3"), 1, 1))]


def test_one_heard_directly_only_if_it_is_missing_a_second_later() -> None:
    reader = Reader()
    reader.told(_head("p1", 5), _head("p2", 5))
    assert of_type(reader.outbox.take(), StartTimer) == [StartTimer(("gossip", "pull"), 1.0)]
    reader.told(_head("p1", 9))
    reader.pulls.context.put(_head("p1", 5))
    reader.pulls.timer(1.0)
    assert reader.asked() == [(2, Pull(B, 1, 1))]


def test_when_a_link_opens_everything_is_pulled_at_once() -> None:
    reader = Reader()
    reader.told(_head("p1", 5), at_once=True)
    assert reader.asked() == [(2, Pull(A, 1, 1))]


def test_what_we_hold_is_not_pulled() -> None:
    reader = Reader()
    reader.pulls.context.put(_head("p3", 5))
    reader.told(_head("p3", 5), _head("p3", 4, branch=1))
    assert reader.outbox.take() == []


def test_windows_follow_each_other_when_one_is_on_disk() -> None:
    reader = Reader()
    reader.told(_head("p3", 130))
    reader.asked()
    reader.pulls.timer(0.02)
    assert reader.outbox.take() == [StartTimer(("gossip", "pull"), 0.04)]
    for seq, following in ((64, 65), (128, 129)):
        reader.pulls.context.put(_head("p3", seq))
        reader.pulls.timer(0.2)
        assert reader.asked() == [(2, Pull(node("p3"), 1, following))]
    reader.pulls.context.put(_head("p3", 130))
    reader.pulls.timer(0.3)
    assert reader.outbox.take() == []


def test_who_does_not_answer_is_replaced_and_in_the_end_let_be() -> None:
    reader = Reader()
    reader.told(_head("p3", 5), link=LINK_A)
    reader.told(_head("p3", 5), link=LINK_B)
    asked = reader.asked()
    for now_s in range(1, 20):
        reader.pulls.timer(float(now_s))
        asked += reader.asked()
    assert [link for link, _ in asked] == [1, 2, 1, 2]
    reader.told(_head("p3", 5))
    assert len(reader.asked()) == 1


def test_a_link_that_is_gone_is_not_asked() -> None:
    reader = Reader()
    reader.told(_head("p3", 5), link=LINK_B)
    reader.asked()
    reader.links.remove(LINK_B)
    reader.pulls.timer(2.0)
    assert reader.outbox.take() == []


def test_a_pull_on_a_link_that_ends_is_asked_again_on_the_one_that_stays() -> None:
    reader = Reader()
    reader.told(_head("p2", 5), at_once=True)
    reader.links.remove(LINK_B)
    reader.links.add(Link(LinkId(3), B, True, "x:1", 0.1))
    reader.told(_head("p2", 6), link=LinkId(3), at_once=True)
    reader.told(_head("p2", 6), link=LinkId(3), at_once=True)
    assert reader.asked() == [(2, Pull(B, 1, 1)), (3, Pull(B, 1, 1))]


def test_few_logs_are_pulled_at_once_and_the_rest_in_turn() -> None:
    reader = Reader()
    reader.told(*(_head("p3", 5, epoch=epoch) for epoch in range(1, 8)))
    assert [pull.epoch for _, pull in reader.asked()] == [1, 2, 3, 4][:MAX_PULLS]
    reader.pulls.context.put(_head("p3", 5, epoch=2))
    reader.pulls.timer(0.1)
    assert [pull.epoch for _, pull in reader.asked()] == [5]


def test_a_gap_is_pulled_where_it_showed_and_not_twice() -> None:
    reader = Reader()
    reader.pulls.context.put(_head("p1", 3))
    for _ in range(3):
        reader.pulls.pull(LINK_A, (A, 1), 4, 0.0)
    assert reader.asked() == [(1, Pull(A, 1, 4))]
