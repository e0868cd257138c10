from __future__ import annotations

import pytest

from mesh.gossip import messages
from mesh.gossip.events import (
    CloseLink,
    Dial,
    DialFailed,
    LinkClosed,
    LinkId,
    PeerChanged,
    PeerState,
    StartTimer,
)
from mesh.gossip.messages import Ack, Nack, Ping, PingRequest
from tests.mesh.gossip.solo import (
    CERTIFICATES,
    NO_HASHES,
    Solo,
    buries,
    node,
    of_type,
    record,
    said,
    suspects,
)


def _pinged(effects: list) -> tuple[int, Ping]:
    """The one ping in these effects, with its link."""
    ((link, ping),) = [one for one in said(effects) if isinstance(one[1], Ping)]
    return link, ping


def _timer(effects: list, what: str) -> StartTimer | None:
    timers = [one for one in of_type(effects, StartTimer) if one.token[1] == what]
    return timers[0] if timers else None


def _own_health(solo: Solo) -> int:
    return solo.gossip.statistics()["health"]


def test_each_period_probes_the_next_member_of_a_round() -> None:
    solo = Solo("p1", "p2", "p3")
    targets = []
    for _ in range(9):
        link, ping = _pinged(solo.fire("period"))
        targets.append(link)
        solo.tell(f"p{link}", Ack(ping.number, NO_HASHES))
        solo.now_s += 0.5
    for start in (0, 3, 6):
        assert sorted(targets[start : start + 3]) == [1, 2, 3]


def test_a_ping_starts_its_timers_and_an_ack_ends_it() -> None:
    solo = Solo("p1")
    effects = solo.fire("period")
    _, ping = _pinged(effects)
    assert _timer(effects, "period").at_s == solo.now_s + 0.5
    assert _timer(effects, "timeout").at_s == solo.now_s + 0.2
    assert _timer(effects, "ended").at_s == solo.now_s + 0.5
    solo.now_s += 0.01
    solo.tell("p1", Ack(ping.number, NO_HASHES))
    number = str(ping.number)
    assert solo.fire("timeout", number) == solo.fire("ended", number) == []
    (peer,) = solo.gossip.peers()
    assert peer.rtt_ms == pytest.approx(10.0)
    assert _timer(solo.fire("period"), "timeout").at_s == pytest.approx(solo.now_s + 0.05)


def test_a_ping_is_answered() -> None:
    solo = Solo("p1")
    ((link, ack),) = said(solo.tell("p1", Ping(7, solo.gossip._exchange.hashes())))
    assert (link, ack.number, ack.hashes) == (1, 7, solo.gossip._exchange.hashes())


def _silent_probe(solo: Solo) -> tuple[str, int, list]:
    """Fire a period and its time-out; number, target's link, what was sent then."""
    link, ping = _pinged(solo.fire("period"))
    solo.now_s += 0.2
    return str(ping.number), link, said(solo.fire("timeout", str(ping.number)))


def test_helpers_are_asked_about_a_silent_member_and_then_it_is_suspected() -> None:
    solo = Solo("p1", "p2", "p3")
    number, silent, sent = _silent_probe(solo)
    target = f"p{silent}"
    assert sorted(link for link, _ in sent) == sorted({1, 2, 3} - {silent})
    assert {message for _, message in sent} == {PingRequest(int(number), node(target))}
    solo.now_s += 0.3
    effects = solo.fire("ended", number)
    assert of_type(effects, PeerChanged) == [PeerChanged(node(target), PeerState.SUSPECT)]
    assert _timer(effects, "suspicion").at_s == solo.now_s + 3.0
    solo.now_s += 3.0
    effects = solo.fire("suspicion", node(target))
    assert of_type(effects, PeerChanged) == [PeerChanged(node(target), PeerState.UNREACHABLE)]
    assert of_type(effects, CloseLink) == [CloseLink(LinkId(silent), "the peer is unreachable")]
    assert of_type(effects, Dial) == [Dial(f"{target}:1235")]


