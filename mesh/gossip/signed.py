"""Statements that travel with their owner's signature: `[body, signature]`, both byte strings.

The signature stands over the statement's domain and the SHA-256 of the body, so that a signature
made for one kind of statement is worth nothing for another.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Any, NamedTuple

from mesh.trust import CertificateBook, Trust
from scheduler import cbor
from scheduler.ids import NodeId


class SignedError(ValueError):
    """Bytes that are no signed statement of the expected kind."""


class Proof(Enum):
    """What became of the question whether the named node really said this."""

    PROVED = "proved"
    UNKNOWN_CERTIFICATE = "unknown certificate"
    FORGED = "forged"


class Statement(NamedTuple):
    """A signed statement, opened and not yet proved."""

    fields: list[Any]
    body: bytes
    signature: bytes


def sign(trust: Trust, domain: bytes, fields: list[Any]) -> bytes:
    """The statement as it travels."""
    body = cbor.encode(fields)
    return cbor.encode([body, trust.sign(_message(domain, body))])


def open_untrusted(data: bytes, *, max_bytes: int) -> Statement:
    """The fields of a statement; SignedError when these bytes are none."""
    try:
        outer = cbor.decode_untrusted(data, max_bytes=max_bytes)
        if type(outer) is not list or [type(one) for one in outer] != [bytes, bytes]:
            raise SignedError("not a body and a signature")
        body, signature = outer
        fields = cbor.decode_untrusted(body, max_bytes=max_bytes)
    except cbor.CborError as error:
        raise SignedError(str(error)) from error
    if type(fields) is not list or len(signature) != 64:
        raise SignedError("not a list of fields with a signature of 64 bytes")
    return Statement(fields, body, signature)


def prove(
    book: CertificateBook, domain: bytes, statement: Statement, *, serial: bytes, node: NodeId
) -> Proof:
    """Whether the certificate with this serial is the node's and made this signature."""
    certificate = book.by_serial.get(serial)
    if certificate is None:
        return Proof.UNKNOWN_CERTIFICATE
    message = _message(domain, statement.body)
    if certificate.node != node or not book.trust.verify(certificate, message, statement.signature):
        return Proof.FORGED
    return Proof.PROVED


def _message(domain: bytes, body: bytes) -> bytes:
    return domain + hashlib.sha256(body).digest()
