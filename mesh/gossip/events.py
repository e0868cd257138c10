"""What happens to gossip, and what gossip asks for: values, no behaviour.

Inputs are past-tense facts, effects are imperatives. Times are `Instant.monotonic_s` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from scheduler.ids import Digest, NodeId

LinkId = NewType("LinkId", int)
"""One authenticated stream to a peer, numbered by the shell, never reused in a boot."""


class PeerState(IntEnum):
    """What this node hears of a member; the order is SWIM's precedence within one incarnation."""

    ALIVE = 0
    SUSPECT = 1
    UNREACHABLE = 2
    LEFT = 3


# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """Both sides proved their certificates and said hello; `dialled` when we opened it."""

    link: LinkId
    peer: NodeId
    dialled: bool
    address: str
    """HOST:PORT that was dialled, or the far end of an accepted link."""
    certificate: bytes
    """The peer's certificate, DER, already proved by the handshake."""


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The stream ended; with a goodbye it was meant."""

    link: LinkId
    goodbye: bool


@dataclass(frozen=True, slots=True)
class DialFailed:
    """Nobody answered at this address; `refused` when a host said no (its process is not there)."""

    address: str
    refused: bool


@dataclass(frozen=True, slots=True)
class AddressHeard:
    """A hint where a member may be: mDNS, `--peer`, or the disk. Never membership by itself."""

    address: str
    node: NodeId | None


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """One frame body of a link, as it came."""

    link: LinkId
    data: bytes


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer came due. `due_s` is when it should have: a late loop discounts its lateness."""

    token: tuple[str, ...]
    due_s: float


GossipEvent = LinkOpened | LinkClosed | DialFailed | AddressHeard | MessageReceived | TimerFired


# --- effects performed by the shell -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Put one frame on a link; `bulk` frames go after the others."""

    link: LinkId
    data: bytes
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a stream to an address; the answer is LinkOpened or DialFailed."""

    address: str


@dataclass(frozen=True, slots=True)
class CloseLink:
    """End a link; the reason is for people."""

    link: LinkId
    reason: str


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Wake me at this monotonic second with this token; a second start of a token replaces it."""

    token: tuple[str, ...]
    at_s: float


# --- what gossip tells the member ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnvelopesArrived:
    """Envelopes as their authors made them, from a peer's direct send or from a pull."""

    link: LinkId
    envelopes: tuple[bytes, ...]
    bulk: bool


@dataclass(frozen=True, slots=True)
class BlobsArrived:
    """Specs and small modules pushed or pulled beside envelopes."""

    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BlobsWanted:
    """A peer asks for blobs by digest; the member answers with those that it holds."""

    link: LinkId
    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class PullAsked:
    """A peer asks for an author's envelopes from a seq on; the ledger answers in windows."""

    link: LinkId
    author: NodeId
    epoch: int
    from_seq: int


@dataclass(frozen=True, slots=True)
class PeerChanged:
    """A member's state as this node hears it has changed."""

    peer: NodeId
    state: PeerState
    process_dead: bool = False
    """True when refused dials show that its process is gone while its host lives."""


@dataclass(frozen=True, slots=True)
class RegisterChanged:
    """A member's register has a newer value; `payload` is its CBOR."""

    peer: NodeId
    kind: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class CertificateLearned:
    """A certificate not known before; the member persists it and tries what waited for it."""

    der: bytes


GossipEffect = (
    Send
    | Dial
    | CloseLink
    | StartTimer
    | EnvelopesArrived
    | BlobsArrived
    | BlobsWanted
    | PullAsked
    | PeerChanged
    | RegisterChanged
    | CertificateLearned
)
