"""What an author may say: the rules that make a proved envelope void, the same on every node.

They rest on the envelope and on the certificate that it names, never on a clock, on what else is
held, or on this release's taste: two nodes that disagreed would fold different states for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from mesh.ledger.envelope import Envelope
from mesh.trust import ROLES, Certificate
from scheduler.ids import Dot, NodeId
from scheduler.records import Kind, Record, RecordError, decode_record_untrusted

NumberedRecords = tuple[tuple[Dot, Record], ...]


class Void(str, Enum):
    """Why nobody folds an envelope that its author signed."""

    COUNT = "count"
    RECORD = "record"
    CERTIFICATE = "certificate"
    ROLE = "role"
    EPOCH_OPENED = "epoch_opened"


@dataclass(frozen=True, slots=True)
class Writers:
    """Who may write a kind: one of these roles, or whoever its field `about` names."""

    roles: tuple[str, ...]
    about: str | None = None


ROLE_SETS_CACHED = 64
"""Two to the number of roles, and orders that nobody writes them in."""
EVERY_MEMBER = Writers(ROLES)
_DOORS = Writers(("submit", "orchestrate"))

WRITERS: Mapping[Kind, Writers] = {
    Kind.EPOCH_OPENED: EVERY_MEMBER,
    Kind.JOB_CREATED: _DOORS,
    Kind.VERSION_ADDED: _DOORS,
    Kind.STOP_REQUESTED: _DOORS,
    Kind.OWNER_CLAIMED: Writers(("orchestrate",)),
    Kind.ATTEMPT_PLACED: Writers(("orchestrate",), about="node"),
    Kind.ATTEMPT_STOP_REQUESTED: Writers(("orchestrate",)),
    Kind.ATTEMPT_OBSERVED: Writers(("compute",)),
    Kind.PURGED: Writers(("orchestrate",), about="author"),
    Kind.CHECKPOINT_BEGUN: EVERY_MEMBER,
    Kind.CHECKPOINT_ENDED: EVERY_MEMBER,
    Kind.CERTIFICATE_ISSUED: Writers(("admit",)),
    Kind.MEMBER_REVOKED: Writers(("admin",)),
    Kind.MEMBER_RETIRED: Writers(("admin", "orchestrate"), about="node"),
    Kind.NODE_INTENT: Writers(("admin", "admit"), about="node"),
    Kind.JOB_EXPIRED: Writers(("orchestrate",)),
}


_ABOUT: Mapping[int, str | None] = {kind: writers.about for kind, writers in WRITERS.items()}


def may_write(author: NodeId, roles: tuple[str, ...], record: Record) -> bool:
    """True when an author with these roles may write this record; unknown kinds are anyone's."""
    if record.kind not in _ABOUT or record.kind in _kinds_of(roles):
        return True
    about = _ABOUT[record.kind]
    return about is not None and record.body[about] == author


@lru_cache(ROLE_SETS_CACHED)
def _kinds_of(roles: tuple[str, ...]) -> frozenset[int]:
    """What these roles alone allow; certificates hold few different ones."""
    return frozenset(
        kind
        for kind, writers in WRITERS.items()
        if writers is EVERY_MEMBER or any(role in roles for role in writers.roles)
    )


def read_records(envelope: Envelope, certificate: Certificate) -> NumberedRecords | Void:
    """The records of a proved envelope with their dots, or why it is void.

    `certificate` is the one that the envelope names. Records of kinds that this release does not
    know are passed over: nobody here may act on them (P38).
    """
    stored = envelope.stored
    if certificate.node != stored.author:
        return Void.CERTIFICATE
    if len(envelope.records) != stored.count:
        return Void.COUNT
    numbered = []
    for seq, data in enumerate(envelope.records, start=stored.first_seq):
        try:
            record = decode_record_untrusted(data)
        except RecordError:
            return Void.RECORD
        if (record.kind == Kind.EPOCH_OPENED) != (seq == 1):
            return Void.EPOCH_OPENED
        if not may_write(stored.author, certificate.roles, record):
            return Void.ROLE
        if record.kind in _ABOUT:
            numbered.append((Dot(stored.author, stored.epoch, seq), record))
    return tuple(numbered)