@pytest.mark.parametrize("sign_of_life", ["ack of a helper", "any message"])
def test_a_sign_of_life_in_time_is_enough(sign_of_life: str) -> None:
    solo = Solo("p1", "p2")
    number, silent, _ = _silent_probe(solo)
    if sign_of_life == "any message":
        solo.tell(f"p{silent}", Nack(0))
    else:
        solo.tell(f"p{3 - silent}", Ack(int(number), NO_HASHES))
    assert of_type(solo.fire("ended", number), PeerChanged) == []


def test_a_late_loop_waits_for_what_may_be_unread() -> None:
    solo = Solo("p1")
    number, _, _ = _silent_probe(solo)
    effects = solo.fire("ended", number, late_s=0.6)
    assert effects == [StartTimer(("gossip", "ended", number), solo.now_s + 0.2)]
    solo.tell("p1", Ack(int(number), NO_HASHES))
    solo.tell("p1", messages.Rumours((suspects("p1", "p2"),)))
    effects = solo.fire("suspicion", node("p1"), late_s=4.0)
    assert effects == [StartTimer(("gossip", "suspicion", node("p1")), solo.now_s + 0.5)]
    assert solo.state("p1") is PeerState.SUSPECT


def test_a_loop_that_is_late_for_its_own_period_doubts_itself() -> None:
    solo = Solo("p1")
    solo.fire("period", late_s=0.4)
    assert _own_health(solo) == 0
    solo.fire("period", late_s=0.6)
    assert _own_health(solo) == 1


def test_missing_nacks_make_us_doubt_ourselves_and_slow_down() -> None:
    solo = Solo("p1", "p2", "p3", "p4")
    number, silent, sent = _silent_probe(solo)
    solo.tell(f"p{sent[0][0]}", Nack(int(number)))
    solo.fire("ended", number)
    assert _own_health(solo) == 2
    effects = solo.fire("period")
    assert _timer(effects, "period").at_s == solo.now_s + 1.5
    link, ping = _pinged(effects)
    assert link != silent
    solo.tell(f"p{link}", Ack(ping.number, NO_HASHES))
    assert _own_health(solo) == 1


def test_helpers_that_all_answer_leave_our_health_alone() -> None:
    solo = Solo("p1", "p2", "p3")
    number, _, sent = _silent_probe(solo)
    for link, _ in sent:
        solo.tell(f"p{link}", Nack(int(number)))
    solo.fire("ended", number)
    assert _own_health(solo) == 0


def test_a_helper_pings_and_passes_the_answer_on() -> None:
    solo = Solo("p1", "p2")
    effects = solo.tell("p1", PingRequest(77, node("p2")))
    link, ping = _pinged(effects)
    assert link == 2
    assert _timer(effects, "relay").at_s == pytest.approx(solo.now_s + 0.16)
    ((link, nack),) = said(solo.fire("relay", str(ping.number)))
    assert (link, nack) == (1, Nack(77))
    ((link, ack),) = said(solo.tell("p2", Ack(ping.number, solo.gossip._exchange.hashes())))
    assert (link, ack.number, ack.updates) == (1, 77, (record("p2").data,))
    assert said(solo.fire("relay", str(ping.number))) == []


def test_a_helper_without_a_link_says_so_at_once() -> None:
    solo = Solo("p1")
    assert said(solo.tell("p1", PingRequest(77, node("p2")))) == [(1, Nack(77))]


def test_an_ack_from_somebody_else_does_not_end_a_relay() -> None:
    solo = Solo("p1", "p2", "p3")
    _, ping = _pinged(solo.tell("p1", PingRequest(77, node("p2"))))
    assert said(solo.tell("p3", Ack(ping.number, solo.gossip._exchange.hashes()))) == []


