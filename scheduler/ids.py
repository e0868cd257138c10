"""Names of things: nodes, jobs, attempts, dots, digests; text for people, bytes on the wire."""

from __future__ import annotations

import base64
import hashlib
import uuid
from functools import lru_cache
from random import Random
from typing import NamedTuple, NewType

from scheduler import cbor

NodeId = NewType("NodeId", str)
"""`n-` and 26 characters of lower-case base32: the first 16 bytes of the public key's SHA-256."""
JobId = NewType("JobId", str)
"""`j-` and 16 bytes in UUID form."""
AttemptId = NewType("AttemptId", str)
"""`e-` and 16 bytes in UUID form (Bacalhau's execution id)."""
Digest = NewType("Digest", str)
"""A SHA-256 in 64 lower-case hexadecimal digits: the address of a blob."""

ID_BYTES = 16
IDS_CACHED = 2048
"""Every record names a job and nodes: each id is translated once or twice, not once a record. It
comes back within the seconds in which its job runs; kept longer it is 300 bytes for nothing."""


class Dot(NamedTuple):
    """The place of one record: its author, the author's epoch, and its number in it, from 1."""

    author: NodeId
    epoch: int
    seq: int


def node_id_from_key(public_key: bytes) -> NodeId:
    """The id that belongs to a node's public key (32 bytes, Ed25519)."""
    return node_id_from_bytes(hashlib.sha256(public_key).digest()[:ID_BYTES])


@lru_cache(IDS_CACHED)
def node_id_from_bytes(raw: bytes) -> NodeId:
    """Text form of 16 wire bytes."""
    return NodeId("n-" + base64.b32encode(raw).decode("ascii").rstrip("=").lower())


@lru_cache(IDS_CACHED)
def node_id_to_bytes(node: NodeId) -> bytes:
    """16 wire bytes of a node id; ValueError when the text is not one."""
    if not node.startswith("n-") or len(node) != 28:
        raise ValueError(f"{node!r} is not a node id")
    return base64.b32decode(node[2:].upper() + "======")


@lru_cache(IDS_CACHED)
def job_id_from_bytes(raw: bytes) -> JobId:
    """Text form of 16 wire bytes."""
    return JobId("j-" + str(uuid.UUID(bytes=raw)))


@lru_cache(IDS_CACHED)
def attempt_id_from_bytes(raw: bytes) -> AttemptId:
    """Text form of 16 wire bytes."""
    return AttemptId("e-" + str(uuid.UUID(bytes=raw)))


@lru_cache(IDS_CACHED)
def uuid_bytes(identifier: str) -> bytes:
    """16 wire bytes of a job or attempt id; ValueError when the text is not one."""
    return uuid.UUID(identifier[2:]).bytes


def named_job_id(namespace: str, name: str) -> JobId:
    """One name made on two sides of a split is one job (P19)."""
    return _hashed_job_id(["name", namespace, name])


def keyed_job_id(namespace: str, submitter: str, key: str) -> JobId:
    """One submission sent to two nodes under one idempotency key is one job (P18)."""
    return _hashed_job_id(["key", namespace, submitter, key])


def random_job_id(random: Random) -> JobId:
    """An id for a job with neither a name of its own nor a key."""
    return job_id_from_bytes(random.randbytes(ID_BYTES))


def random_attempt_id(random: Random) -> AttemptId:
    """An id for an attempt that an owner places."""
    return attempt_id_from_bytes(random.randbytes(ID_BYTES))


def blob_digest(data: bytes) -> Digest:
    """The address of these bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def _hashed_job_id(parts: list[str]) -> JobId:
    return job_id_from_bytes(hashlib.sha256(cbor.encode(parts)).digest()[:ID_BYTES])
