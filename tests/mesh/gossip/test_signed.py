from __future__ import annotations

import pytest

from mesh.gossip.signed import Proof, SignedError, open_untrusted, prove, sign
from mesh.trust import CertificateBook
from scheduler import cbor
from tests.mesh.gossip.solo import CERTIFICATES, node, trust

DOMAIN = b"a test\0"
FIELDS = [1, b"x", "y"]


def _proof(data: bytes, *, domain: bytes = DOMAIN, owner: str = "p1", named: str = "p1") -> Proof:
    book = CertificateBook(trust("own"))
    book.add(CERTIFICATES["p1"])
    statement = open_untrusted(data, max_bytes=1000)
    return prove(book, domain, statement, serial=CERTIFICATES[named].serial, node=node(owner))


def test_a_statement_opens_and_proves() -> None:
    data = sign(trust("p1"), DOMAIN, FIELDS)
    assert open_untrusted(data, max_bytes=1000).fields == FIELDS
    assert _proof(data) is Proof.PROVED


def test_who_did_not_sign_is_not_believed() -> None:
    data = sign(trust("p1"), DOMAIN, FIELDS)
    assert _proof(sign(trust("p2"), DOMAIN, FIELDS)) is Proof.FORGED
    assert _proof(data, domain=b"another\0") is Proof.FORGED
    assert _proof(data, owner="p2") is Proof.FORGED
    assert _proof(data, named="p3") is Proof.UNKNOWN_CERTIFICATE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        cbor.encode([1, 2]),
        cbor.encode([b"\x80"]),
        cbor.encode([b"\x01", bytes(64)]),
        cbor.encode([b"\x80", bytes(63)]),
        cbor.encode([b"\xff", bytes(64)]),
        cbor.encode([b"\x80", bytes(2000)]),
        cbor.encode({1: b"\x80", 2: bytes(64)}),
    ],
    ids=bytes.hex,
)
def test_other_bytes_are_no_statement(data: bytes) -> None:
    with pytest.raises(SignedError):
        open_untrusted(data, max_bytes=1000)
