"""Envelopes that cannot be taken yet: behind a gap, or signed under a certificate not yet here.

Both rooms are bounded, since strangers fill them. What does not fit is forgotten: the gap or the
certificate is asked for all the same, and the envelopes come again with a later pull.
"""

from __future__ import annotations

from mesh.ledger.envelope import Envelope, LogKey
from scheduler.ids import NodeId

HELD_PER_AUTHOR = 64
"""One window: the pull that fills the gap brings the rest again anyway."""
WAITING_PER_SERIAL = 64
"""One window, as above."""
WAITING_SERIALS = 32
"""The members of a full mesh of streams; 32 MiB of bytes when all are full of the largest."""


class HeldBehindGap:
    """Proved envelopes whose predecessor is missing, by log and first seq."""

    def __init__(self) -> None:
        self._logs: dict[LogKey, dict[int, Envelope]] = {}
        self._counts: dict[NodeId, int] = {}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def hold(self, envelope: Envelope) -> bool:
        """Keep it; False when its author has too many here already."""
        author, first_seq = envelope.stored.author, envelope.stored.first_seq
        log = self._logs.get(envelope.stored.key, {})
        if first_seq in log:
            return True
        if self._counts.get(author, 0) >= HELD_PER_AUTHOR:
            return False
        self._logs.setdefault(envelope.stored.key, log)[first_seq] = envelope
        self._counts[author] = self._counts.get(author, 0) + 1
        return True

    def waits(self, key: LogKey) -> bool:
        """True when something of this log is held."""
        return key in self._logs

    def take(self, key: LogKey, up_to_seq: int) -> list[Envelope]:
        """Those that begin at or before this seq, by first seq; they are held no more."""
        log = self._logs.get(key, {})
        taken = [log.pop(first_seq) for first_seq in sorted(log) if first_seq <= up_to_seq]
        if taken:
            self._counts[key[0]] -= len(taken)
        if key in self._logs and not log:
            del self._logs[key]
        return taken


class WaitingForCertificate:
    """Envelopes that nobody can prove yet, by the serial they name, in order of arrival."""

    def __init__(self) -> None:
        self._by_serial: dict[bytes, dict[bytes, Envelope]] = {}

    def __len__(self) -> int:
        return sum(len(envelopes) for envelopes in self._by_serial.values())

    def wait(self, envelope: Envelope) -> bool:
        """Keep it; False when there is no room."""
        serial, stored = envelope.serial, envelope.stored
        envelopes = self._by_serial.get(serial)
        if envelopes is None:
            if len(self._by_serial) >= WAITING_SERIALS:
                return False
            envelopes = self._by_serial[serial] = {}
        if stored.hash not in envelopes and len(envelopes) >= WAITING_PER_SERIAL:
            return False
        envelopes[stored.hash] = envelope
        return True

    def serials(self) -> list[bytes]:
        """What is waited for."""
        return list(self._by_serial)

    def take(self, serial: bytes) -> list[Envelope]:
        """The envelopes under this serial, in order of arrival; they wait no more."""
        return list(self._by_serial.pop(serial, {}).values())
