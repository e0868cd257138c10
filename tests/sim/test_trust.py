from __future__ import annotations

import pytest

from mesh.trust import CertificateError
from scheduler import cbor
from sim.trust import SimulatedTrust, issue

A, B = issue("a", not_before_ms=1), issue("b", not_before_ms=1)


def test_certificate_reads_back() -> None:
    assert SimulatedTrust(A).read_certificate_untrusted(B.der) == B
    assert A.node != B.node
    assert len(A.serial) == 16


@pytest.mark.parametrize(
    "der",
    [b"", b"\xff", cbor.encode([1]), cbor.encode(7), B.der.replace(b"simulated", b"somebody5")],
)
def test_other_bytes_are_no_certificate(der: bytes) -> None:
    with pytest.raises(CertificateError):
        SimulatedTrust(A).read_certificate_untrusted(der)


def test_a_signature_proves_who_and_what() -> None:
    signature = SimulatedTrust(A).sign(b"word")
    reader = SimulatedTrust(B)
    assert len(signature) == 64
    assert reader.verify(A, b"word", signature)
    assert not reader.verify(B, b"word", signature)
    assert not reader.verify(A, b"ward", signature)
