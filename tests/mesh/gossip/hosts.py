"""What a simulated cluster is made of: hosts, their logs, and the wires between them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from mesh.gossip.core import Gossip
from mesh.gossip.events import LinkId, PeerChanged
from mesh.trust import CertificateBook
from scheduler import cbor
from scheduler.ids import NodeId


@dataclass
class Logs:
    """As much of a ledger as gossip needs: chained envelopes by (author, epoch), and a gate."""

    logs: dict[tuple[NodeId, int], list[bytes]] = field(default_factory=dict)
    flushed: dict[tuple[NodeId, int], int] = field(default_factory=dict)

    def context(self) -> dict[tuple[NodeId, int], tuple[int, bytes]]:
        return {
            key: (count, hashlib.sha256(self.logs[key][count - 1]).digest())
            for key, count in self.flushed.items()
            if count
        }

    def receive(self, data: bytes) -> tuple[NodeId, int, int] | None:
        """The gap that keeps an envelope out, if there is one."""
        author, epoch, seq, _ = cbor.decode_untrusted(data, max_bytes=1 << 14)
        log = self.logs.setdefault((NodeId(author), epoch), [])
        if seq == len(log) + 1:
            log.append(data)
        return (NodeId(author), epoch, len(log) + 1) if seq > len(log) + 1 else None


@dataclass
class Host:
    """One node as the world sees it."""

    name: str
    node: NodeId
    address: str
    book: CertificateBook
    gossip: Gossip
    logs: Logs
    up: bool = True
    silent: bool = False
    timers: dict[tuple[str, ...], float] = field(default_factory=dict)
    story: list[tuple[float, PeerChanged]] = field(default_factory=list)
    registers: dict[tuple[NodeId, int], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    learned: list[bytes] = field(default_factory=list)


@dataclass
class Wire:
    """One stream: who is at its ends, by host name; each end has a link number of its own."""

    ends: dict[str, LinkId]
    last_s: dict[str, float]
    open: bool = True
    stuck: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
