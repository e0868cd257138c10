"""The golden vectors: what other implementations check themselves against, built again here."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mesh.ledger.envelope import NO_HASH, decode_untrusted, encode_envelope, is_signed
from mesh.ledger.log import EnvelopeLog
from mesh.trust import ROLES, Certificate
from scheduler.ids import node_id_from_key
from scheduler.records import Kind, Record, decode_record_untrusted, encode_record
from tests.mesh.ledger.samples import every_kind

FIXTURE = Path(__file__).parents[2] / "fixtures" / "golden_vectors.json"
PRIVATE_KEY = bytes(range(32))
EPOCH = 1_800_000_000_000 << 16 | 0x1234
RUNS = ((0, 1), (1, 9), (9, 15), (15, 16))
"""Which of the records each of the envelopes holds."""


class SigningTrust:
    """Real Ed25519 under a fixed key."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(PRIVATE_KEY)
        public_key = self._key.public_key().public_bytes_raw()
        self.own = Certificate(
            serial=bytes(range(16, 32)),
            node=node_id_from_key(public_key),
            public_key=public_key,
            exchange_key=bytes(32),
            roles=ROLES,
            labels=(),
            not_before_ms=0,
            not_after_ms=0,
            der=b"",
        )

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def verify(self, certificate: Certificate, message: bytes, signature: bytes) -> bool:
        Ed25519PublicKey.from_public_bytes(certificate.public_key).verify(signature, message)
        return True

    def read_certificate_untrusted(self, der: bytes) -> Certificate:
        raise NotImplementedError


def golden_vectors() -> dict[str, object]:
    trust = SigningTrust()
    records = every_kind(trust.own.node, EPOCH)
    log = EnvelopeLog()
    envelopes = []
    previous = NO_HASH
    for first, end in RUNS:
        stored = encode_envelope(
            trust,
            epoch=EPOCH,
            first_seq=first + 1,
            previous=previous,
            records=[encode_record(record) for record in records[first:end]],
        )
        log.append(stored)
        envelopes.append(
            {
                "first_seq": stored.first_seq,
                "count": stored.count,
                "hash": stored.hash.hex(),
                "envelope": stored.data.hex(),
            }
        )
        previous = stored.hash
    return {
        "private_key": PRIVATE_KEY.hex(),
        "public_key": trust.own.public_key.hex(),
        "node": trust.own.node,
        "serial": trust.own.serial.hex(),
        "epoch": EPOCH,
        "records": {
            Kind(record.kind).name.lower(): encode_record(record).hex() for record in records
        },
        "envelopes": envelopes,
        "document": log.document().hex(),
    }


def test_the_vectors_are_built_again_byte_for_byte() -> None:
    assert golden_vectors() == json.loads(FIXTURE.read_text())


def test_the_vectors_are_read_back() -> None:
    vectors = json.loads(FIXTURE.read_text())
    trust = SigningTrust()
    assert set(vectors["records"]) == {kind.name.lower() for kind in Kind}
    expected = every_kind(trust.own.node, EPOCH)
    read: list[Record] = []
    for one in vectors["envelopes"]:
        envelope = decode_untrusted(bytes.fromhex(one["envelope"]))
        assert is_signed(envelope, trust.own, trust)
        read.extend(decode_record_untrusted(record) for record in envelope.records)
    assert read == expected
