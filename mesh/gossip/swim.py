"""Who is alive: probes, suspicion and verdicts (SWIM with Lifeguard's parts).

Every period one member is pinged, in a shuffled round. A ping that is not answered in time goes to
a few helpers, who ping for us and say when they hear nothing either. What is still silent at the
end of the period is suspected, aloud; the suspect refutes with a greater incarnation, or the
suspicion runs out, the sooner the more members share it. A node that hears little itself (missing
nacks, a late loop) slows down before it accuses others.

A link that breaks without a goodbye is suspected at once, with a probe through helpers; if its host
refuses a dial where it listened, its process is dead and the verdict need not wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mesh.gossip import messages
from mesh.gossip.broadcast import Rumours
from mesh.gossip.dials import Dials
from mesh.gossip.events import CloseLink, LinkId, PeerChanged, PeerState
from mesh.gossip.ground import Ground
from mesh.gossip.members import Member, MemberRecord
from mesh.gossip.messages import Ack, Hashes, Nack, Opinion, Ping, PingRequest, Update
from mesh.gossip.suspicion import Suspicion
from scheduler.ids import NodeId

MAX_RELAYS = 256
"""Pings under way for others: each ends within a second, so this is far above honest use."""


@dataclass(slots=True)
class _Probe:
    target: NodeId
    sent_s: float
    urgent: bool
    """Its link broke: helpers are asked at once and the answer is wanted before the period ends."""
    helpers: int = 0
    nacks: int = 0


@dataclass(slots=True)
class _Relay:
    link: LinkId
    number: int
    target: NodeId


class Swim:
    """Probes and opinions about the members of a table."""

    def __init__(
        self, ground: Ground, *, dials: Dials, rumours: Rumours, hashes: Callable[[], Hashes]
    ) -> None:
        self._table = ground.table
        self._links = ground.links
        self._dials = dials
        self._rumours = rumours
        self._outbox = ground.outbox
        self._timing = ground.timing
        self._random = ground.random
        self._hashes = hashes
        self._round: list[NodeId] = []
        self._round_index = 0
        self._numbers = 0
        self._probes: dict[int, _Probe] = {}
        self._relays: dict[int, _Relay] = {}
        self._suspicions: dict[NodeId, Suspicion] = {}
        self.health = 0
        """Lifeguard's doubt in ourselves, 0 to `health_max`."""

    # --- what the table learned -------------------------------------------------------------------

    def record_proved(self, record: MemberRecord, now_s: float) -> Member:
        """A member's own newer record: whatever was thought of it before is refuted."""
        known = self._table.members.get(record.node)
        was = known.state if known is not None else None
        member = self._table.put(record, now_s)
        if self._links.of(record.node) is not None:
            member.heard_s = now_s
        self._suspicions.pop(record.node, None)
        self._rumours.put(record.node, record.data)
        if member.state is not was:
            self._outbox.tell(PeerChanged(record.node, member.state))
        if member.state is PeerState.LEFT:
            self._drop_from_round(record.node)
        elif record.node not in self._round:
            self._round.insert(self._random.randint(0, len(self._round)), record.node)
        return member

    def opinion_heard(self, opinion: Opinion, now_s: float, *, merging: bool) -> None:
        """What somebody thinks of another member; never of ourselves.

        A verdict about one that we have heard lately, or that comes with everything a peer knows
        (it may be from the far side of a split that has healed), is a suspicion for us.
        """
        member = self._table.members.get(opinion.node)
        if member is None or member.record.version != (opinion.boot, opinion.incarnation):
            return
        if member.state >= PeerState.UNREACHABLE:
            return
        window_s = float("inf") if merging else self._timing.suspicion_min_s(self._node_count())
        lately = member.heard_s > now_s - window_s
        if opinion.state is PeerState.SUSPECT or lately:
            self.suspect(member, opinion.author, now_s)
        else:
            self._convict(member, opinion.author, now_s)

    def heard(self, peer: NodeId, now_s: float) -> None:
        """Something came from this member itself."""
        member = self._table.members.get(peer)
        if member is not None:
            member.heard_s = now_s

    def link_broke(self, member: Member, now_s: float) -> None:
        """A stream ended and nobody had said goodbye."""
        if member.state <= PeerState.SUSPECT:
            self.suspect(member, self._table.own.node, now_s)
            self._probe(member, now_s, urgent=True)

    def dial_refused(self, member: Member, now_s: float) -> None:
        """Its host is there and says that nobody listens where it listened."""
        member.refused = True
        if member.state is PeerState.UNREACHABLE and not member.process_dead:
            member.process_dead = True
            self._outbox.tell(PeerChanged(member.record.node, member.state, process_dead=True))
        self._convict_if_refused(member, now_s)

    def suspect(self, member: Member, author: NodeId, now_s: float) -> None:
        """One more member thinks that this one is gone."""
        node = member.record.node
        suspicion = self._suspicions.get(node)
        if suspicion is None:
            suspicion = self._suspicions[node] = self._new_suspicion(now_s)
            member.refused = False
            self._table.mark(member, PeerState.SUSPECT, author, now_s)
            self._outbox.tell(PeerChanged(node, PeerState.SUSPECT))
        suspicion.ours |= author == self._table.own.node
        if suspicion.confirm(author):
            self._rumours.put(node, member.opinion(author))
            self._outbox.wake(suspicion.ends_s, "suspicion", node)

    # --- probing ----------------------------------------------------------------------------------

    def period(self, now_s: float, late_s: float) -> None:
        """Probe the next member of the round; called once, then by its own timer."""
        if late_s > self._timing.probe_period_s:
            self._doubt_ourselves(1)
        self._outbox.wake(now_s + self._scaled(self._timing.probe_period_s), "period")
        target = self._next_target()
        if target is not None:
            self._probe(target, now_s, urgent=False)

    def timeout(self, number: int) -> None:
        """The direct ping had its time: ask helpers."""
        probe = self._probes.get(number)
        if probe is not None:
            self._ask_helpers(number, probe)

    def probe_ended(self, number: int, now_s: float, late_s: float) -> None:
        """The whole probe had its time. A late loop may hold the answer unread: it waits again."""
        probe = self._probes.get(number)
        if probe is None:
            return
        if late_s > self._timing.probe_period_s:
            self._doubt_ourselves(1)
            self._outbox.wake(now_s + self._timing.timeout_max_s, "ended", str(number))
            return
        del self._probes[number]
        member = self._table.members.get(probe.target)
        if member is None or member.state >= PeerState.UNREACHABLE:
            return
        if member.heard_s > probe.sent_s:
            self._trust_ourselves()
            return
        missing = probe.helpers - probe.nacks
        self._doubt_ourselves(missing if probe.helpers else 1)
        self.suspect(member, self._table.own.node, now_s)
        self._convict_if_refused(member, now_s)

    def suspicion_ended(self, node: NodeId, now_s: float, late_s: float) -> None:
        """The suspect had its time to refute."""
        suspicion = self._suspicions.get(node)
        member = self._table.members.get(node)
        if suspicion is None or member is None:
            return
        if late_s > self._timing.probe_period_s:
            self._outbox.wake(now_s + self._timing.probe_period_s, "suspicion", node)
        elif now_s < suspicion.ends_s:
            self._outbox.wake(suspicion.ends_s, "suspicion", node)
        elif suspicion.held_until_s is None and self._is_isolated(now_s):
            suspicion.held_until_s = now_s + suspicion.min_s
            self._outbox.count("verdicts_held_back")
            self._outbox.wake(suspicion.held_until_s, "suspicion", node)
        else:
            self._convict(member, self._table.own.node, now_s)

    # --- messages ---------------------------------------------------------------------------------

    def on_ping(self, link: LinkId, ping: Ping) -> None:
        """We are here."""
        self._outbox.send(link, Ack(ping.number, self._hashes(), self.piggyback()))

    def on_ack(self, ack: Ack, peer: NodeId, now_s: float) -> None:
        """An answer to a probe of ours, or to one that we relay."""
        probe = self._probes.pop(ack.number, None)
        if probe is not None:
            self._trust_ourselves()
            member = self._table.members.get(probe.target)
            if member is not None:
                member.heard_s = now_s
                if peer == probe.target:
                    member.measured(now_s - probe.sent_s)
        relay = self._relays.pop(ack.number, None)
        if relay is not None and relay.target == peer and relay.link in self._links.by_id:
            member = self._table.members.get(peer)
            proof: tuple[Update, ...] = (member.record.data,) if member is not None else ()
            self._outbox.send(relay.link, Ack(relay.number, self._hashes(), proof))

    def on_ping_request(self, link: LinkId, request: PingRequest, now_s: float) -> None:
        """Ping for somebody who does not hear this member."""
        to = self._links.of(request.target)
        if to is None:
            self._outbox.send(link, Nack(request.number))
            return
        if len(self._relays) >= MAX_RELAYS:
            del self._relays[next(iter(self._relays))]
        number = self._next_number()
        self._relays[number] = _Relay(link, request.number, request.target)
        self._send_ping(number, request.target, to)
        wait_s = self._timing.timeout_max_s * self._timing.nack_share
        self._outbox.wake(now_s + wait_s, "relay", str(number))

    def relay_ended(self, number: int) -> None:
        """Whom we pinged for somebody has not answered us either; a late answer is still passed."""
        relay = self._relays.get(number)
        if relay is not None and relay.link in self._links.by_id:
            self._outbox.send(relay.link, Nack(relay.number))

    def on_nack(self, nack: Nack, now_s: float) -> None:
        """The helper lives, so our own ears are good. Once all have said no, why wait longer?"""
        probe = self._probes.get(nack.number)
        if probe is None:
            return
        probe.nacks += 1
        if probe.urgent and probe.nacks >= probe.helpers:
            self.probe_ended(nack.number, now_s, 0.0)

    def piggyback(self) -> tuple[Update, ...]:
        """News for a ping or an ack."""
        return self._rumours.take(node_count=self._node_count())

    def rumour_tick(self) -> None:
        """Tell news to a few peers; with nobody linked it can go: links open with all we know."""
        linked = self._links.linked()
        if not linked:
            self._rumours.clear()
        self._random.shuffle(linked)
        for _, link in linked[: self._timing.rumour_fan_out]:
            updates = self.piggyback()
            if updates:
                self._outbox.send(link, messages.Rumours(updates))

    # --- the parts --------------------------------------------------------------------------------

    def _probe(self, member: Member, now_s: float, *, urgent: bool) -> None:
        node = member.record.node
        under_way = [number for number, one in self._probes.items() if one.target == node]
        if under_way and not urgent:
            return
        for number in under_way:
            del self._probes[number]
        number = self._next_number()
        probe = self._probes[number] = _Probe(node, now_s, urgent)
        link = self._links.of(node)
        if link is not None:
            self._send_ping(number, node, link)
            self._outbox.wake(now_s + self._timeout_s(member), "timeout", str(number))
        else:
            self._ask_helpers(number, probe)
        length_s = self._timing.timeout_max_s if urgent else self._timing.probe_period_s
        if urgent and probe.helpers == 0:
            length_s = 0.0
        self._outbox.wake(now_s + self._scaled(length_s), "ended", str(number))

    def _send_ping(self, number: int, target: NodeId, link: LinkId) -> None:
        updates = self._about(target) + self.piggyback()
        self._outbox.send(link, Ping(number, self._hashes(), updates))

    def _ask_helpers(self, number: int, probe: _Probe) -> None:
        helpers = [link for peer, link in self._links.linked() if peer != probe.target]
        self._random.shuffle(helpers)
        helpers = helpers[: self._timing.indirect_helpers]
        probe.helpers = len(helpers)
        request = PingRequest(number, probe.target, self._about(probe.target))
        self._outbox.send_all(helpers, request)

    def _about(self, target: NodeId) -> tuple[Update, ...]:
        """The buddy rule: a suspect hears of it first, to refute it first."""
        member = self._table.members.get(target)
        if member is None or member.author is None:
            return ()
        return (member.opinion(member.author),)

    def _next_target(self) -> Member | None:
        if self._round_index >= len(self._round):
            self._random.shuffle(self._round)
            self._round_index = 0
        if not self._round:
            return None
        self._round_index += 1
        return self._table.members[self._round[self._round_index - 1]]

    def _drop_from_round(self, node: NodeId) -> None:
        if node in self._round:
            index = self._round.index(node)
            del self._round[index]
            self._round_index -= index < self._round_index

    def _convict(self, member: Member, author: NodeId, now_s: float) -> None:
        node = member.record.node
        self._suspicions.pop(node, None)
        self._table.mark(member, PeerState.UNREACHABLE, author, now_s)
        member.process_dead = member.refused
        self._rumours.put(node, member.opinion(author))
        self._drop_from_round(node)
        self._outbox.tell(PeerChanged(node, PeerState.UNREACHABLE, member.process_dead))
        links = self._links.all_of(node)
        for link in links:
            self._links.remove(link)
            self._outbox.tell(CloseLink(link, "the peer is unreachable"))
        if links:
            self._dials.lost(member, now_s)

    def _convict_if_refused(self, member: Member, now_s: float) -> None:
        """A refusal is enough once no helper hears it either: firewalls refuse for the living."""
        suspicion = self._suspicions.get(member.record.node)
        probing = any(one.target == member.record.node for one in self._probes.values())
        if suspicion is not None and suspicion.ours and member.refused and not probing:
            self._convict(member, self._table.own.node, now_s)

    def _new_suspicion(self, now_s: float) -> Suspicion:
        count = self._node_count()
        min_s = self._timing.suspicion_min_s(count)
        wanted = self._timing.confirmations
        return Suspicion(
            since_s=now_s,
            min_s=min_s,
            max_s=min_s * self._timing.suspicion_max_mult,
            confirmations_wanted=wanted if count - 2 >= wanted else 0,
        )

    def _is_isolated(self, now_s: float) -> bool:
        """Over half of the others went silent within one suspicion period: it may be us."""
        window_s = now_s - self._timing.suspicion_min_s(self._node_count())
        others = lost = 0
        for member in self._table.members.values():
            silent = member.state is PeerState.SUSPECT
            if member.state is PeerState.UNREACHABLE:
                silent = not member.process_dead and member.since_s >= window_s
            others += silent or member.state is PeerState.ALIVE
            lost += silent
        return others + 1 >= self._timing.isolation_members and 2 * lost > others

    def _node_count(self) -> int:
        return len(self._table.heard_of()) + 1

    def _timeout_s(self, member: Member) -> float:
        wait_s = self._timing.timeout_max_s
        if member.rtt_peak_s is not None:
            wait_s = min(wait_s, self._timing.timeout_rtts * member.rtt_peak_s)
        return self._scaled(max(wait_s, self._timing.timeout_min_s))

    def _scaled(self, wait_s: float) -> float:
        return wait_s * (self.health + 1)

    def _doubt_ourselves(self, by: int) -> None:
        self.health = min(self._timing.health_max, self.health + by)

    def _trust_ourselves(self) -> None:
        self.health = max(0, self.health - 1)

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers
