"""The gossip core: who my peers are, and how news spreads, behind one `handle`.

Parts: `dials` decides whom to dial, `links` which stream of a pair stays, `swim` who is alive,
`antientropy` which logs to pull; `intake` proves what was signed, `members` and `registers` hold
it, `exchange` answers messages. This module routes events and keeps the timers.

`handle` is total: whatever a peer sends is either acted on or counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random

from mesh.gossip import messages
from mesh.gossip.antientropy import AntiEntropy, ContextHashes
from mesh.gossip.broadcast import Rumours, Wants, batches
from mesh.gossip.certificates import CertificateDesk
from mesh.gossip.dials import Dials
from mesh.gossip.events import (
    AddressHeard,
    CloseLink,
    DialFailed,
    GossipEffect,
    GossipEvent,
    LinkClosed,
    LinkId,
    LinkOpened,
    MessageReceived,
    PeerState,
    TimerFired,
)
from mesh.gossip.exchange import Exchange
from mesh.gossip.ground import Ground
from mesh.gossip.intake import Intake
from mesh.gossip.links import Link, Links
from mesh.gossip.members import MemberTable, sign_record
from mesh.gossip.messages import MAX_BLOB_BYTES, Head
from mesh.gossip.outbox import Outbox
from mesh.gossip.registers import RegisterTable, sign_register
from mesh.gossip.shapes import MessageError
from mesh.gossip.swim import Swim
from mesh.gossip.telling import Telling
from mesh.gossip.timing import Timing
from mesh.trust import CertificateBook
from scheduler.ids import Digest, NodeId
from scheduler.instant import Instant

__all__ = ["Gossip", "PeerReading", "Timing"]


@dataclass(frozen=True, slots=True)
class PeerReading:
    """One member as this node hears it, for doors and decisions."""

    node: NodeId
    name: str
    state: PeerState
    since_s: float
    """Monotonic second of the last change of state."""
    addresses: tuple[str, ...]
    boot: int
    rtt_ms: float | None
    linked: bool
    process_dead: bool


class Gossip:
    """Who my peers are, and how news spreads."""

    def __init__(
        self,
        *,
        book: CertificateBook,
        name: str,
        addresses: Sequence[str],
        boot: int,
        timing: Timing,
        random: Random,
        context: Callable[[], dict[tuple[NodeId, int], tuple[int, bytes]]],
        known_peers: Sequence[tuple[NodeId, Sequence[str]]] = (),
    ) -> None:
        """`context()` answers what is held and flushed: (author, epoch) -> (seq, head hash)."""
        own = sign_record(
            book.trust, boot=boot, incarnation=0, left=False, name=name, addresses=addresses
        )
        self._book = book
        self._timing = timing
        self._random = random
        self._context = context
        self._known_peers = known_peers
        self._table = MemberTable(own)
        self._links = Links(own.node, crossing_s=timing.crossing_s)
        self._outbox = Outbox()
        self._registers = RegisterTable()
        self._register_seq = 0
        self._rumours = Rumours()
        self._blobs: Wants[Digest] = Wants(wait_s=timing.ask_again_s, ask=self._ask_blobs)
        ground = Ground(book, self._table, self._links, self._outbox, timing, random)
        self._dials = Dials(ground)
        self._swim = Swim(
            ground,
            dials=self._dials,
            rumours=self._rumours,
            hashes=lambda: self._exchange.hashes(),
        )
        self._antientropy = AntiEntropy(ground, context())
        self._certificates = CertificateDesk(ground)
        self._telling = Telling(ground)
        self._intake = Intake(
            ground,
            registers=self._registers,
            swim=self._swim,
            dials=self._dials,
            certificates=self._certificates,
        )
        self._exchange = Exchange(
            ground,
            registers=self._registers,
            swim=self._swim,
            intake=self._intake,
            antientropy=self._antientropy,
            certificates=self._certificates,
            blobs=self._blobs,
        )
        self._armed: dict[str, None] = {}
        self._left = False

    # --- what the member calls --------------------------------------------------------------------

    def start(self, now: Instant) -> list[GossipEffect]:
        """First timers, and dials to those known from an earlier run."""
        now_s = now.monotonic_s
        for node, addresses in self._known_peers:
            for address in addresses:
                self._dials.heard(address, node, now_s)
        period_s = self._timing.probe_period_s
        self._outbox.wake(now_s + period_s * self._random.uniform(0.5, 1.0), "period")
        self._outbox.wake(now_s + self._timing.dial_tick_s, "dial")
        self._outbox.wake(now_s + self._timing.compare_forced_s, "compare")
        return self._outbox.take()

    def handle(self, event: GossipEvent, now: Instant) -> list[GossipEffect]:
        """One event; never raises, whatever a peer sent."""
        now_s = now.monotonic_s
        if self._left:
            return []
        match event:
            case MessageReceived(link=link, data=data):
                self._frame_came_untrusted(link, data, now_s)
            case TimerFired(token=token, due_s=due_s):
                self._timer_fired(token, now_s, now_s - due_s)
            case LinkOpened():
                self._link_opened(event, now_s)
            case LinkClosed(link=link, goodbye=goodbye):
                self._link_closed(link, goodbye, now_s)
            case DialFailed(address=address, refused=refused):
                for member in self._dials.failed(address, now_s):
                    if refused and not self._links.all_of(member.record.node):
                        self._swim.dial_refused(member, now_s)
            case AddressHeard(address=address, node=node):
                self._dials.heard(address, node, now_s)
        return self._finish(now_s)

    def context_changed(self, author: NodeId, epoch: int, seq: int, head: bytes) -> None:
        """This log is now on our disk up to here."""
        self._antientropy.context.put(Head(author, epoch, seq, head))

    def broadcast(
        self,
        envelopes: Sequence[bytes],
        blobs: Sequence[bytes],
        now: Instant,
        *,
        first: Collection[NodeId] | None = None,
    ) -> list[GossipEffect]:
        """Our own, just flushed, blobs before those who name them: to every linked peer at once,
        or to `first` at once and to the others within `TELL_WAIT_S`."""
        links = [link for _, link in self._links.linked()]
        for group in batches(self._fitting(blobs)):
            self._outbox.send_all(links, messages.Blobs(group))
        self._telling.tell(envelopes, now.monotonic_s, first=first)
        return self._finish(now.monotonic_s)

    def send_envelopes(self, link: LinkId, envelopes: Sequence[bytes]) -> list[GossipEffect]:
        """The answer to PullAsked: at most 64 envelopes of one log, in order."""
        if link in self._links.by_id:
            for group in batches(envelopes):
                self._outbox.send(link, messages.Envelopes(group, True), bulk=True)
        return self._outbox.take()

    def send_blobs(self, link: LinkId, blobs: Sequence[bytes]) -> list[GossipEffect]:
        """The answer to BlobsWanted: those that are here."""
        if link in self._links.by_id:
            for group in batches(self._fitting(blobs)):
                self._outbox.send(link, messages.Blobs(group), bulk=True)
        return self._outbox.take()

    def want_blobs(self, digests: Sequence[Digest], now: Instant) -> list[GossipEffect]:
        """Ask linked peers, one after another, until BlobsArrived holds them."""
        self._blobs.add(digests, now.monotonic_s)
        self._blobs.ask_due(now.monotonic_s, self._links.linked())
        return self._finish(now.monotonic_s)

    def want_certificate(self, link: LinkId, serial: bytes, now: Instant) -> list[GossipEffect]:
        """Something signed under this serial came over this link: ask there first."""
        self._certificates.want(serial, link, now.monotonic_s)
        return self._finish(now.monotonic_s)

    def pull(
        self, link: LinkId, author: NodeId, epoch: int, from_seq: int, now: Instant
    ) -> list[GossipEffect]:
        """The ledger's gate saw a gap that begins here: this log is pulled from that link now."""
        self._antientropy.pull(link, (author, epoch), from_seq, now.monotonic_s)
        return self._finish(now.monotonic_s)

    def publish(self, kind: int, payload: bytes, now: Instant) -> list[GossipEffect]:
        """Our own register has a new value: sign it and tell every linked peer."""
        self._register_seq += 1
        register = sign_register(
            self._book.trust,
            boot=self._table.own.boot,
            seq=self._register_seq,
            kind=kind,
            payload=payload,
        )
        self._registers.put(register)
        links = [link for _, link in self._links.linked()]
        self._outbox.send_all(links, messages.Registers((register.data,)))
        return self._finish(now.monotonic_s)

    def register(self, peer: NodeId, kind: int) -> bytes | None:
        """The newest payload known of a member's register, our own included."""
        register = self._registers.get(peer, kind)
        return register.payload if register is not None else None

    def leave(self, now: Instant) -> list[GossipEffect]:
        """Say goodbye to everybody and end all links; nothing is done after that."""
        self._telling.rest(now.monotonic_s)
        own = self._table.own
        self._intake.renew_own(boot=own.boot, incarnation=own.incarnation + 1, left=True)
        for link in list(self._links.by_id):
            self._outbox.send(link, messages.Goodbye(self._table.own.data))
            self._outbox.tell(CloseLink(link, "this node leaves"))
            self._links.remove(link)
        self._left = True
        return self._outbox.take()

    def peers(self) -> list[PeerReading]:
        """Every member but ourselves, in order of node id."""
        return [
            PeerReading(
                node=node,
                name=member.record.name,
                state=member.state,
                since_s=member.since_s,
                addresses=member.record.addresses,
                boot=member.record.boot,
                rtt_ms=member.rtt_s * 1000 if member.rtt_s is not None else None,
                linked=self._links.of(node) is not None,
                process_dead=member.process_dead,
            )
            for node, member in sorted(self._table.members.items())
        ]

    def link_of(self, peer: NodeId) -> LinkId | None:
        """The stream to a peer, if one is up."""
        return self._links.of(peer)

    def statistics(self) -> dict[str, int]:
        """Counters since the start, and sizes now."""
        sizes = {"links": len(self._links), "rumours": len(self._rumours)}
        return {**self._outbox.counters, **sizes, "health": self._swim.health}

    # --- links ------------------------------------------------------------------------------------

    def _link_opened(self, event: LinkOpened, now_s: float) -> None:
        if event.dialled:
            self._dials.opened(event.address, event.peer, now_s)
        if event.peer == self._table.own.node:
            self._outbox.tell(CloseLink(event.link, "this is ourselves"))
            return
        self._intake.certificate_came_untrusted(event.certificate, event.link, now_s)
        opened = Link(event.link, event.peer, event.dialled, event.address, now_s)
        for loser in self._links.add(opened):
            self._links.remove(loser.id)
            self._outbox.tell(CloseLink(loser.id, "another link to this peer stays"))
        self._swim.heard(event.peer, now_s)
        if event.link in self._links.by_id:
            self._exchange.link_opened(event.link)
            self._ask_wants(now_s)

    def _link_closed(self, link: LinkId, goodbye: bool, now_s: float) -> None:
        gone = self._links.remove(link)
        if gone is None or self._links.of(gone.peer) is not None:
            return
        self._ask_wants(now_s)
        member = self._table.members.get(gone.peer)
        if member is None or member.state is PeerState.LEFT:
            return
        if goodbye:
            self._dials.renewed(member, now_s)
        else:
            self._swim.link_broke(member, now_s)
            self._dials.lost(member, now_s)

    # --- messages ---------------------------------------------------------------------------------

    def _frame_came_untrusted(self, link: LinkId, data: bytes, now_s: float) -> None:
        source = self._links.by_id.get(link)
        if source is None:
            self._outbox.count("messages_after_close")
            return
        try:
            message = messages.decode_untrusted(data)
        except MessageError:
            self._outbox.count("messages_refused")
            return
        self._outbox.count("messages_received")
        self._swim.heard(source.peer, now_s)
        self._exchange.message_came(source, message, now_s)

    # --- timers -----------------------------------------------------------------------------------

    def _timer_fired(self, token: tuple[str, ...], now_s: float, late_s: float) -> None:
        match token:
            case ("gossip", "period"):
                self._swim.period(now_s, late_s)
            case ("gossip", "timeout", number):
                self._swim.timeout(int(number))
            case ("gossip", "ended", number):
                self._swim.probe_ended(int(number), now_s, late_s)
            case ("gossip", "relay", number):
                self._swim.relay_ended(int(number))
            case ("gossip", "suspicion", node):
                self._swim.suspicion_ended(NodeId(node), now_s, late_s)
            case ("gossip", "rumours"):
                self._armed.pop("rumours", None)
                self._swim.rumour_tick()
            case ("gossip", "tell"):
                self._telling.rest(now_s)
            case ("gossip", "dial"):
                self._outbox.wake(now_s + self._timing.dial_tick_s, "dial")
                self._dials.tick(now_s)
            case ("gossip", "pull"):
                self._antientropy.timer(now_s)
            case ("gossip", "wants"):
                self._armed.pop("wants", None)
                self._ask_wants(now_s)
            case ("gossip", "compare"):
                self._outbox.wake(now_s + self._timing.compare_forced_s, "compare")
                self._antientropy.context = ContextHashes(self._context())
                linked = self._links.linked()
                if linked:
                    self._exchange.compare_all(self._random.choice(linked)[1])
            case _:
                self._outbox.count("timers_unknown")

    def _finish(self, now_s: float) -> list[GossipEffect]:
        """Timers run only while there is something to do."""
        if len(self._rumours) and "rumours" not in self._armed:
            self._armed["rumours"] = None
            self._outbox.wake(now_s + self._timing.rumour_tick_s, "rumours")
        if len(self._blobs) + len(self._certificates.wants) and "wants" not in self._armed:
            self._armed["wants"] = None
            self._outbox.wake(now_s + self._timing.ask_again_s, "wants")
        return self._outbox.take()

    def _ask_wants(self, now_s: float) -> None:
        linked = self._links.linked()
        self._blobs.ask_due(now_s, linked)
        self._certificates.wants.ask_due(now_s, linked)

    def _ask_blobs(self, link: LinkId, digests: list[Digest]) -> None:
        self._outbox.send(link, messages.BlobsWanted(tuple(digests)))

    def _fitting(self, blobs: Sequence[bytes]) -> list[bytes]:
        """A blob that no frame can hold is fetched in pieces by other means."""
        fitting = [blob for blob in blobs if len(blob) <= MAX_BLOB_BYTES]
        for _ in range(len(blobs) - len(fitting)):
            self._outbox.count("blobs_too_large")
        return fitting
