"""What is known of each member: its registers and its reachability, joined to one reading each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from mesh.gossip.core import Gossip, PeerReading
from mesh.gossip.events import GossipEffect, PeerState
from mesh.member.commands import NodeDetail
from mesh.member.events import CapacityMeasured
from mesh.member.facts import Facts
from mesh.member.readings import read_node
from mesh.member.registers import (
    CAPACITY,
    LOCAL_DATA,
    MAX_BLOBS,
    CapacityRegister,
    DataRegister,
    RegisterError,
    decode_capacity_untrusted,
    decode_data_untrusted,
    encode_capacity,
    encode_data,
)
from scheduler.ids import Digest, NodeId
from scheduler.instant import Instant
from scheduler.jobs import DataEntry, NodeReading


class Nodes:
    """Readings of all members, ourselves included."""

    def __init__(
        self,
        facts: Facts,
        gossip: Gossip,
        *,
        name: str,
        addresses: tuple[str, ...],
        version: str,
        labels: Mapping[str, str],
        boot: int,
        started: Instant,
    ) -> None:
        self._facts = facts
        self._gossip = gossip
        self._name = name
        self._addresses = addresses
        self._labels = labels
        self._boot = boot
        self._started = started
        self._capacities: dict[NodeId, CapacityRegister] = {
            facts.node: CapacityRegister(roles=facts.own.roles, version=version)
        }
        self._data: dict[NodeId, DataRegister] = {}
        self._changed: dict[NodeId, None] = {}

    def register_of(self, node: NodeId) -> CapacityRegister:
        """The latest word of a node on its capacity; an empty one while there is none."""
        return self._capacities.get(node, CapacityRegister())

    def take_changed(self) -> tuple[str, ...]:
        """Nodes whose reading changed since this was last asked."""
        changed, self._changed = tuple(self._changed), {}
        return changed

    def details(self, wanted: Collection[NodeId] | None, now: Instant) -> tuple[NodeDetail, ...]:
        """What people ask of these members, or of all of them, in order of node id."""
        if wanted is not None and not wanted:
            return ()
        peers = {peer.node: peer for peer in self._gossip.peers()}
        readings = self._facts.readings
        return tuple(
            read_node(
                self._facts,
                readings[node],
                self.register_of(node),
                peers.get(node),
                boot=self._boot,
                addresses=self._addresses,
                started=self._started,
                now=now,
            )
            for node in sorted(readings if wanted is None else wanted)
            if node in readings and (node == self._facts.node or node in peers)
        )

    # --- ourselves --------------------------------------------------------------------------------

    def measured(self, event: CapacityMeasured, now: Instant) -> list[GossipEffect]:
        """The machine was measured; peers hear of it when it says something new."""
        own = self.register_of(self._facts.node)
        register = CapacityRegister(
            capacity=event.capacity,
            engines=event.engines,
            sources=event.sources,
            publishers=event.publishers,
            labels={**event.labels, **self._labels},
            roles=self._facts.own.roles,
            blobs=own.blobs,
            images=event.images,
            load_tenths=event.load_tenths,
            version=own.version,
        )
        return self._publish_capacity(register, now)

    def blob_kept(self, digest: Digest, now: Instant) -> list[GossipEffect]:
        """A blob is here now; told to peers when it is a module or an input of a known job."""
        if digest not in self._facts.named_blobs:
            return []
        own = self.register_of(self._facts.node)
        if digest in own.blobs:
            return []
        blobs = (digest, *own.blobs)[:MAX_BLOBS]
        return self._publish_capacity(replace(own, blobs=blobs), now)

    def scanned(
        self, entries: tuple[DataEntry, ...], writable: tuple[str, ...], now: Instant
    ) -> list[GossipEffect]:
        """The allowed folders were looked at."""
        register = DataRegister(entries, writable)
        if self._data.get(self._facts.node) == register:
            return []
        self._data[self._facts.node] = register
        self.refresh_own()
        return self._gossip.publish(LOCAL_DATA, encode_data(register), now)

    def refresh_own(self) -> None:
        """Our own reading, from what we say of ourselves."""
        self._set(self._facts.node, self._name, reachable=True, rtt_ms=0.0)

    def _publish_capacity(self, register: CapacityRegister, now: Instant) -> list[GossipEffect]:
        if self._capacities[self._facts.node] == register:
            return []
        self._capacities[self._facts.node] = register
        self.refresh_own()
        return self._gossip.publish(CAPACITY, encode_capacity(register), now)

    # --- peers ------------------------------------------------------------------------------------

    def peer_changed(self, node: NodeId) -> PeerReading | None:
        """What this node hears of a peer has changed; what it is now."""
        for peer in self._gossip.peers():
            if peer.node == node:
                reachable = peer.state in (PeerState.ALIVE, PeerState.SUSPECT)
                rtt_ms = peer.rtt_ms or 0.0
                self._set(node, peer.name, reachable=reachable, rtt_ms=rtt_ms, boot=peer.boot)
                self._changed[node] = None
                return peer
        return None

    def register_changed(self, node: NodeId, kind: int, payload: bytes) -> None:
        """A peer's register has a newer value; one that cannot be read says nothing."""
        try:
            if kind == CAPACITY:
                self._capacities[node] = decode_capacity_untrusted(payload)
            elif kind == LOCAL_DATA:
                self._data[node] = decode_data_untrusted(payload)
            else:
                return
        except RegisterError:
            return
        self.peer_changed(node)

    def intent_changed(self, node: NodeId) -> None:
        """An operator's word about a node has come; one that is not known here waits."""
        reading = self._facts.readings.get(node)
        if reading is not None:
            self._facts.set_reading(replace(reading, intent=self._facts.intent_of(node)))
            self._changed[node] = None

    def _set(
        self, node: NodeId, name: str, *, reachable: bool, rtt_ms: float, boot: int = 0
    ) -> None:
        capacity, data = self.register_of(node), self._data.get(node, DataRegister())
        reading = NodeReading(
            node=node,
            name=name,
            reachable=reachable,
            roles=capacity.roles,
            capacity=capacity.capacity,
            engines=tuple(sorted(capacity.engines)),
            sources=capacity.sources,
            publishers=capacity.publishers,
            labels={"name": name, **capacity.labels},
            blobs=frozenset(capacity.blobs),
            images=capacity.images,
            data=data.entries,
            writable=data.writable,
            intent=self._facts.intent_of(node),
            rtt_ms=rtt_ms,
            boot=boot,
        )
        if self._facts.readings.get(node) != reading:
            self._facts.set_reading(reading)
            self._changed[node] = None
