"""What is answered to each message, and when two nodes compare what they know."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.gossip import messages
from mesh.gossip.antientropy import AntiEntropy
from mesh.gossip.broadcast import Wants, batches
from mesh.gossip.certificates import CertificateDesk
from mesh.gossip.events import BlobsArrived, BlobsWanted, EnvelopesArrived, LinkId, PullAsked
from mesh.gossip.ground import Ground
from mesh.gossip.intake import Intake
from mesh.gossip.links import Link
from mesh.gossip.messages import Hashes, Standing
from mesh.gossip.registers import RegisterTable
from mesh.gossip.swim import Swim
from scheduler.ids import Digest, blob_digest

OPENING_S = 5.0
"""What is told this soon after a link opened is history, not news under way: pulled at once."""
UPDATES_PER_MESSAGE = 64
"""A member record is about 250 B: 16 KiB a frame."""


class Exchange:
    """Routes messages to the parts and sends what they answer."""

    def __init__(
        self,
        ground: Ground,
        *,
        registers: RegisterTable,
        swim: Swim,
        intake: Intake,
        antientropy: AntiEntropy,
        certificates: CertificateDesk,
        blobs: Wants[Digest],
    ) -> None:
        self._table = ground.table
        self._links = ground.links
        self._registers = registers
        self._swim = swim
        self._intake = intake
        self._antientropy = antientropy
        self._certificates = certificates
        self._blobs = blobs
        self._outbox = ground.outbox
        self._timing = ground.timing

    def hashes(self) -> Hashes:
        """What we know and hold, in 24 bytes."""
        return Hashes(self._table.hash, self._registers.hash, self._antientropy.context.hash)

    def link_opened(self, link: LinkId) -> None:
        """Tell all we know of members, ask for registers and heads: the other side does too."""
        self._send_members(link, ())
        self._outbox.send(link, messages.RegistersWanted(self._registers.versions()))
        self._antientropy.compare(link)

    def compare_all(self, link: LinkId) -> None:
        """Compare with one peer, whatever the hashes say."""
        for kind in Hashes._fields:
            self._ask_difference(link, kind)

    def message_came(self, source: Link, message: messages.Message, now_s: float) -> None:
        """One well-formed message from a peer."""
        link = source.id
        match message:
            case messages.Ping():
                self._intake.updates_came(message.updates, link, now_s)
                self._swim.on_ping(link, message)
                self._compare(source, message.hashes, now_s)
            case messages.Ack():
                self._intake.updates_came(message.updates, link, now_s)
                self._swim.on_ack(message, source.peer, now_s)
                self._compare(source, message.hashes, now_s)
            case messages.PingRequest():
                self._intake.updates_came(message.updates, link, now_s)
                self._swim.on_ping_request(link, message, now_s)
            case messages.Nack():
                self._swim.on_nack(message, now_s)
            case messages.Rumours():
                self._intake.updates_came(message.updates, link, now_s)
            case messages.Members():
                self._intake.updates_came(message.updates, link, now_s, merging=True)
            case messages.MembersWanted():
                self._send_members(link, message.known)
            case messages.Goodbye():
                self._intake.record_came_untrusted(message.record, link, now_s)
            case messages.Envelopes():
                self._outbox.tell(EnvelopesArrived(link, message.envelopes, message.bulk))
            case messages.Blobs():
                for blob in message.blobs:
                    self._blobs.arrived(blob_digest(blob))
                self._outbox.tell(BlobsArrived(message.blobs))
                self._blobs.ask_due(now_s, self._links.linked())
            case messages.BlobsWanted():
                self._outbox.tell(BlobsWanted(link, message.digests))
            case messages.Certificates():
                for der in message.certificates:
                    self._intake.certificate_came_untrusted(der, link, now_s)
            case messages.CertificatesWanted():
                self._certificates.answer(link, message.serials)
            case messages.Registers():
                for data in message.registers:
                    self._intake.register_came_untrusted(data, link, now_s)
            case messages.RegistersWanted():
                for group in batches(self._registers.newer_than(message.known)):
                    self._outbox.send(link, messages.Registers(group))
            case messages.HeadsWanted():
                self._antientropy.on_heads_wanted(link, message)
            case messages.Heads():
                at_once = now_s - source.opened_s < OPENING_S
                self._antientropy.on_heads(link, message, now_s, at_once=at_once)
            case messages.Pull():
                asked = PullAsked(link, message.author, message.epoch, message.from_seq)
                self._outbox.tell(asked)

    def _send_members(self, link: LinkId, known: Sequence[Standing]) -> None:
        news = self._table.newer_than(known)
        for start in range(0, len(news), UPDATES_PER_MESSAGE):
            group = tuple(news[start : start + UPDATES_PER_MESSAGE])
            self._outbox.send(link, messages.Members(group))

    def _compare(self, source: Link, theirs: Hashes, now_s: float) -> None:
        """Where a peer's state differs from ours, ask for the difference; it does likewise."""
        for kind, mine, their in zip(Hashes._fields, self.hashes(), theirs, strict=True):
            pair = mine + their
            asked, asked_s = source.compared.get(kind, (b"", float("-inf")))
            wait_s = self._timing.compare_same_s if asked == pair else self._timing.compare_s
            if mine == their or now_s - asked_s < wait_s:
                continue
            source.compared[kind] = (pair, now_s)
            self._ask_difference(source.id, kind)

    def _ask_difference(self, link: LinkId, kind: str) -> None:
        self._outbox.count(f"compared_{kind}")
        match kind:
            case "members":
                self._outbox.send(link, messages.MembersWanted(self._table.standings()))
            case "registers":
                self._outbox.send(link, messages.RegistersWanted(self._registers.versions()))
            case _:
                self._antientropy.compare(link)
