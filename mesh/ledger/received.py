"""What became of bytes from a peer: values that the ledger gives to its member."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mesh.ledger.envelope import LogKey, StoredEnvelope
from scheduler.ids import Dot, NodeId
from scheduler.records import Record


class Refusal(str, Enum):
    """Why bytes from a peer left no trace but a counter."""

    MALFORMED = "malformed"
    SIGNATURE = "signature"
    HELD_FULL = "held_full"
    WAITING_FULL = "waiting_full"
    FOREIGN_OWN = "foreign_own"
    """Our own current epoch goes on in somebody else's hands."""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of bytes from a peer."""

    appended: tuple[StoredEnvelope, ...] = ()
    """To persist, in order; held ones that now follow are among them, void ones too."""
    records: tuple[tuple[Dot, Record], ...] = ()
    """To fold, in order; void envelopes give none."""
    gap: tuple[NodeId, int, int] | None = None
    """(author, epoch, first seq that is missing): pull it. One at a time; hashes tell the rest."""
    missing_certificate: bytes | None = None
    """Serial to pull; what names it waits."""
    refused: Refusal | None = None
    """Why something of it was not taken; the first reason of several."""
    fork: bool = False
    """The author signed two histories; the second is not kept."""
    foreign_own: bool = False
    """Somebody writes as this node in its current epoch: open a new one."""


@dataclass(slots=True)
class Outcome:
    """What gathers while bytes are looked at."""

    appended: list[StoredEnvelope] = field(default_factory=list)
    records: list[tuple[Dot, Record]] = field(default_factory=list)
    furthest_seqs: dict[LogKey, int] = field(default_factory=dict)
    """The greatest first seq met of each log."""
    missing_certificate: bytes | None = None
    refused: Refusal | None = None
    fork: bool = False
    foreign_own: bool = False
