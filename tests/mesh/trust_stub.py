"""A `Trust` without cryptography: a signature is a hash that only needs the public key.

It proves what the ledger and gossip do with a yes and a no, never that keys hold.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from mesh.trust import ROLES, Certificate, CertificateBook, CertificateError
from scheduler.ids import NodeId, node_id_from_key


def stub_certificate(name: str, roles: tuple[str, ...] = ROLES, issue: int = 1) -> Certificate:
    """The certificate of an imagined node; a new `issue` is a renewal under another serial."""
    public_key = hashlib.sha256(b"key " + name.encode()).digest()
    return Certificate(
        serial=hashlib.sha256(f"serial {name} {issue}".encode()).digest()[:16],
        node=node_id_from_key(public_key),
        public_key=public_key,
        exchange_key=bytes(32),
        roles=roles,
        labels=(),
        not_before_ms=0,
        not_after_ms=issue * 31_536_000_000,
        der=f"{name} {issue}".encode(),
    )


@dataclass
class StubTrust:
    """What one imagined node can prove; certificates are those it was told of."""

    own: Certificate
    issued: dict[bytes, Certificate] = field(default_factory=dict)
    verified: int = 0
    """How many signatures were checked."""

    def sign(self, message: bytes) -> bytes:
        return _signature(self.own, message)

    def verify(self, certificate: Certificate, message: bytes, signature: bytes) -> bool:
        self.verified += 1
        return signature == _signature(certificate, message)

    def read_certificate_untrusted(self, der: bytes) -> Certificate:
        try:
            return self.issued[der]
        except KeyError:
            raise CertificateError("nobody issued this certificate") from None


def stub_book(
    name: str, *others: str, roles: tuple[str, ...] = ROLES
) -> tuple[NodeId, CertificateBook]:
    """A node of this name that knows the certificates of the others."""
    known = [stub_certificate(other) for other in others]
    own = stub_certificate(name, roles)
    book = CertificateBook(StubTrust(own, {one.der: one for one in [own, *known]}))
    for certificate in known:
        book.add(certificate)
    return own.node, book


def _signature(certificate: Certificate, message: bytes) -> bytes:
    half = hashlib.sha256(certificate.public_key + message).digest()
    return half + hashlib.sha256(half).digest()
