from __future__ import annotations

from mesh.gossip import messages
from mesh.gossip.events import CertificateLearned, PeerChanged, PeerState, RegisterChanged
from mesh.gossip.members import DOMAIN, read_record_untrusted
from mesh.gossip.registers import sign_register
from mesh.gossip.signed import sign
from scheduler.ids import node_id_to_bytes
from tests.mesh.gossip.solo import (
    CERTIFICATES,
    Solo,
    buries,
    node,
    of_type,
    record,
    said,
    suspects,
    trust,
)


def _rumours(effects: list) -> list[tuple[int, object]]:
    return [
        (link, read_record_untrusted(message.updates[0]).record)
        for link, message in said(effects)
        if isinstance(message, messages.Rumours)
    ]


def test_a_suspicion_of_ourselves_is_refuted_to_everybody_at_once() -> None:
    solo = Solo("p1", "p2")
    told = _rumours(solo.tell("p1", messages.Rumours((suspects("own", "p2"),))))
    assert told == [(link, record("own", incarnation=1)) for link in (1, 2)]
    assert _rumours(solo.tell("p1", messages.Rumours((suspects("own", "p2"),)))) == []
    told = _rumours(solo.tell("p1", messages.Rumours((buries("own", "p2", incarnation=1),))))
    assert told[0][1].incarnation == 2


def test_nobody_else_can_raise_our_incarnation() -> None:
    solo = Solo("p1")
    for opinion in (suspects("own", "p1", incarnation=9), suspects("own", "p1", boot=9)):
        assert _rumours(solo.tell("p1", messages.Rumours((opinion,)))) == []


def test_after_the_last_incarnation_comes_the_next_boot() -> None:
    solo = Solo("p1")
    solo.gossip._intake.renew_own(boot=1, incarnation=2**32 - 1)
    last = suspects("own", "p1", incarnation=2**32 - 1)
    ((_, renewed),) = _rumours(solo.tell("p1", messages.Rumours((last,))))[1:]
    assert renewed.version == (2, 0)


def test_meeting_a_greater_self_takes_a_greater_boot_but_not_faster_than_a_twin() -> None:
    solo = Solo("p1")
    told = _rumours(solo.tell("p1", messages.Members((record("own", boot=7).data,))))
    assert [one.version for _, one in told] == [(8, 0)]
    twin = messages.Members((record("own", boot=9).data,))
    assert _rumours(solo.tell("p1", twin)) == []
    solo.now_s += 0.5
    assert [one.version for _, one in _rumours(solo.tell("p1", twin))] == [(10, 0)]


def test_a_forged_record_leaves_no_trace_but_a_counter() -> None:
    """p1 raises p2's incarnation, in its own name and under p2's certificate."""
    solo = Solo("p1", "p2")
    p2 = CERTIFICATES["p2"]
    fields = [1, node_id_to_bytes(p2.node), 1, 9, True, "p2", ["p2:1"]]
    for serial in (p2.serial, CERTIFICATES["p1"].serial):
        forged = sign(trust("p1"), DOMAIN, [*fields, serial])
        solo.tell("p1", messages.Rumours((forged, b"\x80")))
    assert solo.state("p2") is PeerState.ALIVE
    assert solo.gossip.statistics()["records_refused"] == 4


def test_a_record_waits_for_its_certificate() -> None:
    solo = Solo("p1")
    p2 = CERTIFICATES["p2"]
    effects = solo.tell("p1", messages.Rumours((record("p2").data,)))
    assert said(effects) == [(1, messages.CertificatesWanted((p2.serial,)))]
    assert solo.state("p2") is None
    effects = solo.tell("p1", messages.Certificates((p2.der,)))
    assert of_type(effects, CertificateLearned) == [CertificateLearned(p2.der)]
    assert of_type(effects, PeerChanged) == [PeerChanged(p2.node, PeerState.ALIVE)]


def test_a_register_is_proved_kept_and_told_once() -> None:
    solo = Solo("p1")
    p2 = CERTIFICATES["p2"]
    register = sign_register(trust("p2"), boot=1, seq=2, kind=1, payload=b"x")
    assert of_type(solo.tell("p1", messages.Registers((register.data,))), RegisterChanged) == []
    effects = solo.tell("p1", messages.Certificates((p2.der,)))
    assert of_type(effects, RegisterChanged) == [RegisterChanged(p2.node, 1, b"x")]
    older = sign_register(trust("p2"), boot=1, seq=1, kind=1, payload=b"y")
    assert solo.tell("p1", messages.Registers((older.data, register.data))) == []
    assert solo.gossip.register(p2.node, 1) == b"x"


def test_a_forged_register_leaves_no_trace_but_a_counter() -> None:
    solo = Solo("p1", "p2")
    good = sign_register(trust("p2"), boot=1, seq=1, kind=1, payload=b"x").data
    forged = good[:-1] + bytes([good[-1] ^ 1])
    assert solo.tell("p1", messages.Registers((forged, b"\x80"))) == []
    assert solo.gossip.register(node("p2"), 1) is None
    assert solo.gossip.statistics()["registers_refused"] == 2


def test_who_has_left_comes_back_with_its_next_boot() -> None:
    solo = Solo("p1", "p2")
    gone = record("p2", incarnation=1, left=True)
    effects = solo.tell("p1", messages.Rumours((gone.data,)))
    assert of_type(effects, PeerChanged) == [PeerChanged(node("p2"), PeerState.LEFT)]
    solo.tell("p1", messages.Rumours((record("p2").data, buries("p2", "p1", incarnation=1))))
    assert solo.state("p2") is PeerState.LEFT
    solo.tell("p1", messages.Rumours((record("p2", boot=2).data,)))
    assert solo.state("p2") is PeerState.ALIVE
