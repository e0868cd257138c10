"""Whom to dial, and when.

An address is a hint, never an identity. Fresh ones are dialled at once and again after 1, 2, 4 s;
after that they are cold: every 5 s one cold address of a member (suspect, dead, or never reached)
and one cold hint are tried, at random, for ever. That is what heals any split.
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh.gossip.events import Dial, PeerState
from mesh.gossip.ground import Ground
from mesh.gossip.members import Member
from mesh.gossip.timing import MAX_LINKS
from scheduler.ids import NodeId

COLD_FAILURES = 4
"""After waits of 1, 2 and 4 s the next would be above the cold interval."""
MAX_HINTS = 256
"""Anybody on the local network can announce addresses: the oldest hint makes room."""


@dataclass(slots=True)
class _Tries:
    failures: int = 0
    next_s: float = float("-inf")
    dialled_s: float = float("-inf")

    @property
    def cold(self) -> bool:
        return self.failures >= COLD_FAILURES


class Dials:
    """Addresses worth a try, those tried, and those being tried."""

    def __init__(self, ground: Ground) -> None:
        self._table = ground.table
        self._links = ground.links
        self._outbox = ground.outbox
        self._timing = ground.timing
        self._random = ground.random
        self._own_addresses = dict.fromkeys(ground.table.own.addresses)
        self._hints: dict[str, NodeId | None] = {}
        self._answered: dict[str, NodeId] = {}
        self._tries: dict[str, _Tries] = {}
        self._dialling: dict[str, float] = {}
        self._next_cold_s = float("-inf")

    def heard(self, address: str, node: NodeId | None, now_s: float) -> None:
        """Somebody may be there, also where nobody was before: hearing of it anew is a reason."""
        if node == self._table.own.node or address in self._own_addresses:
            self._own_addresses[address] = None
            return
        if address not in self._hints and len(self._hints) >= MAX_HINTS:
            self._forget_hint(next(iter(self._hints)))
        self._hints[address] = node
        tries = self._tries_of(address)
        if now_s - tries.dialled_s >= self._timing.dial_tick_s:
            tries.failures, tries.next_s = 0, now_s
        if not self._in_view(address) and not tries.cold:
            self._dial_if_due(address, now_s)

    def opened(self, address: str, peer: NodeId, now_s: float) -> None:
        """A dial has led to this node."""
        self._dialling.pop(address, None)
        if peer == self._table.own.node:
            self._own_addresses[address] = None
            self._hints.pop(address, None)
            return
        self._answered[address] = peer
        self._tries[address] = _Tries(next_s=now_s + self._timing.dial_tick_s)

    def failed(self, address: str, now_s: float) -> list[Member]:
        """A dial came to nothing; those members listened there as far as we know."""
        self._dialling.pop(address, None)
        tries = self._tries_of(address)
        tries.failures += 1
        tick_s = self._timing.dial_tick_s
        tries.next_s = now_s + min(tick_s * 2 ** (tries.failures - 1), self._timing.cold_dial_s)
        return [
            member
            for member in self._table.members.values()
            if address in self._addresses_of(member)
        ]

    def lost(self, member: Member, now_s: float) -> None:
        """Its link broke: dial everywhere it listened, now, to learn what became of it."""
        for address in self._addresses_of(member):
            self._tries[address] = _Tries()
            self._dial_if_due(address, now_s)

    def renewed(self, member: Member, now_s: float) -> None:
        """A member with a new boot is a new chance; of a pair, the smaller id goes first."""
        wait_s = 0.0 if self._table.own.node < member.record.node else self._timing.dial_tick_s
        for address in member.record.addresses:
            self._answered.pop(address, None)
            self._tries[address] = _Tries(next_s=now_s + wait_s)
        self._dial_member(member, now_s)

    def tick(self, now_s: float) -> None:
        """Dial what is due; called every `dial_tick_s`."""
        forgotten_s = now_s - self._timing.dial_forget_s
        for address in [one for one, since_s in self._dialling.items() if since_s < forgotten_s]:
            self.failed(address, now_s)
        for member in self._unlinked_members():
            self._dial_member(member, now_s)
        for address in self._hints:
            if not self._in_view(address) and not self._tries_of(address).cold:
                self._dial_if_due(address, now_s)
        if now_s >= self._next_cold_s:
            self._next_cold_s = now_s + self._timing.cold_dial_s
            self._dial_cold(now_s)

    def _dial_member(self, member: Member, now_s: float) -> None:
        if self._links.all_of(member.record.node) or len(self._links) >= MAX_LINKS:
            return
        addresses = self._addresses_of(member)
        if any(address in self._dialling for address in addresses):
            return
        warm = [one for one in addresses if not self._tries_of(one).cold]
        if warm:
            self._dial_if_due(min(warm, key=lambda one: self._tries_of(one).next_s), now_s)

    def _dial_cold(self, now_s: float) -> None:
        of_members = [
            address
            for member in self._unlinked_members()
            for address in self._addresses_of(member)
            if self._tries_of(address).cold
        ]
        of_hints = [
            address
            for address in self._hints
            if not self._in_view(address) and self._tries_of(address).cold
        ]
        for pool in (of_members, of_hints):
            if pool:
                self._dial_if_due(self._random.choice(pool), now_s)

    def _dial_if_due(self, address: str, now_s: float) -> None:
        """Cold addresses come here only when it is their turn."""
        tries = self._tries_of(address)
        if address in self._dialling or (tries.next_s > now_s and not tries.cold):
            return
        tries.dialled_s = self._dialling[address] = now_s
        self._outbox.tell(Dial(address))

    def _unlinked_members(self) -> list[Member]:
        return [
            member
            for member in self._table.members.values()
            if member.state is not PeerState.LEFT and not self._links.all_of(member.record.node)
        ]

    def _addresses_of(self, member: Member) -> list[str]:
        """Where it listens, as it says, but for those where somebody else has answered since."""
        node = member.record.node
        return [
            address
            for address in member.record.addresses
            if address not in self._own_addresses and self._answered.get(address, node) == node
        ]

    def _in_view(self, address: str) -> bool:
        node = self._answered.get(address) or self._hints[address]
        return node is not None and self._links.of(node) is not None

    def _tries_of(self, address: str) -> _Tries:
        return self._tries.setdefault(address, _Tries())

    def _forget_hint(self, address: str) -> None:
        for store in (self._hints, self._answered, self._tries):
            store.pop(address, None)
