"""What is to be written to disk, and what waits for it: at most one flush is out at a time.

While one is out, records and received envelopes gather; the next flush takes them all, so that a
busy node signs and writes a few large envelopes and not many small ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mesh.gossip.core import PeerReading
from mesh.gossip.events import PeerState
from mesh.ledger.ledger import Ledger, StoredEnvelope
from mesh.member.events import Changed, MemberEffect, Persist, Restored
from mesh.trust import Certificate
from scheduler.ids import Digest, NodeId


@dataclass(slots=True)
class Batch:
    """What one flush writes, and what its end lets go."""

    envelopes: list[StoredEnvelope] = field(default_factory=list)
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    own_blobs: list[bytes] = field(default_factory=list)
    """Pushed to peers before the envelopes that name them."""
    certificates: dict[bytes, bytes] = field(default_factory=dict)
    peers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    effects: list[MemberEffect] = field(default_factory=list)
    told_first: frozenset[NodeId] | None = None
    """Nodes that wait for what is written here; None where any may."""

    @property
    def writes(self) -> bool:
        return bool(self.envelopes or self.blobs or self.certificates or self.peers)


class Flushes:
    """The batch that gathers and the one that is out."""

    def __init__(self, ledger: Ledger, restored: Restored) -> None:
        self.asked_specs: dict[Digest, None] = {}
        """Specs asked of peers and not yet here."""
        self._ledger = ledger
        self._gathering = Batch()
        self._out: Batch | None = None
        self._token = 0
        self._known_peers = dict(restored.peers)
        self._known_certificates = dict.fromkeys(restored.certificates)

    def envelopes(self, envelopes: Iterable[StoredEnvelope]) -> None:
        """Received ones; own ones are sealed when the flush is asked for."""
        self._gathering.envelopes.extend(envelopes)

    def blobs(self, blobs: Iterable[tuple[Digest, bytes]], *, own: bool) -> None:
        """Specs and small modules; own ones go to peers with the envelopes."""
        for digest, data in blobs:
            self._gathering.blobs[digest] = data
            self.asked_specs.pop(digest, None)
            if own:
                self._gathering.own_blobs.append(data)

    def certificate(self, certificate: Certificate) -> None:
        """Kept for ever, once."""
        if certificate.der not in self._known_certificates:
            self._known_certificates[certificate.der] = None
            self._gathering.certificates[certificate.serial] = certificate.der

    def peers(self, peers: Iterable[PeerReading]) -> None:
        """Where members that are alive were last heard, for the next start."""
        for peer in peers:
            heard = peer.state is PeerState.ALIVE and bool(peer.addresses)
            if heard and self._known_peers.get(peer.node) != peer.addresses:
                self._known_peers[peer.node] = peer.addresses
                self._gathering.peers[peer.node] = peer.addresses

    def hold(self, effects: Sequence[MemberEffect]) -> None:
        """Perform these when everything written so far is on disk."""
        self._gathering.effects.extend(effects)

    @property
    def idle(self) -> bool:
        """No flush is out, and none is to be asked for."""
        return self._out is None and not self._gathering.writes

    def can_wait(self) -> bool:
        """Nothing was gathered that a peer, a caller or an attempt waits for."""
        return not self._gathering.writes and all(
            isinstance(effect, Changed) for effect in self._gathering.effects
        )

    def next(
        self, *, told_first: frozenset[NodeId] | None = None
    ) -> tuple[Persist | None, list[MemberEffect]]:
        """The flush to ask for now, if none is out; and effects that wait for nothing."""
        if self._out is not None:
            return None, []
        batch = self._gathering
        if self._ledger.has_unsealed():
            batch.envelopes.extend(self._ledger.seal())
        batch.told_first = told_first
        if not batch.writes:
            ready, batch.effects = batch.effects, []
            return None, ready
        self._gathering, self._out = Batch(), batch
        self._token += 1
        persist = Persist(
            self._token,
            envelopes=tuple(batch.envelopes),
            blobs=tuple(batch.blobs.items()),
            certificates=tuple(batch.certificates.items()),
            peers=tuple(batch.peers.items()),
        )
        return persist, []

    def flushed(self, token: int) -> Batch:
        """The flush is on disk; its batch, whose effects may be performed now."""
        assert self._out is not None, "a flush was reported that nobody asked for"
        assert token == self._token, "flushes are reported one by one"
        done, self._out = self._out, None
        return done
