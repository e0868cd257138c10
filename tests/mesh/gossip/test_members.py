from __future__ import annotations

from random import Random

import pytest

from mesh.gossip.events import PeerState
from mesh.gossip.members import (
    DOMAIN,
    MAX_ADDRESSES,
    MemberTable,
    read_record_untrusted,
    sign_record,
)
from mesh.gossip.messages import MAX_RECORD_BYTES
from mesh.gossip.signed import SignedError, sign
from scheduler.ids import node_id_to_bytes
from tests.mesh.gossip.solo import CERTIFICATES, buries, node, record, trust

NODE = node_id_to_bytes(node("p1"))
SERIAL = CERTIFICATES["p1"].serial


def test_a_record_survives_the_wire() -> None:
    own = record("p1", boot=2**64 - 2**33, incarnation=2**32 - 1, left=True)
    assert read_record_untrusted(own.data).record == own


def test_an_own_record_is_cut_to_what_receivers_take() -> None:
    own = sign_record(
        trust("p1"),
        boot=1,
        incarnation=0,
        left=False,
        name="é" * 64,
        addresses=["a" * 57, *(f"{'b' * 50}:{index}" for index in range(20))],
    )
    assert own.name == "é" * 32
    assert len(own.addresses) == MAX_ADDRESSES
    assert len(own.data) <= MAX_RECORD_BYTES
    assert read_record_untrusted(own.data).record == own


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [2, NODE, 1, 0, False, "n", [], SERIAL],
        [1, NODE[1:], 1, 0, False, "n", [], SERIAL],
        [1, NODE, -1, 0, False, "n", [], SERIAL],
        [1, NODE, 2**64 - 2**32, 0, False, "n", [], SERIAL],
        [1, NODE, 1, 2**32, False, "n", [], SERIAL],
        [1, NODE, 1, 0, 0, "n", [], SERIAL],
        [1, NODE, 1, 0, False, "n" * 65, [], SERIAL],
        [1, NODE, 1, 0, False, "n", ["a"] * 9, SERIAL],
        [1, NODE, 1, 0, False, "n", [""], SERIAL],
        [1, NODE, 1, 0, False, "n", [1], SERIAL],
        [1, NODE, 1, 0, False, "n", ["a" * 57], SERIAL],
        [1, NODE, 1, 0, False, "n", [], SERIAL[1:]],
    ],
    ids=str,
)
def test_what_is_no_record_is_refused(fields: list[object]) -> None:
    with pytest.raises(SignedError):
        read_record_untrusted(sign(trust("p1"), DOMAIN, fields))


@pytest.mark.parametrize(
    ("boot", "incarnation", "left", "news"),
    [
        (2, 0, False, True),
        (1, 6, False, True),
        (1, 5, True, True),
        (1, 5, False, False),
        (1, 4, True, False),
        (0, 9, True, False),
    ],
)
def test_precedence_is_boot_then_incarnation_then_state(
    boot: int, incarnation: int, left: bool, news: bool
) -> None:
    table = MemberTable(record("own"))
    table.put(record("p1", incarnation=5), 0.0)
    heard = record("p1", boot=boot, incarnation=incarnation, left=left)
    assert table.is_news(heard) is news


def test_equal_knowledge_has_equal_hashes_by_whatever_way_it_came() -> None:
    """Ourselves and others count alike; a suspicion does not count, a verdict does."""
    one, two = MemberTable(record("p1")), MemberTable(record("p2"))
    one.put(record("p2"), 0.0)
    suspect = one.put(record("p3"), 0.0)
    two.put(record("p3", boot=0, incarnation=8), 0.0)
    two.put(record("p3"), 0.0)
    two.renew_own(record("p2", incarnation=1))
    assert one.hash != two.hash
    two.put(record("p1"), 0.0)
    one.put(record("p2", incarnation=1), 0.0)
    assert one.hash == two.hash
    one.mark(suspect, PeerState.SUSPECT, node("p1"), 1.0)
    assert one.hash == two.hash
    one.mark(suspect, PeerState.UNREACHABLE, node("p1"), 2.0)
    assert one.hash != two.hash
    one.put(record("p3", incarnation=1), 0.0)
    two.put(record("p3", incarnation=1), 0.0)
    assert one.hash == two.hash


def test_an_asker_gets_what_is_newer_and_nothing_else() -> None:
    """Our own record comes first, a verdict behind the record that it is about."""
    table = MemberTable(record("own"))
    table.put(record("p1"), 0.0)
    lost = table.put(record("p2"), 0.0)
    table.mark(lost, PeerState.UNREACHABLE, node("p3"), 1.0)
    everything = [table.own.data, record("p1").data, record("p2").data, buries("p2", "p3")]
    assert table.newer_than(()) == everything
    assert table.newer_than(table.standings()) == []
    asker = MemberTable(record("p4"))
    asker.put(record("own", incarnation=1), 0.0)
    asker.put(record("p2"), 0.0)
    assert table.newer_than(asker.standings()) == everything[1:]


def test_round_trips_are_smoothed_and_the_worst_is_forgotten_slowly() -> None:
    member = MemberTable(record("own")).put(record("p1"), 0.0)
    random = Random(3)
    member.measured(0.1)
    for _ in range(60):
        member.measured(random.uniform(0.001, 0.002))
    assert 0.001 < member.rtt_s < 0.002
    assert 0.002 < member.rtt_peak_s < 0.01
