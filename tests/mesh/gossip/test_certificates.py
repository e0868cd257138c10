from __future__ import annotations

from random import Random

from mesh.gossip import messages
from mesh.gossip.certificates import MAX_WAITING_EACH, MAX_WAITING_SERIALS, CertificateDesk
from mesh.gossip.events import CertificateLearned, LinkId
from mesh.gossip.ground import Ground
from mesh.gossip.links import Link, Links
from mesh.gossip.members import MemberTable
from mesh.gossip.outbox import Outbox
from mesh.gossip.timing import Timing
from mesh.trust import CertificateBook
from tests.mesh.gossip.solo import CERTIFICATES, node, of_type, record, said, trust

P1 = CERTIFICATES["p1"]


def _desk() -> tuple[CertificateDesk, Outbox]:
    outbox = Outbox()
    links = Links(node("own"), crossing_s=5.0)
    for number in (1, 2):
        links.add(Link(LinkId(number), node(f"p{number}"), False, "x:1", 0.0))
    book = CertificateBook(trust("own"))
    table = MemberTable(record("own"))
    return CertificateDesk(Ground(book, table, links, outbox, Timing(), Random(1))), outbox


def _retry(data: bytes, link: LinkId, now_s: float) -> None:
    raise AssertionError("the desk hands it back, it does not call it")


def test_what_waits_asks_where_it_came_from_and_comes_back() -> None:
    desk, outbox = _desk()
    desk.wait(b"thing", P1.serial, _retry, LinkId(2), 1.0)
    assert said(outbox.take()) == [(2, messages.CertificatesWanted((P1.serial,)))]
    assert desk.learn_untrusted(P1.der) == [(b"thing", _retry)]
    assert outbox.take() == [CertificateLearned(P1.der)]
    assert (desk.learn_untrusted(P1.der), outbox.take(), len(desk.wants)) == ([], [], 0)


def test_a_certificate_of_another_cluster_is_counted() -> None:
    desk, outbox = _desk()
    assert desk.learn_untrusted(b"strange") == []
    assert outbox.take() == []
    assert outbox.counters["certificates_refused"] == 1


def test_only_known_ones_are_sent() -> None:
    desk, outbox = _desk()
    own = CERTIFICATES["own"]
    desk.answer(LinkId(1), [P1.serial])
    assert outbox.take() == []
    desk.answer(LinkId(1), [P1.serial, own.serial])
    assert said(outbox.take()) == [(1, messages.Certificates((own.der,)))]


def test_a_known_one_is_not_asked_for() -> None:
    desk, outbox = _desk()
    desk.want(CERTIFICATES["own"].serial, LinkId(1), 1.0)
    assert outbox.take() == []


def test_what_may_wait_is_bounded() -> None:
    desk, outbox = _desk()
    for index in range(MAX_WAITING_EACH + 5):
        desk.wait(b"%d" % index, P1.serial, _retry, LinkId(1), 1.0)
    for index in range(MAX_WAITING_SERIALS):
        desk.wait(b"x", index.to_bytes(16, "big"), _retry, LinkId(1), 1.0)
    assert outbox.counters["waiting_dropped"] == 1
    assert len(of_type(outbox.take(), CertificateLearned)) == 0
    assert len(desk.learn_untrusted(P1.der)) == MAX_WAITING_EACH
