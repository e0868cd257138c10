"""A `Trust` without cryptography, for speed: a signature is a hash that needs only the public key.

It tells who signed what, and a changed byte from an unchanged one. That keys hold is not simulated.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mesh.trust import ROLES, Certificate, CertificateError
from scheduler import cbor
from scheduler.ids import node_id_from_key

LIFE_MS = 366 * 86_400_000
MAX_CERTIFICATE_BYTES = 4096
_CLUSTER = "simulated cluster"


def issue(name: str, *, not_before_ms: int, roles: tuple[str, ...] = ROLES) -> Certificate:
    """The certificate of a simulated machine; its keys follow from its name."""
    public_key = hashlib.sha256(b"key of " + name.encode()).digest()
    not_after_ms = not_before_ms + LIFE_MS
    fields = [
        _CLUSTER,
        hashlib.sha256(b"serial " + public_key + bytes([len(roles)])).digest()[:16],
        public_key,
        hashlib.sha256(b"exchange " + public_key).digest(),
        list(roles),
        not_before_ms,
        not_after_ms,
    ]
    return read_certificate_untrusted(cbor.encode(fields))


def read_certificate_untrusted(der: bytes) -> Certificate:
    """The certificate in these bytes; CertificateError when no simulated cluster issued it."""
    try:
        fields = cbor.decode_untrusted(der, max_bytes=MAX_CERTIFICATE_BYTES)
        cluster, serial, public_key, exchange_key, roles, not_before_ms, not_after_ms = fields
    except (cbor.CborError, TypeError, ValueError) as error:
        raise CertificateError(f"not a simulated certificate: {error}") from error
    if cluster != _CLUSTER:
        raise CertificateError("another cluster's certificate")
    return Certificate(
        serial=serial,
        node=node_id_from_key(public_key),
        public_key=public_key,
        exchange_key=exchange_key,
        roles=tuple(roles),
        labels=(),
        not_before_ms=not_before_ms,
        not_after_ms=not_after_ms,
        der=der,
    )


@dataclass(frozen=True, slots=True)
class SimulatedTrust:
    """What one simulated machine signs and proves with."""

    own: Certificate

    def sign(self, message: bytes) -> bytes:
        """64 bytes that nobody makes by accident."""
        return _signature(self.own, message)

    def verify(self, certificate: Certificate, message: bytes, signature: bytes) -> bool:
        """Whether that certificate's holder signed that message."""
        return signature == _signature(certificate, message)

    def read_certificate_untrusted(self, der: bytes) -> Certificate:
        """The certificate in these bytes; CertificateError when no simulated cluster issued it."""
        return read_certificate_untrusted(der)


def _signature(certificate: Certificate, message: bytes) -> bytes:
    return hashlib.sha256(certificate.public_key + message).digest() * 2
