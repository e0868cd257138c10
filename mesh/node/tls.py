"""TLS 1.3 between members: both sides certified by the pinned root, no names, no system roots.

OpenSSL's look at dates is switched off, or a node without a clock battery could never talk;
`session_refusal` is our own rule, applied to the peer's certificate after the handshake.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mesh.node.certificates import DAY_MS
from mesh.node.identity import NodeTrust
from mesh.trust import Certificate

DATE_TOLERANCE_MS = DAY_MS
"""Clocks of machines without a battery are off by hours; a day off is as good as none."""
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME, which Python's ssl has no name for."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """How we dial and how we answer."""

    client: ssl.SSLContext
    server: ssl.SSLContext


def make_contexts(trust: NodeTrust) -> Contexts:
    """Contexts for this node's certificate; keys pass through memory, never through a file."""
    return Contexts(
        _context(trust, ssl.PROTOCOL_TLS_CLIENT), _context(trust, ssl.PROTOCOL_TLS_SERVER)
    )


def session_refusal(certificate: Certificate, wall_ms: int) -> str | None:
    """Why no session is opened with this certificate now, or None; a day of tolerance."""
    if wall_ms > certificate.not_after_ms + DATE_TOLERANCE_MS:
        return "its certificate has expired: renew it"
    if wall_ms < certificate.not_before_ms - DATE_TOLERANCE_MS:
        return "its certificate begins in the future: one of the two clocks is wrong"
    return None


def _context(trust: NodeTrust, protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(trust.root.der))
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        # A ticket would be written after the handshake, to a peer that may be gone by then.
        context.num_tickets = 0
    key = trust.private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with _memory_file(key + ssl.DER_cert_to_PEM_cert(trust.own.der).encode("ascii")) as path:
        context.load_cert_chain(path)
    return context


@contextmanager
def _memory_file(data: bytes) -> Iterator[str]:
    """A path to bytes that never reach a disk."""
    descriptor = os.memfd_create("bacalhau-mesh-key", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
