"""One machine's disk, and the drive that takes its time over each write.

A write is one transaction: after a power cut it is there as a whole or not at all. What was being
written when the process died is lost, unless the drive had finished and only the news was lost. An
old copy of a disk may be put back: then its last transactions are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

from mesh.ledger.ledger import StoredEnvelope
from mesh.member.events import Persist, Restored
from scheduler.ids import Digest, NodeId
from sim.clock import Clock


class Boundary(Enum):
    """Where in a write its process dies."""

    BEFORE = "before the write"
    AFTER = "after the write, before the news of it"


@dataclass(frozen=True, slots=True)
class DriveSettings:
    """How long writes take, in seconds; most are quick, some wait behind others."""

    quick_s: float = 0.0002
    """Measured on a quiet disk: 0.15 to 0.2 ms a flush."""
    slow_s: float = 0.02
    """Measured on a busy one: 4 ms and more."""
    slow_share: float = 0.05


class Disk:
    """What was flushed, in the order in which it was."""

    def __init__(self) -> None:
        self._envelopes: dict[tuple[NodeId, int, int], StoredEnvelope] = {}
        self._blobs: dict[Digest, bytes] = {}
        self._certificates: dict[bytes, bytes] = {}
        self._peers: dict[str, tuple[str, ...]] = {}
        self._written: list[Persist] = []

    def write(self, persist: Persist) -> None:
        """One transaction."""
        self._written.append(persist)
        for one in persist.envelopes:
            self._envelopes.setdefault((one.author, one.epoch, one.first_seq), one)
        self._blobs |= dict(persist.blobs)
        self._certificates |= dict(persist.certificates)
        self._peers |= dict(persist.peers)

    def roll_back(self, writes: int) -> None:
        """It holds what it held so many transactions ago."""
        kept = self._written[: max(0, len(self._written) - writes)]
        for held in (self._envelopes, self._blobs, self._certificates, self._peers):
            held.clear()
        self._written = []
        for persist in kept:
            self.write(persist)

    def written(self) -> tuple[Persist, ...]:
        """Every transaction that it holds, in order."""
        return tuple(self._written)

    def read_blob(self, digest: Digest) -> bytes | None:
        """A small blob, if it is here."""
        return self._blobs.get(digest)

    def restored(self) -> Restored:
        """What a process that starts now finds."""
        return Restored(
            envelopes=tuple(self._envelopes.values()),
            blobs=dict(self._blobs),
            certificates=tuple(self._certificates.values()),
            peers=tuple(self._peers.items()),
        )


class Drive:
    """Writes one after another; tells when each is done, or dies where it was told to."""

    def __init__(
        self,
        *,
        clock: Clock,
        random: Random,
        settings: DriveSettings,
        written: Callable[[Persist], None],
        flushed: Callable[[int], None],
        crash: Callable[[], None],
    ) -> None:
        self.disk = Disk()
        self._clock = clock
        self._random = random
        self._settings = settings
        self._written = written
        self._flushed = flushed
        self._crash = crash
        self._process = 0
        self._armed: tuple[Boundary, int] | None = None

    def persist(self, persist: Persist) -> None:
        """Begin a write."""
        process, boundary = self._process, self._boundary()
        if boundary is Boundary.BEFORE:
            self._clock.after(0.0, lambda: self._die(process))
            return
        slow = self._random.random() < self._settings.slow_share
        mean_s = self._settings.slow_s if slow else self._settings.quick_s
        wait_s = self._random.uniform(0.5, 1.5) * mean_s
        self._clock.after(wait_s, lambda: self._finish(process, persist, boundary))

    def arm(self, boundary: Boundary, writes: int) -> None:
        """Let the process die at this boundary of its `writes`-th write from now on."""
        self._armed = (boundary, writes)

    def disarm(self) -> None:
        """Let nothing die any more."""
        self._armed = None

    def lose(self) -> None:
        """The process is gone: what it had begun to write is not written."""
        self._process += 1

    def _boundary(self) -> Boundary | None:
        if self._armed is None:
            return None
        boundary, writes = self._armed
        self._armed = (boundary, writes - 1) if writes > 1 else None
        return boundary if writes <= 1 else None

    def _finish(self, process: int, persist: Persist, boundary: Boundary | None) -> None:
        if process != self._process:
            return
        self.disk.write(persist)
        self._written(persist)
        if boundary is None:
            self._flushed(persist.token)
        else:
            self._crash()

    def _die(self, process: int) -> None:
        if process == self._process:
            self._crash()
