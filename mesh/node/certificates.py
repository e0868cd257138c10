"""Certificates: one X.509 a node, for TLS and ledger alike, our claims in one extension.

Two libraries disagree about odd signatures, and replicas would: `cryptography` alone checks
them all.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mesh.trust import ROLES, Certificate, CertificateError
from scheduler import cbor
from scheduler.ids import NodeId, node_id_from_bytes, node_id_from_key, node_id_to_bytes

CLAIMS_OID = x509.ObjectIdentifier("2.25.212706284160949377301934206351288041573")
"""Our claims: an OID below 2.25, where a random UUID needs no registry."""
CLAIMS_VERSION = 1
MAX_CERTIFICATE_BYTES = 8 * 1024
"""Half an envelope, which may have to carry one."""
SERIAL_BYTES = 16
DAY_MS = 24 * 3600 * 1000
LIFE_MS = 365 * DAY_MS
ADMIT_LIFE_MS = 5 * LIFE_MS
"""Members that admit others must outlive those they admit."""
BACKDATED_MS = DAY_MS
"""A peer whose clock is a day behind must not find a certificate of tomorrow."""
_ROOT_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bacalhau-mesh root")])
_ROOT_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_ROOT_UNTIL = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)
_ROOT_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_ED25519_SIGNATURE = bytes.fromhex("300506032b6570034100")
"""DER: the algorithm, and the head of a bit string of 64 bytes."""
_FIELD_PRIME = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _FIELD_PRIME - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


@dataclass(frozen=True, slots=True)
class ClusterRoot:
    """The root of one cluster. `private_key` is None on a node that may not sign for it."""

    der: bytes
    public_key: bytes
    private_key: Ed25519PrivateKey | None

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that name the cluster: the SHA-256 of the root's public key."""
        return hashlib.sha256(self.public_key).hexdigest()


def root_from_seed(seed: bytes) -> ClusterRoot:
    """The root of a 32-byte seed: the same bytes, certificate included, on every machine."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_ROOT_NAME)
        .issuer_name(_ROOT_NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_ROOT_FROM)
        .not_valid_after(_ROOT_UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_ROOT_USAGE, critical=True)
        .sign(key, None)
    )
    public = key.public_key().public_bytes_raw()
    return ClusterRoot(certificate.public_bytes(Encoding.DER), public, key)


def root_from_der(der: bytes) -> ClusterRoot:
    """A root known by its certificate alone; CertificateError when the bytes are none."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        if not isinstance(key, Ed25519PublicKey):
            raise CertificateError("the root's key is not Ed25519")
        key.verify(certificate.signature, certificate.tbs_certificate_bytes)
    except (ValueError, InvalidSignature) as error:
        raise CertificateError(f"not a root certificate: {error}") from error
    return ClusterRoot(der, key.public_bytes_raw(), None)


def make_certificate(
    root: ClusterRoot,
    *,
    public_key: bytes,
    exchange_key: bytes,
    roles: tuple[str, ...],
    labels: tuple[tuple[str, str], ...],
    now_ms: int,
    serial: bytes,
) -> bytes:
    """A certificate (DER) for a node, signed by the root; ValueError when the root is not ours."""
    if root.private_key is None:
        raise ValueError("this node does not hold the cluster's root key")
    node = node_id_from_key(public_key)
    claims = cbor.encode(
        {
            0: CLAIMS_VERSION,
            1: node_id_to_bytes(node),
            2: exchange_key,
            3: list(roles),
            4: dict(labels),
        }
    )
    life_ms = ADMIT_LIFE_MS if "admit" in roles else LIFE_MS
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)]))
        .issuer_name(_ROOT_NAME)
        .public_key(Ed25519PublicKey.from_public_bytes(public_key))
        .serial_number(int.from_bytes(serial, "big"))
        .not_valid_before(_date(now_ms - BACKDATED_MS))
        .not_valid_after(_date(now_ms + life_ms))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.UnrecognizedExtension(CLAIMS_OID, claims), critical=False)
        .sign(root.private_key, None)
    )
    return certificate.public_bytes(Encoding.DER)


