"""What this node holds on its disk: (author, epoch) -> (contiguous seq, head hash).

Only flushed envelopes count: what is told to peers must survive a power cut (I3).
"""

from __future__ import annotations

from collections.abc import Iterable

from mesh.ledger.envelope import LogKey, StoredEnvelope


class Context:
    """The flushed end of every log."""

    def __init__(self) -> None:
        self._ends: dict[LogKey, tuple[int, bytes]] = {}

    def advance(self, envelopes: Iterable[StoredEnvelope]) -> list[LogKey]:
        """These are on disk now; returns the logs that grew, in the order they first did.

        Envelopes of one log come in the order they were appended in.
        """
        grown: dict[LogKey, None] = {}
        for envelope in envelopes:
            if envelope.last_seq > self.seq(envelope.key):
                self._ends[envelope.key] = (envelope.last_seq, envelope.hash)
                grown[envelope.key] = None
        return list(grown)

    def seq(self, key: LogKey) -> int:
        """How far a log is on disk; 0 when nothing of it is."""
        end = self._ends.get(key)
        return 0 if end is None else end[0]

    def head(self, key: LogKey) -> tuple[int, bytes]:
        """(contiguous seq, head hash) of a log that is on disk; KeyError when none of it is."""
        return self._ends[key]

    def copy(self) -> dict[LogKey, tuple[int, bytes]]:
        """The whole context, the caller's to keep."""
        return dict(self._ends)
