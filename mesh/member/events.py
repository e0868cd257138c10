"""What happens to a member, and what it asks for: the whole contract between cores and shells.

The shell's duties, in order, for every batch of events it takes from the mailbox:

1. Hand each event to `Member.handle(event, now)`; after the batch call `Member.end_tick(now)` once.
2. Perform the effects in the order they come. None of them may block the loop.
3. A `Persist` is handed to the writer thread; when it is on disk, feed back `Flushed(token)`. When
   it failed, throw the member away and build it again from disk: it opens a new epoch. At most one
   `Persist` is out at a time. What must wait for it (sends, answers, starts) the member holds back
   by itself and gives out with `Flushed`: told implies durable (I3).
4. Timers are values: the shell keeps the heap, one timer per token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.gossip.events import CloseLink, Dial, GossipEvent, LinkId, Send, StartTimer
from mesh.ledger.ledger import StoredEnvelope
from runtime.attempt import AttemptEffect, AttemptEvent
from scheduler.ids import AttemptId, Digest
from scheduler.jobs import DataEntry, Resources

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Flushed:
    """The Persist with this token is on disk."""

    token: int


@dataclass(frozen=True, slots=True)
class AttemptReported:
    """The executor tells what happened to an attempt."""

    attempt: AttemptId
    event: AttemptEvent


@dataclass(frozen=True, slots=True)
class CapacityMeasured:
    """What this machine offers; told at start and when it changes."""

    capacity: Resources
    engines: Mapping[str, str]
    """Engine name to version, those that answer now."""
    labels: Mapping[str, str]
    sources: tuple[str, ...]
    publishers: tuple[str, ...]
    images: tuple[str, ...] = ()
    """Of containers, that an engine has; the newest first."""
    load_tenths: int | None = None
    """As in the register."""


@dataclass(frozen=True, slots=True)
class LocalDataScanned:
    """What `--allow-path` offers (64 entries at most) and which roots may be written."""

    entries: tuple[DataEntry, ...]
    writable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlobKept:
    """A blob is now in this node's store (a fetched module, a result)."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A door asks; the answer is an `Answer` with the same token."""

    token: int
    command: Any
    """One of the commands in `mesh.member.commands`."""


MemberEvent = (
    GossipEvent
    | Flushed
    | AttemptReported
    | CapacityMeasured
    | LocalDataScanned
    | BlobKept
    | CommandReceived
)

# --- effects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Persist:
    """Write all of this in one transaction, then say Flushed."""

    token: int
    envelopes: tuple[StoredEnvelope, ...] = ()
    blobs: tuple[tuple[Digest, bytes], ...] = ()
    """Specs and small modules (1 MiB together with their job)."""
    certificates: tuple[tuple[bytes, bytes], ...] = ()
    """(serial, DER)."""
    peers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Members and the addresses they were last heard at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door gets for its command: a noun of `mesh.member.commands`, never an exception."""

    token: int
    answer: Any


@dataclass(frozen=True, slots=True)
class SendBlobs:
    """Read these blobs (specs, small modules) from the disk and send those that are here."""

    link: LinkId
    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class RunAttempt:
    """An effect of an attempt's core, for the executor."""

    attempt: AttemptId
    effect: AttemptEffect


@dataclass(frozen=True, slots=True)
class Changed:
    """Something people watch has changed: the ids of what has, for the live feed."""

    jobs: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()


MemberEffect = (
    Send | Dial | CloseLink | StartTimer | Persist | SendBlobs | Answer | RunAttempt | Changed
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What the disk held at start, in the order it was written."""

    envelopes: tuple[StoredEnvelope, ...] = ()
    blobs: Mapping[Digest, bytes] = field(default_factory=dict)
    """Specs and small modules; the shell's mapping reads from disk when asked, at start only."""
    certificates: tuple[bytes, ...] = ()
    peers: tuple[tuple[str, tuple[str, ...]], ...] = ()