def test_a_suspect_hears_of_it_first() -> None:
    solo = Solo("p1", "p2")
    solo.tell("p2", messages.Rumours((suspects("p1", "p2"),)))
    first = {}
    for _ in range(2):
        link, ping = _pinged(solo.fire("period"))
        solo.tell(f"p{link}", Ack(ping.number, NO_HASHES))
        first[link] = ping.updates[0]
    assert first[1] == suspects("p1", "p2")


def test_confirmations_shorten_a_suspicion_and_are_passed_on() -> None:
    solo = Solo("p1", "p2", "p3", "p4", "p5")
    first = solo.tell("p2", messages.Rumours((suspects("p1", "p2"),)))
    assert _timer(first, "suspicion").at_s == solo.now_s + 24.0
    again = solo.tell("p3", messages.Rumours((suspects("p1", "p2"),)))
    assert _timer(again, "suspicion") is None
    for name in ("p3", "p4", "p5"):
        last = solo.tell(name, messages.Rumours((suspects("p1", name),)))
    assert _timer(last, "suspicion").at_s == pytest.approx(solo.now_s + 5.91, abs=0.01)


@pytest.mark.parametrize(
    ("heard_ago_s", "whole", "state"),
    [
        (1.0, False, PeerState.SUSPECT),
        (10.0, False, PeerState.UNREACHABLE),
        (10.0, True, PeerState.SUSPECT),
    ],
)
def test_a_foreign_verdict_counts_by_what_we_heard_ourselves(
    heard_ago_s: float, whole: bool, state: PeerState
) -> None:
    solo = Solo("p1", "p2")
    solo.now_s += heard_ago_s
    kind = messages.Members if whole else messages.Rumours
    solo.tell("p2", kind((buries("p1", "p2"),)))
    assert solo.state("p1") is state


def test_one_never_heard_is_believed_dead_on_a_peers_word() -> None:
    solo = Solo("p1")
    solo.tell("p1", messages.Certificates((CERTIFICATES["p2"].der,)))
    solo.tell("p1", messages.Members((record("p2").data, buries("p2", "p1"))))
    assert solo.state("p2") is PeerState.UNREACHABLE


def test_opinions_about_another_incarnation_are_nothing_to_us() -> None:
    solo = Solo("p1", "p2")
    solo.tell("p1", messages.Members((record("p2", incarnation=5).data,)))
    for incarnation in (4, 6):
        solo.tell("p1", messages.Rumours((suspects("p2", "p1", incarnation=incarnation),)))
    assert solo.state("p2") is PeerState.ALIVE
    solo.tell("p1", messages.Rumours((suspects("p2", "p1", incarnation=5),)))
    assert solo.state("p2") is PeerState.SUSPECT
    solo.tell("p1", messages.Rumours((record("p2", incarnation=6).data,)))
    assert solo.state("p2") is PeerState.ALIVE
    assert of_type(solo.fire("suspicion", node("p2")), PeerChanged) == []


def _link_breaks(solo: Solo) -> tuple[list, str]:
    effects = solo.handle(LinkClosed(LinkId(1), goodbye=False))
    requests = [one for _, one in said(effects) if isinstance(one, PingRequest)]
    return effects, str(requests[0].number) if requests else ""


def test_a_link_that_breaks_is_suspected_probed_through_helpers_and_dialled() -> None:
    solo = Solo("p1", "p2", "p3")
    effects, number = _link_breaks(solo)
    assert of_type(effects, PeerChanged) == [PeerChanged(node("p1"), PeerState.SUSPECT)]
    request = PingRequest(int(number), node("p1"), (suspects("p1", "own"),))
    assert sorted(said(effects)) == [(2, request), (3, request)]
    assert _timer(effects, "ended").at_s == solo.now_s + 0.2
    assert of_type(effects, Dial) == [Dial("p1:1235")]