def read_certificate_untrusted(der: bytes, root: ClusterRoot) -> Certificate:
    """The certificate in these bytes, proved to be the root's; CertificateError if not.

    Dates are read, not judged: only sessions look at them.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(f"{len(der)} bytes are too many for a certificate")
    try:
        return _read(x509.load_der_x509_certificate(der), root, der)
    except CertificateError:
        raise
    except InvalidSignature as error:
        raise CertificateError("not signed by this cluster's root") from error
    except Exception as error:  # the parser raises a family of its own for odd DER
        raise CertificateError(f"not a certificate: {error}") from error


def _read(certificate: x509.Certificate, root: ClusterRoot, der: bytes) -> Certificate:
    Ed25519PublicKey.from_public_bytes(root.public_key).verify(
        certificate.signature, certificate.tbs_certificate_bytes
    )
    key = certificate.public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise CertificateError("the node's key is not Ed25519")
    public_key = key.public_bytes_raw()
    if is_weak_key(public_key):
        raise CertificateError("the node's key is a point of small order")
    extension = certificate.extensions.get_extension_for_oid(CLAIMS_OID).value
    assert isinstance(extension, x509.UnrecognizedExtension)
    node, exchange_key, roles, labels = _read_claims(extension.value)
    if node != node_id_from_key(public_key):
        raise CertificateError("the node id is not that of the key")
    if not 0 < certificate.serial_number < 1 << (8 * SERIAL_BYTES - 1):
        raise CertificateError("the serial is not 16 bytes")
    if der != _only_encoding(certificate):
        raise CertificateError("bytes around the signed part that its signer did not write")
    return Certificate(
        serial=certificate.serial_number.to_bytes(SERIAL_BYTES, "big"),
        node=node,
        public_key=public_key,
        exchange_key=exchange_key,
        roles=roles,
        labels=labels,
        not_before_ms=_milliseconds(certificate.not_valid_before_utc),
        not_after_ms=_milliseconds(certificate.not_valid_after_utc),
        der=der,
    )


def _only_encoding(certificate: x509.Certificate) -> bytes:
    """What is not signed (lengths, the outer algorithm) has one form, or one certificate would
    have many encodings: replicas keep and hash these bytes."""
    body = certificate.tbs_certificate_bytes + _ED25519_SIGNATURE + certificate.signature
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body


def _read_claims(
    data: bytes,
) -> tuple[NodeId, bytes, tuple[str, ...], tuple[tuple[str, str], ...]]:
    try:
        claims = cbor.decode_untrusted(data, max_bytes=MAX_CERTIFICATE_BYTES)
    except cbor.CborError as error:
        raise CertificateError(f"claims: {error}") from error
    if type(claims) is not dict or claims.get(0) != CLAIMS_VERSION:
        raise CertificateError("claims of a version that this release does not know")
    node, exchange_key, roles, labels = (claims.get(number) for number in (1, 2, 3, 4))
    if type(node) is not bytes or len(node) != 16:
        raise CertificateError("claims: the node id is not 16 bytes")
    if type(exchange_key) is not bytes or len(exchange_key) != 32:
        raise CertificateError("claims: the exchange key is not 32 bytes")
    if not _exchanges(exchange_key):
        raise CertificateError("claims: the exchange key is a point of small order")
    if type(roles) is not list or any(role not in ROLES for role in roles):
        raise CertificateError(f"claims: roles are not among {', '.join(ROLES)}")
    if type(labels) is not dict or not all(
        type(text) is str for pair in labels.items() for text in pair
    ):
        raise CertificateError("claims: labels are not a map of texts")
    return node_id_from_bytes(node), exchange_key, tuple(roles), tuple(sorted(labels.items()))


def is_weak_key(public_key: bytes) -> bool:
    """True for an Ed25519 key of small order, in any of its encodings: such keys sign anything."""
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    return y >= _FIELD_PRIME or y in _SMALL_ORDER_Y


def _exchanges(exchange_key: bytes) -> bool:
    try:
        X25519PrivateKey.from_private_bytes(b"\x01" * 32).exchange(
            X25519PublicKey.from_public_bytes(exchange_key)
        )
    except ValueError:
        return False
    return True


def _date(wall_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(wall_ms // 1000, tz=datetime.UTC)


def _milliseconds(date: datetime.datetime) -> int:
    return int(date.timestamp()) * 1000
