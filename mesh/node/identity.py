"""The node's key, the cluster's root, our own certificate: made once, kept in the data folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mesh.node.certificates import (
    SERIAL_BYTES,
    ClusterRoot,
    make_certificate,
    read_certificate_untrusted,
    root_from_der,
    root_from_seed,
)
from mesh.node.errors import NodeError
from mesh.trust import ROLES, Certificate, CertificateError

RENEW_FROM = 1 / 3
"""Renewed from a third of its life on: two thirds of a year remain to find somebody who can."""

SCRYPT_N = 1 << 15
"""About 0.1 s and 32 MiB a guess; a start of the node pays it once."""
_LAB_SALT = b"bacalhau-mesh lab root 1"


class IdentityError(NodeError):
    """A data folder whose keys cannot be used; the sentence says why and what to do."""


def root_from_lab_secret(secret: str) -> ClusterRoot:
    """The root that everybody who knows the secret derives."""
    seed = hashlib.scrypt(
        secret.encode("utf-8"), salt=_LAB_SALT, n=SCRYPT_N, r=8, p=1, maxmem=1 << 27, dklen=32
    )
    return root_from_seed(seed)


def exchange_key_of(node_key: Ed25519PrivateKey) -> X25519PrivateKey:
    """The node's X25519 key, derived from its only stored secret."""
    seed = HKDF(SHA256(), 32, None, b"bacalhau-mesh exchange key 1").derive(
        node_key.private_bytes_raw()
    )
    return X25519PrivateKey.from_private_bytes(seed)


def new_serial() -> bytes:
    """16 random bytes whose first bit is 0 (X.509 serials are positive) and whose first is not."""
    first = (os.urandom(1)[0] & 0x7F) | 0x01
    return bytes([first]) + os.urandom(SERIAL_BYTES - 1)


class NodeTrust:
    """`mesh.trust.Trust` with real keys."""

    def __init__(self, root: ClusterRoot, node_key: Ed25519PrivateKey, own: Certificate) -> None:
        self.root = root
        self.own = own
        self._key = node_key
        self._public_keys: dict[bytes, Ed25519PublicKey] = {}

    def sign(self, message: bytes) -> bytes:
        """Our signature, 64 bytes."""
        return self._key.sign(message)

    def verify(self, certificate: Certificate, message: bytes, signature: bytes) -> bool:
        """True when the certificate's key made this signature over this message."""
        key = self._public_keys.get(certificate.public_key)
        if key is None:
            key = Ed25519PublicKey.from_public_bytes(certificate.public_key)
            self._public_keys[certificate.public_key] = key
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def read_certificate_untrusted(self, der: bytes) -> Certificate:
        """See `read_certificate_untrusted` of this module."""
        return read_certificate_untrusted(der, self.root)

    def private_key(self) -> Ed25519PrivateKey:
        """The node's key, for TLS alone."""
        return self._key


def holds_cluster(data_dir: Path) -> bool:
    """False for a folder that has not been in any cluster yet."""
    return (data_dir / "root.crt").exists()


def open_identity(data_dir: Path, *, lab_secret: str, now_ms: int) -> NodeTrust:
    """The identity that this data folder holds, made where it is not there yet.

    Raises IdentityError when the folder is another cluster's, or a file in it is damaged.
    """
    node_key = _open_key(data_dir / "node.key")
    root = _open_root(data_dir, lab_secret)
    return NodeTrust(
        root, node_key, _open_certificate(data_dir / "node.crt", root, node_key, now_ms)
    )


def _open_root(data_dir: Path, lab_secret: str) -> ClusterRoot:
    kept = data_dir / "root.crt"
    known = _read_file(kept)
    try:
        stored = None if known is None else root_from_der(known)
    except CertificateError as error:
        raise IdentityError(f"{kept} is damaged ({error}); restore it from a copy.") from error
    if lab_secret:
        root = root_from_lab_secret(lab_secret)
    elif stored is None or (data_dir / "root.key").exists():
        root = root_from_seed(_open_key(data_dir / "root.key").private_bytes_raw())
    else:
        return stored
    if stored is not None and stored.public_key != root.public_key:
        raise IdentityError(
            f"{data_dir} belongs to cluster {stored.fingerprint[:12]}, not to "
            f"{root.fingerprint[:12]}; give its own secret, or another --data-dir."
        )
    if stored is None:
        write_file(kept, root.der, mode=0o644)
    return root


def _open_key(path: Path) -> Ed25519PrivateKey:
    """A key kept as 64 hexadecimal digits; made when it is not there."""
    kept = _read_file(path)
    if kept is None:
        key = Ed25519PrivateKey.generate()
        write_file(path, key.private_bytes_raw().hex().encode() + b"\n", mode=0o600)
        return key
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(kept.decode("ascii").strip()))
    except ValueError as error:
        raise IdentityError(f"{path} is not a key; restore it, or use a new --data-dir.") from error


def _open_certificate(
    path: Path, root: ClusterRoot, node_key: Ed25519PrivateKey, now_ms: int
) -> Certificate:
    """The kept one while it fits; else a new one, which only a holder of the root can make."""
    public_key = node_key.public_key().public_bytes_raw()
    kept = _read_file(path)
    own: Certificate | None = None
    if kept is not None:
        try:
            own = read_certificate_untrusted(kept, root)
        except CertificateError:
            own = None
        if own is not None and own.public_key != public_key:
            own = None
    if own is not None and (root.private_key is None or not _renew(own, now_ms)):
        return own
    if root.private_key is None:
        raise IdentityError(
            f"{path.parent} holds no certificate of cluster {root.fingerprint[:12]} for its key; "
            "start once with the secret (--lab) that the cluster was made with."
        )
    der = make_certificate(
        root,
        public_key=public_key,
        exchange_key=exchange_key_of(node_key).public_key().public_bytes_raw(),
        roles=ROLES,
        labels=(),
        now_ms=now_ms,
        serial=new_serial(),
    )
    write_file(path, der, mode=0o644)
    return read_certificate_untrusted(der, root)


def _renew(certificate: Certificate, now_ms: int) -> bool:
    """True from a third of its life on, and for one that begins after now (a clock set back)."""
    life_ms = certificate.not_after_ms - certificate.not_before_ms
    spent_ms = now_ms - certificate.not_before_ms
    return spent_ms < 0 or spent_ms > life_ms * RENEW_FROM


def write_file(path: Path, data: bytes, *, mode: int) -> None:
    """Write a whole file or nothing: a temporary one, flushed, then renamed."""
    partial = path.with_name(path.name + ".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def _read_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IdentityError(f"{path} cannot be read: {error.strerror}.") from error
