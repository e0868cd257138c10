"""Who may speak: certificates as nouns, and the functions that prove a signature.

Pure. `gossip` and `ledger` are handed a `Trust`; `mesh/node/identity` makes the real one with
cryptography, the simulator a stub in most seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from scheduler.ids import NodeId

ROLES = ("admit", "orchestrate", "compute", "submit", "admin")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the cluster root vouches for: a key, its node, and what that node may do."""

    serial: bytes
    """16 bytes; envelopes and registers name it."""
    node: NodeId
    public_key: bytes
    """Ed25519, 32 bytes; the node id is its hash."""
    exchange_key: bytes
    """X25519, 32 bytes, for datagrams."""
    roles: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    not_before_ms: int
    not_after_ms: int
    der: bytes


class CertificateError(ValueError):
    """Bytes that are not a certificate of this cluster; the sentence says why."""


class Trust(Protocol):
    """Signing and checking, passed into the cores."""

    own: Certificate

    def sign(self, message: bytes) -> bytes:
        """Our signature (64 bytes) over a message."""

    def verify(self, certificate: Certificate, message: bytes, signature: bytes) -> bool:
        """True when the certificate's key made this signature over this message."""

    def read_certificate_untrusted(self, der: bytes) -> Certificate:
        """The certificate in these bytes, proved to chain to the root; CertificateError if not.

        Dates are not looked at: no validity test reads the receiver's clock.
        """


class CertificateBook:
    """Every certificate heard of, by serial and by node; add-once, kept for ever."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.by_serial: dict[bytes, Certificate] = {}
        self.by_node: dict[NodeId, Certificate] = {}
        self.add(trust.own)

    def add(self, certificate: Certificate) -> bool:
        """Keep it; False when it was here already."""
        if certificate.serial in self.by_serial:
            return False
        self.by_serial[certificate.serial] = certificate
        known = self.by_node.get(certificate.node)
        if known is None or (known.not_after_ms, known.serial) < (
            certificate.not_after_ms,
            certificate.serial,
        ):
            self.by_node[certificate.node] = certificate
        return True
