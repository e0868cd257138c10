"""Records, logs and ledgers that the tests of this room share."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.ledger.envelope import NO_HASH, encode_envelope
from mesh.ledger.ledger import Ledger, Received, StoredEnvelope
from mesh.trust import ROLES
from scheduler.ids import (
    Dot,
    NodeId,
    attempt_id_from_bytes,
    blob_digest,
    job_id_from_bytes,
    node_id_from_bytes,
)
from scheduler.instant import Hlc, Instant
from scheduler.records import Kind, Record, encode_record
from tests.mesh.trust_stub import StubTrust, stub_book, stub_certificate

NOW = Instant(0.0, 1_800_000_000_000)
JOB = job_id_from_bytes(bytes([0x10] * 16))
ATTEMPT = attempt_id_from_bytes(bytes([0x20] * 16))
OTHER = node_id_from_bytes(bytes([0x30] * 16))
SPEC = blob_digest(b"spec")


def every_kind(author: NodeId, epoch: int) -> list[Record]:
    """One record of each kind, all of its fields given, in the order of kinds."""
    bodies = {
        **_bodies_of_a_log(author, epoch),
        **_bodies_of_a_job(author, epoch),
        **_bodies_of_an_attempt(author, epoch),
        **_bodies_about_nodes(epoch),
    }
    first_hlc = NOW.wall_ms << 16
    return [
        Record(
            kind, Hlc(first_hlc + place), None if place else Dot(author, epoch - 1, 7), bodies[kind]
        )
        for place, kind in enumerate(sorted(bodies))
    ]


def _bodies_of_a_log(author: NodeId, epoch: int) -> dict[Kind, dict[str, object]]:
    return {
        Kind.EPOCH_OPENED: {
            "builds_on": ((epoch - 1, 7, blob_digest(b"head")),),
            "version": "0.1.0",
        },
        Kind.PURGED: {"author": author, "epoch": epoch, "births": ((2, 2), (9, 12)), "erase": 1},
        Kind.CHECKPOINT_BEGUN: {"supersedes": ((epoch - 1, 7),)},
        Kind.CHECKPOINT_ENDED: {"count": 3, "digest": blob_digest(b"three records")},
        Kind.CERTIFICATE_ISSUED: {"certificate": b"DER"},
    }


def _bodies_of_a_job(author: NodeId, epoch: int) -> dict[Kind, dict[str, object]]:
    job = {"job": JOB, "birth": Dot(author, epoch, 2)}
    return {
        Kind.JOB_CREATED: {
            "job": JOB,
            "namespace": "default",
            "name": "engine-hours",
            "submitter": "anna",
            "key": "once",
            "spec": SPEC,
            "fold": 1,
        },
        Kind.VERSION_ADDED: {
            **job,
            "number": 1,
            "type": "batch",
            "count": 3,
            "priority": -5,
            "spec": SPEC,
            "seen_stops": (Dot(author, epoch, 4),),
            "retry_attempts": 3,
            "retry_program": 1,
            "execution_timeout_s": 60,
            "queue_timeout_s": 30,
            "total_timeout_s": 90,
            "disconnect": {"ReplaceAfter": "2s"},
            "members": (author, OTHER),
        },
        Kind.STOP_REQUESTED: {**job, "reason": "not needed"},
        Kind.OWNER_CLAIMED: {**job, "term": 1},
        Kind.JOB_EXPIRED: {
            **job,
            "version": Dot(author, epoch, 3),
            "reason": "queue_timeout",
            "elapsed_ms": 30_004,
        },
    }


def _bodies_of_an_attempt(author: NodeId, epoch: int) -> dict[Kind, dict[str, object]]:
    job = {"job": JOB, "birth": Dot(author, epoch, 2)}
    return {
        Kind.ATTEMPT_PLACED: {
            **job,
            "attempt": ATTEMPT,
            "version": Dot(author, epoch, 3),
            "index": 0,
            "number": 1,
            "term": 1,
            "node": OTHER,
            "score": 870,
            "next_best": ((author, -20),),
            "refusals": {"capacity": 2, "input_missing": 1},
            "reasons": {"data": 600, "fit": 270},
        },
        Kind.ATTEMPT_STOP_REQUESTED: {**job, "attempt": ATTEMPT, "reason": "job stopped"},
        Kind.ATTEMPT_OBSERVED: {
            **job,
            "attempt": ATTEMPT,
            "state": 8,
            "reason": "exit_code",
            "message": "ended with 1, which counts as success",
            "exit_code": 1,
            "result": blob_digest(b"manifest"),
            "result_bytes": 70_000,
            "stdout_tail": "41 engines\n",
            "stderr_tail": "",
            "stdout_bytes": 11,
            "stderr_bytes": 0,
            "elapsed_ms": 1_250,
        },
    }


def _bodies_about_nodes(epoch: int) -> dict[Kind, dict[str, object]]:
    return {
        Kind.MEMBER_REVOKED: {"node": OTHER, "cut_off": ((epoch, 4),), "reason": "stolen"},
        Kind.MEMBER_RETIRED: {"node": OTHER, "cut_off": ((epoch, 4),), "reason": "scrapped"},
        Kind.NODE_INTENT: {
            "node": OTHER,
            "number": 1,
            "intent": "drain",
            "reason": "service",
            "deadline_s": 600,
        },
    }


def claim(term: int) -> Record:
    """A small record that any orchestrator may write."""
    birth = Dot(OTHER, 1, 2)
    body = {"job": JOB, "birth": birth, "term": term}
    return Record(Kind.OWNER_CLAIMED, Hlc((NOW.wall_ms << 16) + term), None, body)


def ledger_of(name: str, *others: str, roles: tuple[str, ...] = ROLES) -> Ledger:
    """The ledger of a node that knows the certificates of the others; no epoch is open yet."""
    author, book = stub_book(name, *others, roles=roles)
    return Ledger(book=book, author=author, version="0.1.0")


def written(
    ledger: Ledger, sizes: Sequence[int], *, wall_ms: int = NOW.wall_ms
) -> list[StoredEnvelope]:
    """A new epoch with envelopes of so many claims each; the first holds `epoch_opened` besides."""
    ledger.open_epoch(Instant(0.0, wall_ms), 0)
    envelopes: list[StoredEnvelope] = []
    term = 0
    for size in sizes:
        for _ in range(size):
            term += 1
            ledger.write(claim(term))
        envelopes.extend(ledger.seal())
    return envelopes


def receive(ledger: Ledger, data: bytes) -> Received:
    """One envelope from a peer."""
    return ledger.receive_window_untrusted((data,))


def author_log(name: str = "a", sizes: Sequence[int] = (1, 2, 3, 1)) -> list[StoredEnvelope]:
    return written(ledger_of(name), sizes)


def terms(records: Sequence[tuple[Dot, Record]]) -> list[int]:
    return [record.body["term"] for _, record in records if record.kind == Kind.OWNER_CLAIMED]


def signed(
    records: Sequence[bytes], *, first_seq: int = 1, previous: bytes = NO_HASH, epoch: int = 9
) -> StoredEnvelope:
    return encode_envelope(
        StubTrust(stub_certificate("a")),
        epoch=epoch,
        first_seq=first_seq,
        previous=previous,
        records=records,
    )


def fork_of(log: Sequence[StoredEnvelope], position: int, size: int) -> StoredEnvelope:
    """Another envelope in the place of one of the log's, with so many records."""
    before = log[position - 1]
    return signed(
        [encode_record(claim(900 + number)) for number in range(size)],
        epoch=before.epoch,
        first_seq=before.last_seq + 1,
        previous=before.hash,
    )
