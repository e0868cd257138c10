"""Member records, and the table of everyone heard of.

A member's record is signed by the member: nobody can raise another's incarnation. What others think
of it (suspect, unreachable) is an opinion about one (boot, incarnation), refuted by a record with a
greater one. Precedence is (boot, incarnation, state).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from mesh.gossip.events import PeerState
from mesh.gossip.messages import MAX_RECORD_BYTES, Opinion, Standing, Update
from mesh.gossip.signed import Proof, SignedError, Statement, open_untrusted, prove, sign
from mesh.trust import CertificateBook, Trust
from scheduler.ids import ID_BYTES, NodeId, node_id_from_bytes, node_id_to_bytes

DOMAIN = b"bacalhau-mesh member 1\0"
FORMAT_VERSION = 1
MAX_NAME_BYTES = 64
"""A host name's label is at most 63 bytes."""
MAX_ADDRESSES = 8
"""More interfaces than a node has; dials go through them one after another."""
MAX_ADDRESS_BYTES = 56
"""An IPv6 address with scope, brackets and port; eight of them and a name stay under 512 B."""

PEAK_DECAY = 0.95
"""A worst round trip is half forgotten after 13 better ones."""


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """What a member says of itself; `data` is how it signed that."""

    node: NodeId
    boot: int
    incarnation: int
    left: bool
    name: str
    addresses: tuple[str, ...]
    serial: bytes
    data: bytes

    @property
    def version(self) -> tuple[int, int]:
        """The part of precedence that only the member itself raises."""
        return (self.boot, self.incarnation)

    @property
    def state(self) -> PeerState:
        """The state that the member itself claims."""
        return PeerState.LEFT if self.left else PeerState.ALIVE


def sign_record(
    trust: Trust, *, boot: int, incarnation: int, left: bool, name: str, addresses: Sequence[str]
) -> MemberRecord:
    """Our own record, cut to what receivers take."""
    name = name.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    kept = tuple(one for one in addresses if len(one.encode()) <= MAX_ADDRESS_BYTES)
    kept = kept[:MAX_ADDRESSES]
    own = trust.own
    fields = [FORMAT_VERSION, node_id_to_bytes(own.node), boot, incarnation, left, name]
    data = sign(trust, DOMAIN, [*fields, list(kept), own.serial])
    return MemberRecord(own.node, boot, incarnation, left, name, kept, own.serial, data)


@dataclass(frozen=True, slots=True)
class UnprovedRecord:
    """A well-formed record whose signature nobody has checked yet."""

    record: MemberRecord
    statement: Statement

    def prove(self, book: CertificateBook) -> Proof:
        """Whether its member signed it."""
        record = self.record
        return prove(book, DOMAIN, self.statement, serial=record.serial, node=record.node)


def read_record_untrusted(data: bytes) -> UnprovedRecord:
    """The record in these bytes, not proved; SignedError when they are none."""
    statement = open_untrusted(data, max_bytes=MAX_RECORD_BYTES)
    kinds = [int, bytes, int, int, bool, str, list, bytes]
    if [type(one) for one in statement.fields] != kinds:
        raise SignedError("not the eight fields of a member record")
    version, node, boot, incarnation, left, name, addresses, serial = statement.fields
    if version != FORMAT_VERSION or len(node) != ID_BYTES or len(serial) != ID_BYTES:
        raise SignedError("not a member record of this format")
    if not (0 <= boot < (1 << 64) - (1 << 32) and 0 <= incarnation < 1 << 32):
        raise SignedError("boot or incarnation out of range")
    if len(name.encode()) > MAX_NAME_BYTES or len(addresses) > MAX_ADDRESSES:
        raise SignedError("the name or the list of addresses is too long")
    for address in addresses:
        if type(address) is not str or not 0 < len(address.encode()) <= MAX_ADDRESS_BYTES:
            raise SignedError("an address is not 1 to 56 bytes of text")
    record = MemberRecord(
        node_id_from_bytes(node), boot, incarnation, left, name, tuple(addresses), serial, data
    )
    return UnprovedRecord(record, statement)


