from __future__ import annotations

from itertools import pairwise
from random import Random

from mesh.gossip.dials import MAX_HINTS, Dials
from mesh.gossip.events import Dial, LinkId, PeerState
from mesh.gossip.ground import Ground
from mesh.gossip.links import Link, Links
from mesh.gossip.members import MemberTable
from mesh.gossip.outbox import Outbox
from mesh.gossip.timing import Timing
from mesh.trust import CertificateBook
from tests.mesh.gossip.solo import node, record, trust


class Phone:
    """Dials with the parts around it; `dialled` names each address once per dial."""

    def __init__(self) -> None:
        self.table = MemberTable(record("own"))
        self.links = Links(node("own"), crossing_s=5.0)
        self.outbox = Outbox()
        book = CertificateBook(trust("own"))
        self.dials = Dials(Ground(book, self.table, self.links, self.outbox, Timing(), Random(1)))

    def dialled(self) -> list[str]:
        effects = self.outbox.take()
        assert all(isinstance(one, Dial) for one in effects)
        return [one.address for one in effects]

    def link(self, number: int, name: str) -> None:
        self.links.add(Link(LinkId(number), node(name), False, "far:1", 0.0))

    def failures(self, address: str, *, until_s: int) -> list[int]:
        """Seconds at which the address is dialled while every dial fails at once."""
        times = []
        for now_s in range(until_s):
            if now_s:
                self.dials.tick(float(now_s))
            for one in self.dialled():
                self.dials.failed(one, float(now_s))
                if one == address:
                    times.append(now_s)
        return times


def test_a_hint_is_dialled_at_once_then_ever_less_often_and_for_ever() -> None:
    phone = Phone()
    phone.dials.heard("x:1", None, 0.0)
    times = phone.failures("x:1", until_s=60)
    assert times[:4] == [0, 1, 3, 7]
    gaps = [later - earlier for earlier, later in pairwise(times[4:])]
    assert set(gaps) == {5}


def test_of_many_cold_addresses_one_of_each_pool_is_tried_at_a_time() -> None:
    phone = Phone()
    for index in range(1, 4):
        phone.table.mark(
            phone.table.put(record(f"p{index}"), 0.0), PeerState.UNREACHABLE, node("own"), 0.0
        )
        phone.dials.heard(f"hint{index}:1", None, 0.0)
    phone.failures("", until_s=40)
    tried: list[str] = []
    for now_s in range(40, 100):
        phone.dials.tick(float(now_s))
        new = phone.dialled()
        assert len(new) <= 2
        for one in new:
            phone.dials.failed(one, float(now_s))
        tried += new
    assert len(tried) == 24
    assert set(tried) == {"p1:1235", "p2:1235", "p3:1235", "hint1:1", "hint2:1", "hint3:1"}


def test_hearing_of_a_cold_address_anew_is_a_reason_to_dial() -> None:
    phone = Phone()
    phone.dials.heard("x:1", None, 0.0)
    last_s = phone.failures("x:1", until_s=40)[-1]
    phone.dials.heard("x:1", None, last_s + 0.5)
    assert phone.dialled() == []
    phone.dials.heard("x:1", None, last_s + 1.5)
    assert phone.dialled() == ["x:1"]


def test_one_dial_at_a_time_to_an_address_and_it_is_forgotten_in_the_end() -> None:
    phone = Phone()
    phone.dials.heard("x:1", None, 0.0)
    phone.dials.heard("x:1", None, 2.0)
    for now_s in range(3, 15):
        phone.dials.tick(float(now_s))
    assert phone.dialled() == ["x:1"]
    phone.dials.tick(16.0)
    phone.dials.tick(17.0)
    assert phone.dialled() == ["x:1"]


def test_we_never_dial_ourselves() -> None:
    phone = Phone()
    phone.dials.heard("own:1235", None, 0.0)
    phone.dials.heard("alias:1", node("own"), 0.0)
    phone.dials.heard("loop:1", None, 0.0)
    phone.dials.opened("loop:1", node("own"), 0.0)
    assert phone.dialled() == ["loop:1"]
    phone.dials.heard("alias:1", None, 10.0)
    phone.dials.heard("loop:1", None, 10.0)
    phone.dials.tick(20.0)
    assert phone.dialled() == []


def test_a_linked_member_is_not_dialled_by_hint_or_by_record() -> None:
    phone = Phone()
    member = phone.table.put(record("p1"), 0.0)
    phone.link(1, "p1")
    phone.dials.heard("other:1", node("p1"), 0.0)
    phone.dials.renewed(member, 0.0)
    phone.dials.tick(5.0)
    assert phone.dialled() == []


def test_of_a_pair_the_smaller_id_dials_first() -> None:
    phone = Phone()
    smaller = [f"p{index}" for index in range(1, 6) if node("own") < node(f"p{index}")]
    larger = [f"p{index}" for index in range(1, 6) if node("own") > node(f"p{index}")]
    assert smaller
    assert larger
    for name in (smaller[0], larger[0]):
        phone.dials.renewed(phone.table.put(record(name), 0.0), 0.0)
    assert phone.dialled() == [f"{smaller[0]}:1235"]
    phone.dials.tick(1.0)
    assert phone.dialled() == [f"{larger[0]}:1235"]


def test_where_somebody_else_answers_a_member_is_not_looked_for() -> None:
    """It moved and its address was given to another; its own next boot may be there again."""
    phone = Phone()
    member = phone.table.put(record("p1"), 0.0)
    phone.dials.opened("p1:1235", node("p2"), 0.0)
    assert phone.dials.failed("p1:1235", 1.0) == []
    phone.dials.tick(10.0)
    assert phone.dialled() == []
    phone.dials.renewed(member, 11.0)
    phone.dials.tick(13.0)
    assert phone.dialled() == ["p1:1235"]
    assert phone.dials.failed("p1:1235", 14.0) == [member]


def test_a_lost_member_is_dialled_at_once_wherever_it_listened() -> None:
    phone = Phone()
    member = phone.table.put(record("p1"), 0.0)
    for _ in range(6):
        phone.dials.failed("p1:1235", 1.0)
    phone.dials.lost(member, 1.0)
    assert phone.dialled() == ["p1:1235"]


def test_who_has_left_is_not_dialled() -> None:
    phone = Phone()
    phone.table.put(record("p1", left=True), 0.0)
    phone.dials.tick(10.0)
    assert phone.dialled() == []


def test_hints_are_bounded_and_the_oldest_makes_room() -> None:
    phone = Phone()
    for index in range(MAX_HINTS + 1):
        phone.dials.heard(f"x:{index}", None, 0.0)
    first = phone.dialled()
    for address in first:
        phone.dials.failed(address, 0.0)
    phone.dials.tick(1.0)
    assert len(first) == MAX_HINTS + 1
    assert set(first) - set(phone.dialled()) == {"x:0"}
