"""This node's own hand: records buffered under final dots, sealed into signed envelopes."""

from __future__ import annotations

from mesh.ledger.envelope import (
    FRAME_BYTES,
    MAX_ENVELOPE_BYTES,
    NO_HASH,
    RECORD_FRAME_BYTES,
    StoredEnvelope,
    encode_envelope,
)
from mesh.ledger.validate import may_write
from mesh.trust import Trust
from scheduler.ids import Dot
from scheduler.records import Record, RecordError, encode_record


class Writer:
    """The open epoch of this node; one envelope per seal, more when records outgrow one."""

    def __init__(self, trust: Trust) -> None:
        self.epoch = 0
        """0 until the first one is opened."""
        self._trust = trust
        self._head = NO_HASH
        self._first_seq = 1
        self._records: list[bytes] = []
        self._records_bytes = 0
        self._sealed: list[StoredEnvelope] = []

    def open(self, epoch: int) -> None:
        """Go on in a new epoch; what was buffered in the one before is sealed there."""
        self._close_envelope()
        self.epoch, self._head, self._first_seq = epoch, NO_HASH, 1

    def write(self, record: Record) -> Dot:
        """Buffer a record; its dot is final.

        Raises RecordError for a record that every reader would find void: better here than there.
        """
        own = self._trust.own
        data = encode_record(record)
        if not may_write(own.node, own.roles, record):
            raise RecordError(f"the roles {', '.join(own.roles)} do not allow kind {record.kind}")
        size_bytes = len(data) + RECORD_FRAME_BYTES
        if FRAME_BYTES + self._records_bytes + size_bytes > MAX_ENVELOPE_BYTES:
            self._close_envelope()
        self._records.append(data)
        self._records_bytes += size_bytes
        return Dot(own.node, self.epoch, self._first_seq + len(self._records) - 1)

    def has_records(self) -> bool:
        """Whether something was written since the last seal."""
        return bool(self._records or self._sealed)

    def seal(self) -> list[StoredEnvelope]:
        """What was written since the last seal, signed, in order; empty when nothing was."""
        self._close_envelope()
        sealed, self._sealed = self._sealed, []
        return sealed

    def _close_envelope(self) -> None:
        if not self._records:
            return
        envelope = encode_envelope(
            self._trust,
            epoch=self.epoch,
            first_seq=self._first_seq,
            previous=self._head,
            records=self._records,
        )
        self._sealed.append(envelope)
        self._head = envelope.hash
        self._first_seq = envelope.last_seq + 1
        self._records, self._records_bytes = [], 0