@pytest.mark.parametrize("order", ["refused first", "nacks first"])
def test_a_refused_dial_and_no_word_through_helpers_is_a_dead_process(order: str) -> None:
    solo = Solo("p1", "p2", "p3")
    _, number = _link_breaks(solo)
    steps = [
        lambda: solo.handle(DialFailed("p1:1235", refused=True)),
        lambda: solo.tell("p2", Nack(int(number))) + solo.tell("p3", Nack(int(number))),
    ]
    if order == "nacks first":
        steps.reverse()
    assert of_type(steps[0](), PeerChanged) == []
    dead = PeerChanged(node("p1"), PeerState.UNREACHABLE, process_dead=True)
    assert of_type(steps[1](), PeerChanged) == [dead]


def test_a_firewall_that_refuses_for_the_living_convicts_nobody() -> None:
    solo = Solo("p1", "p2", "p3")
    _, number = _link_breaks(solo)
    alive = Ack(int(number), NO_HASHES, (record("p1", incarnation=1).data,))
    solo.tell("p2", alive)
    solo.handle(DialFailed("p1:1235", refused=True))
    assert solo.state("p1") is PeerState.ALIVE
    assert solo.fire("ended", number) == []


def test_a_dial_that_nobody_answers_proves_nothing() -> None:
    solo = Solo("p1", "p2")
    _, number = _link_breaks(solo)
    solo.handle(DialFailed("p1:1235", refused=False))
    solo.tell("p2", Nack(int(number)))
    assert solo.state("p1") is PeerState.SUSPECT


def test_of_two_nodes_the_refused_dial_alone_decides() -> None:
    solo = Solo("p1")
    effects, _ = _link_breaks(solo)
    ended = _timer(effects, "ended")
    assert ended.at_s == solo.now_s
    solo.fire("ended", ended.token[2])
    effects = solo.handle(DialFailed("p1:1235", refused=True))
    assert PeerChanged(node("p1"), PeerState.UNREACHABLE, process_dead=True) in effects


def test_a_refusal_after_a_verdict_is_told_too() -> None:
    solo = Solo("p1", "p2")
    solo.now_s += 10.0
    solo.tell("p2", messages.Rumours((buries("p1", "p2"),)))
    effects = solo.handle(DialFailed("p1:1235", refused=True))
    assert effects == [PeerChanged(node("p1"), PeerState.UNREACHABLE, process_dead=True)]
    assert solo.handle(DialFailed("p1:1235", refused=True)) == []


def _verdict_on_p1(solo: Solo) -> PeerState | None:
    solo.now_s += 60.0
    solo.fire("suspicion", node("p1"))
    return solo.state("p1")


def test_who_loses_over_half_of_the_others_holds_its_verdicts_back_once() -> None:
    solo = Solo("p1", "p2", "p3")
    for name in ("p1", "p2"):
        solo.tell("p3", messages.Rumours((suspects(name, "p3"),)))
    assert _verdict_on_p1(solo) is PeerState.SUSPECT
    assert solo.gossip.statistics()["verdicts_held_back"] == 1
    assert _verdict_on_p1(solo) is PeerState.UNREACHABLE


@pytest.mark.parametrize(("members", "lost"), [(("p1", "p2"), 2), (("p1", "p2", "p3", "p4"), 2)])
def test_with_few_members_or_few_losses_the_verdict_falls(
    members: tuple[str, ...], lost: int
) -> None:
    solo = Solo(*members)
    for name in members[:lost]:
        solo.tell(members[-1], messages.Rumours((suspects(name, members[-1]),)))
    assert _verdict_on_p1(solo) is PeerState.UNREACHABLE


def test_rumours_go_to_a_few_peers_and_end_where_nobody_is_linked() -> None:
    solo = Solo("p1", "p2", "p3", "p4")
    heard = [one for one in said(solo.fire("rumours")) if isinstance(one[1], messages.Rumours)]
    assert len({link for link, _ in heard}) == len(heard) == 3
    for number in range(1, 5):
        solo.handle(LinkClosed(LinkId(number), goodbye=True))
    assert _timer(solo.fire("rumours"), "rumours") is None
    assert solo.gossip.statistics()["rumours"] == 0