@dataclass(slots=True)
class Member:
    """One other member as this node hears it."""

    record: MemberRecord
    state: PeerState
    since_s: float
    process_dead: bool = False
    refused: bool = False
    """Its host said no where it listened, in this boot."""
    heard_s: float = float("-inf")
    """When anything of it last came to us."""
    rtt_s: float | None = None
    rtt_peak_s: float | None = None
    """Decaying maximum, near the 99th percentile of recent round trips."""
    author: NodeId | None = None
    """Whose suspicion or verdict `state` is."""

    @property
    def standing(self) -> Standing:
        """How far we know it, for others to compare."""
        return Standing(self.record.node, *self.record.version, self.state)

    @property
    def news(self) -> tuple[Update, ...]:
        """What tells another node all that we know of it."""
        if self.author is None:
            return (self.record.data,)
        return (self.record.data, self.opinion(self.author))

    def measured(self, rtt_s: float) -> None:
        """One more round trip on a direct ping."""
        self.rtt_s = rtt_s if self.rtt_s is None else self.rtt_s * 0.8 + rtt_s * 0.2
        self.rtt_peak_s = max(rtt_s, (self.rtt_peak_s or 0.0) * PEAK_DECAY)

    def opinion(self, author: NodeId) -> Opinion:
        """Its state as somebody's opinion; only suspect and unreachable are any."""
        return Opinion(self.record.node, *self.record.version, self.state, author)


@dataclass(slots=True)
class MemberTable:
    """Everyone heard of, ourselves apart, with a hash of it all kept up in O(1)."""

    own: MemberRecord
    members: dict[NodeId, Member] = field(default_factory=dict)
    _hash: int = 0

    def __post_init__(self) -> None:
        self._hash ^= _entry_hash(self.own, PeerState.ALIVE)

    def renew_own(self, record: MemberRecord) -> None:
        """Our own record has a new incarnation."""
        self._hash ^= _entry_hash(self.own, self.own.state) ^ _entry_hash(record, record.state)
        self.own = record

    def put(self, record: MemberRecord, now_s: float) -> Member:
        """A proved record that is newer than what we had; the member is what it says it is."""
        known = self.members.get(record.node)
        if known is None:
            known = self.members[record.node] = Member(record, record.state, now_s)
        else:
            self._hash ^= _entry_hash(known.record, known.state)
            if known.record.boot != record.boot:
                known.refused = False
            if known.state is not record.state:
                known.since_s = now_s
            known.record, known.state, known.author = record, record.state, None
            known.process_dead = False
        self._hash ^= _entry_hash(record, record.state)
        return known

    def mark(self, member: Member, state: PeerState, author: NodeId, now_s: float) -> None:
        """Somebody's opinion of a member, ours or another's, now holds here."""
        self._hash ^= _entry_hash(member.record, member.state) ^ _entry_hash(member.record, state)
        member.state, member.author, member.since_s = state, author, now_s

    def is_news(self, record: MemberRecord) -> bool:
        """Whether a record says more than the table has."""
        known = self.members.get(record.node)
        if known is None:
            return True
        if record.version != known.record.version:
            return record.version > known.record.version
        return record.left and known.state is not PeerState.LEFT

    def heard_of(self) -> list[Member]:
        """Members that take part as far as we know: neither unreachable nor gone."""
        return [one for one in self.members.values() if one.state <= PeerState.SUSPECT]

    def newer_than(self, known: Sequence[Standing]) -> list[Update]:
        """What an asker with this knowledge lacks; our own record first."""
        told = {one.node: one[1:] for one in known}
        news: list[Update] = []
        if told.get(self.own.node, (-1,)) < (*self.own.version, self.own.state):
            news.append(self.own.data)
        for member in self.members.values():
            if told.get(member.record.node, (-1,)) < member.standing[1:]:
                news.extend(member.news)
        return news

    def standings(self) -> tuple[Standing, ...]:
        """How far we know everyone, ourselves included."""
        own = Standing(self.own.node, *self.own.version, self.own.state)
        return (own, *(member.standing for member in self.members.values()))

    @property
    def hash(self) -> bytes:
        """8 bytes that are equal on nodes that know the same."""
        return self._hash.to_bytes(8, "big")


def _entry_hash(record: MemberRecord, state: PeerState) -> int:
    """Suspicions pass in seconds: they count as alive, or every one would start a comparison."""
    lasting = PeerState.ALIVE if state is PeerState.SUSPECT else state
    text = f"{record.node} {record.boot} {record.incarnation} {lasting:d}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
