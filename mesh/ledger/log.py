"""One log in memory: a Yjs document that holds the envelopes of one (author, epoch), in order.

The only importer of pycrdt. The document has client id 1 and one root array; every element is one
envelope as its author signed it. Maps, nesting, overwrites, deletes and foreign updates are never
used: measured, each of them loses data, kills the process or grows without bound.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import TypeVar

from pycrdt import Array, Doc

from mesh.ledger.envelope import NO_HASH, StoredEnvelope

CLIENT_ID = 1
"""A document has one writer, so all holders may append under one id and get equal bytes."""
ROOT = "envelopes"
APPENDS_PER_TRANSACTION = 64
"""Measured: 20,000 elements in one transaction took 9.5 s and 5.7 GB, 200 cost nothing to see."""

_T = TypeVar("_T")


class LogBroken(Exception):
    """The document panicked and could not be read back; the disk still holds its envelopes."""


class EnvelopeLog:
    """The envelopes of one (author, epoch): appended in order, read by position or by seq."""

    def __init__(self) -> None:
        self.head = NO_HASH
        """Hash of the last envelope."""
        self.last_seq = 0
        self._last_seqs = array("Q")
        self._doc, self._envelopes = _new_document([])

    def __len__(self) -> int:
        return len(self._last_seqs)

    def append(self, envelope: StoredEnvelope) -> None:
        """Take the envelope that follows the last one; the caller has proved that it does.

        Raises LogBroken when the document is lost in memory.
        """
        try:
            _panics_told(lambda: self._envelopes.append(envelope.data))
        except LogBroken:
            self._rebuild(envelope.data)
        self._last_seqs.append(envelope.last_seq)
        self.last_seq = envelope.last_seq
        self.head = envelope.hash

    def position(self, seq: int) -> int:
        """Where the envelope that holds this seq stands; `len(self)` when it is not here."""
        return bisect_left(self._last_seqs, seq)

    def last_seq_at(self, position: int) -> int:
        """The seq of the last record in the envelope at a position."""
        return self._last_seqs[position]

    def data(self, position: int) -> bytes:
        """The envelope at a position, as its author signed it."""
        return bytes(self._envelopes[position])

    def document(self) -> bytes:
        """The whole document as a Yjs update: equal logs give equal bytes."""
        return self._doc.get_update()

    def _rebuild(self, last: bytes) -> None:
        # A panic may leave the document poisoned; one made anew from what it held is not.
        held = _panics_told(lambda: [self.data(index) for index in range(len(self))])
        self._doc, self._envelopes = _panics_told(lambda: _new_document([*held, last]))


def _new_document(data: list[bytes]) -> tuple[Doc[Array[bytes]], Array[bytes]]:
    document: Doc[Array[bytes]] = Doc(client_id=CLIENT_ID)
    envelopes: Array[bytes] = document.get(ROOT, type=Array)
    for start in range(0, len(data), APPENDS_PER_TRANSACTION):
        envelopes.extend(data[start : start + APPENDS_PER_TRANSACTION])
    return document, envelopes


def _panics_told(act: Callable[[], _T]) -> _T:
    """What `act` returns; LogBroken for a Rust panic, which no `except Exception` would see."""
    try:
        return act()
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise LogBroken(str(error)) from error
        raise
