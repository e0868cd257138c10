"""What arrives signed is proved here, then believed: records, registers, certificates, opinions.

Whatever fails its proof leaves no trace but a counter. What is said of ourselves is answered: a
suspicion is refuted by a record with a greater incarnation.
"""

from __future__ import annotations

from collections.abc import Iterable

from mesh.gossip import messages
from mesh.gossip.certificates import CertificateDesk
from mesh.gossip.dials import Dials
from mesh.gossip.events import LinkId, PeerState, RegisterChanged
from mesh.gossip.ground import Ground
from mesh.gossip.members import MemberRecord, read_record_untrusted, sign_record
from mesh.gossip.messages import Opinion, Update
from mesh.gossip.registers import RegisterTable, read_register_untrusted
from mesh.gossip.signed import Proof, SignedError
from mesh.gossip.swim import Swim


class Intake:
    """Proves what peers pass on and hands it to the tables."""

    def __init__(
        self,
        ground: Ground,
        *,
        registers: RegisterTable,
        swim: Swim,
        dials: Dials,
        certificates: CertificateDesk,
    ) -> None:
        self._book = ground.book
        self._table = ground.table
        self._registers = registers
        self._swim = swim
        self._dials = dials
        self._links = ground.links
        self._certificates = certificates
        self._outbox = ground.outbox
        self._timing = ground.timing
        self._next_boot_s = float("-inf")

    def updates_came(
        self, updates: Iterable[Update], link: LinkId, now_s: float, *, merging: bool = False
    ) -> None:
        """News of members; `merging` when they are a peer's whole knowledge, old parts too."""
        for update in updates:
            if isinstance(update, bytes):
                self.record_came_untrusted(update, link, now_s)
            elif update.node == self._table.own.node:
                self._refute(update)
            else:
                self._swim.opinion_heard(update, now_s, merging=merging)

    def record_came_untrusted(self, data: bytes, link: LinkId, now_s: float) -> None:
        """A member's own record, by whatever way it came."""
        try:
            unproved = read_record_untrusted(data)
        except SignedError:
            self._outbox.count("records_refused")
            return
        record = unproved.record
        is_own = record.node == self._table.own.node
        if is_own and record.version <= self._table.own.version:
            return
        if not is_own and not self._table.is_news(record):
            return
        match unproved.prove(self._book):
            case Proof.UNKNOWN_CERTIFICATE:
                self._certificates.wait(
                    data, record.serial, self.record_came_untrusted, link, now_s
                )
            case Proof.FORGED:
                self._outbox.count("records_refused")
            case Proof.PROVED if is_own:
                self._meet_greater_self(record, now_s)
            case Proof.PROVED:
                self._believe(record, now_s)

    def register_came_untrusted(self, data: bytes, link: LinkId, now_s: float) -> None:
        """A member's register, by whatever way it came."""
        try:
            unproved = read_register_untrusted(data)
        except SignedError:
            self._outbox.count("registers_refused")
            return
        register = unproved.register
        if not self._registers.is_news(register):
            return
        match unproved.prove(self._book):
            case Proof.UNKNOWN_CERTIFICATE:
                self._certificates.wait(
                    data, register.serial, self.register_came_untrusted, link, now_s
                )
            case Proof.FORGED:
                self._outbox.count("registers_refused")
            case Proof.PROVED:
                self._registers.put(register)
                changed = RegisterChanged(register.node, register.kind, register.payload)
                self._outbox.tell(changed)

    def certificate_came_untrusted(self, der: bytes, link: LinkId, now_s: float) -> None:
        """A certificate; what waited for it is looked at again."""
        for data, retry in self._certificates.learn_untrusted(der):
            retry(data, link, now_s)

    def renew_own(self, *, boot: int, incarnation: int, left: bool = False) -> None:
        """A new record of our own, told to every linked peer at once."""
        own = self._table.own
        record = sign_record(
            self._book.trust,
            boot=boot + (incarnation >> 32),
            incarnation=incarnation & 0xFFFF_FFFF,
            left=left,
            name=own.name,
            addresses=own.addresses,
        )
        self._table.renew_own(record)
        links = [link for _, link in self._links.linked()]
        self._outbox.send_all(links, messages.Rumours((record.data,)))

    def _believe(self, record: MemberRecord, now_s: float) -> None:
        known = self._table.members.get(record.node)
        returns = (
            known is None
            or known.record.boot != record.boot
            or known.state is PeerState.UNREACHABLE
        )
        member = self._swim.record_proved(record, now_s)
        if returns and not record.left:
            self._dials.renewed(member, now_s)

    def _refute(self, opinion: Opinion) -> None:
        """Only what we said last can be doubted; a greater version is somebody's invention."""
        own = self._table.own
        if (opinion.boot, opinion.incarnation) == own.version:
            self._outbox.count("suspicions_refuted")
            self.renew_own(boot=own.boot, incarnation=own.incarnation + 1)

    def _meet_greater_self(self, record: MemberRecord, now_s: float) -> None:
        """Signed by our key and newer than we are: our clock went back, or our key runs twice.

        We take a greater boot, at most once a period: with a twin each would answer the other.
        """
        self._outbox.count("own_greater_boots")
        if now_s >= self._next_boot_s:
            self._next_boot_s = now_s + self._timing.probe_period_s
            self.renew_own(boot=record.boot + 1, incarnation=0)
