"""The ledger: write, prove, gate, keep; what it hands out is folded elsewhere.

Every envelope, own or a stranger's, passes the same gate into the same documents. Nothing here
touches a disk: what was appended is returned to be persisted, and only `flushed` makes it count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from mesh.ledger.context import Context
from mesh.ledger.envelope import (
    NO_HASH,
    WINDOW_ENVELOPES,
    Envelope,
    EnvelopeError,
    LogKey,
    StoredEnvelope,
    chained_runs,
    decode_untrusted,
    is_signed,
)
from mesh.ledger.log import EnvelopeLog
from mesh.ledger.received import Outcome, Received, Refusal
from mesh.ledger.validate import NumberedRecords, Void, read_records
from mesh.ledger.waiting import HeldBehindGap, WaitingForCertificate
from mesh.ledger.writer import Writer
from mesh.trust import CertificateBook
from scheduler.ids import Digest, Dot, NodeId
from scheduler.instant import HLC_COUNTER_BITS, Hlc, Instant
from scheduler.records import Kind, Record, decode_record_untrusted

__all__ = ["Ledger", "Received", "Refusal", "StoredEnvelope"]

EPOCH_RANDOM_BITS = 16
"""Two boots of one disk image within one millisecond still part."""
MAX_BUILDS_ON = 128
"""54 bytes each: 6.9 of the 8 KiB of a record. Earlier epochs are named by those named."""
WINDOW_BYTES = 64 * 1024
"""An answer to a pull must not keep a slow link from its probes."""


class Ledger:
    """Every log this node holds, its own among them."""

    def __init__(self, *, book: CertificateBook, author: NodeId, version: str) -> None:
        self.cut: list[tuple[NodeId, int, int]] = []
        """Logs that `replay` found corrupt: (author, epoch, first seq that is lost)."""
        self.last_hlc = Hlc(0)
        """The greatest reading in own records, replayed ones too: the clock goes on from it."""
        self._book = book
        self._author = author
        self._version = version
        self._writer = Writer(book.trust)
        self._sealed: list[StoredEnvelope] = []
        self._greatest_own_epoch = 0
        self._logs: dict[LogKey, EnvelopeLog] = {}
        self._context = Context()
        self._held = HeldBehindGap()
        self._waiting = WaitingForCertificate()
        self._counts: Counter[str] = Counter()

    # --- own records ----------------------------------------------------------------------------

    def open_epoch(self, now: Instant, random_bits: int) -> int:
        """Begin a new epoch of our own with its first record; returns its number.

        `random_bits` is any integer; its low 16 bits are used. What was written and not yet sealed
        stays in the epoch before and comes with the next `seal`.
        """
        self._append_sealed()
        high = max(now.wall_ms, (self._greatest_own_epoch >> EPOCH_RANDOM_BITS) + 1)
        epoch = high << EPOCH_RANDOM_BITS | random_bits & ((1 << EPOCH_RANDOM_BITS) - 1)
        earlier = sorted(key for key in self._logs if key[0] == self._author)[-MAX_BUILDS_ON:]
        builds_on = tuple(
            (key[1], self._logs[key].last_seq, Digest(self._logs[key].head.hex()))
            for key in earlier
        )
        self._writer.open(epoch)
        self._greatest_own_epoch = epoch
        hlc = Hlc(max(self.last_hlc + 1, now.wall_ms << HLC_COUNTER_BITS))
        body = {"builds_on": builds_on, "version": self._version}
        self.write(Record(Kind.EPOCH_OPENED, hlc, None, body))
        return epoch

    def write(self, record: Record) -> Dot:
        """Buffer a record of our own in the open epoch; its dot is final.

        Raises RecordError for a record that every reader would find void.
        """
        dot = self._writer.write(record)
        self.last_hlc = max(self.last_hlc, record.hlc)
        return dot

    def has_unsealed(self) -> bool:
        """Whether `seal` would give something."""
        return bool(self._sealed) or self._writer.has_records()

    def seal(self) -> list[StoredEnvelope]:
        """What was written since the last seal, as signed envelopes to persist; [] when nothing."""
        self._append_sealed()
        sealed, self._sealed = self._sealed, []
        return sealed

    def _append_sealed(self) -> None:
        for stored in self._writer.seal():
            self._log(stored.key).append(stored)
            self._sealed.append(stored)

    # --- start ----------------------------------------------------------------------------------

    def replay(self, stored: Iterable[StoredEnvelope]) -> list[tuple[Dot, Record]]:
        """Take what our own disk holds; returns the records to fold, in the order given.

        Proved by chain alone. A row may stand behind those that follow it: peers sent again what
        was damaged. A log whose rows do not chain to their end is cut there and listed in `cut`:
        peers send the rest. The certificates must be in the book by now.
        """
        records: list[tuple[Dot, Record]] = []
        rows: dict[LogKey, dict[int, StoredEnvelope]] = {}
        damaged_seqs: dict[LogKey, int] = {}
        for item in stored:
            ahead = rows.setdefault(item.key, {})
            ahead[item.first_seq] = item
            while (row := ahead.pop(self._end(item.key)[0] + 1, None)) is not None:
                readable = self._replayed_untrusted(row)
                if readable is None:
                    damaged_seqs[row.key] = row.first_seq
                    break
                records.extend(readable)
        for key, ahead in rows.items():
            have = self._end(key)[0]
            if max([damaged_seqs.get(key, 0), *ahead]) > have:
                self.cut.append((*key, have + 1))
        return records

    def _replayed_untrusted(self, item: StoredEnvelope) -> NumberedRecords | None:
        try:
            envelope = decode_untrusted(item.data)
        except EnvelopeError:
            return None
        follows = envelope.stored == item and envelope.previous == self._end(item.key)[1]
        if not follows or envelope.serial not in self._book.by_serial:
            return None
        readable = self._append(envelope)
        self._context.advance((item,))
        return readable

    # --- from peers -----------------------------------------------------------------------------

    def receive_window_untrusted(self, window: Sequence[bytes]) -> Received:
        """Envelopes from a peer, of any logs; a chained run is proved by its last signature."""
        outcome = Outcome()
        envelopes = []
        for data in window:
            try:
                envelopes.append(decode_untrusted(data))
            except EnvelopeError:
                self._refuse(Refusal.MALFORMED, outcome)
        self._receive(envelopes, outcome)
        return self._received(outcome)

    def certificate_added(self) -> Received:
        """Try again what waited for a certificate that is in the book by now."""
        outcome = Outcome()
        for serial in self._waiting.serials():
            if serial in self._book.by_serial:
                self._receive(self._waiting.take(serial), outcome)
        return self._received(outcome)

    def _receive(self, envelopes: Iterable[Envelope], outcome: Outcome) -> None:
        fresh = [envelope for envelope in envelopes if not self._is_duplicate(envelope)]
        for run in chained_runs(fresh):
            for envelope in self._proved(run, outcome):
                self._pass_gate(envelope, outcome)

    def _is_duplicate(self, envelope: Envelope) -> bool:
        log = self._logs.get(envelope.stored.key)
        if log is None or envelope.stored.first_seq > log.last_seq:
            return False
        duplicate = log.data(log.position(envelope.stored.first_seq)) == envelope.stored.data
        self._counts["duplicates"] += duplicate
        return duplicate

    def _proved(self, run: list[Envelope], outcome: Outcome) -> list[Envelope]:
        """The part of a chained run that its author vouches for; what lacks a certificate waits."""
        known = list(takewhile(lambda one: one.serial in self._book.by_serial, run))
        for envelope in run[len(known) :]:
            outcome.missing_certificate = outcome.missing_certificate or envelope.serial
            if not self._waiting.wait(envelope):
                self._refuse(Refusal.WAITING_FULL, outcome)
        proved = len(known)
        while proved and not self._is_signed(known[proved - 1]):
            proved -= 1
            self._refuse(Refusal.SIGNATURE, outcome)
        return known[:proved]

    def _is_signed(self, envelope: Envelope) -> bool:
        return is_signed(envelope, self._book.by_serial[envelope.serial], self._book.trust)

    # --- the gate -------------------------------------------------------------------------------

    def _pass_gate(self, envelope: Envelope, outcome: Outcome) -> None:
        """Append it if it follows what is held, and then what was held back behind it."""
        ready = [envelope]
        while ready:
            for one in ready:
                self._place(one, outcome)
            key = envelope.stored.key
            ready = self._held.take(key, self._end(key)[0] + 1)

    def _place(self, envelope: Envelope, outcome: Outcome) -> None:
        stored = envelope.stored
        have, head = self._end(stored.key)
        if self._is_duplicate(envelope):
            return
        if stored.author == self._author:
            self._greatest_own_epoch = max(self._greatest_own_epoch, stored.epoch)
            # Not for another epoch of ours: two machines from one disk image would outbid each
            # other's epochs for ever.
            outcome.foreign_own |= stored.epoch == self._writer.epoch
        if stored.first_seq <= have or (stored.first_seq == have + 1 and envelope.previous != head):
            self._counts["forks"] += 1
            outcome.fork = True
        elif stored.key == (self._author, self._writer.epoch):
            self._refuse(Refusal.FOREIGN_OWN, outcome)
        elif stored.first_seq > have + 1:
            furthest_seq = outcome.furthest_seqs.get(stored.key, 0)
            outcome.furthest_seqs[stored.key] = max(furthest_seq, stored.first_seq)
            if not self._held.hold(envelope):
                self._refuse(Refusal.HELD_FULL, outcome)
        else:
            outcome.furthest_seqs.setdefault(stored.key, stored.first_seq)
            outcome.records.extend(self._append(envelope))
            outcome.appended.append(stored)

    def _append(self, envelope: Envelope) -> NumberedRecords:
        """Keep a proved envelope that follows; returns what of it is folded."""
        stored = envelope.stored
        self._log(stored.key).append(stored)
        self._counts["appended"] += 1
        readable = read_records(envelope, self._book.by_serial[envelope.serial])
        if isinstance(readable, Void):
            self._counts["void"] += 1
            self._counts[f"void_{readable.value}"] += 1
            readable = ()
        if stored.author == self._author:
            self._greatest_own_epoch = max(self._greatest_own_epoch, stored.epoch)
            self.last_hlc = max([self.last_hlc, *(record.hlc for _, record in readable)])
        return readable

    def _log(self, key: LogKey) -> EnvelopeLog:
        log = self._logs.get(key)
        if log is None:
            log = self._logs[key] = EnvelopeLog()
        return log

    def _end(self, key: LogKey) -> tuple[int, bytes]:
        log = self._logs.get(key)
        return (0, NO_HASH) if log is None else (log.last_seq, log.head)

    def _refuse(self, refusal: Refusal, outcome: Outcome) -> None:
        self._counts[f"refused_{refusal.value}"] += 1
        outcome.refused = outcome.refused or refusal

    def _received(self, outcome: Outcome) -> Received:
        gap = None
        for key, furthest_seq in outcome.furthest_seqs.items():
            have = self._end(key)[0]
            if gap is None and (furthest_seq > have or self._held.waits(key)):
                gap = (*key, have + 1)
        return Received(
            appended=tuple(outcome.appended),
            records=tuple(outcome.records),
            gap=gap,
            missing_certificate=outcome.missing_certificate,
            refused=outcome.refused,
            fork=outcome.fork,
            foreign_own=outcome.foreign_own,
        )

    # --- what is on disk, and served --------------------------------------------------------------

    def flushed(self, envelopes: Iterable[StoredEnvelope]) -> list[tuple[NodeId, int, int, bytes]]:
        """These are on disk now; returns (author, epoch, seq, head hash) of the logs that grew.

        Envelopes of one log come in the order they were handed out.
        """
        grown = self._context.advance(envelopes)
        return [(*key, *self._context.head(key)) for key in grown]

    def context(self) -> dict[LogKey, tuple[int, bytes]]:
        """(author, epoch) -> (contiguous seq, head hash) of what is held and flushed."""
        return self._context.copy()

    def window(
        self,
        author: NodeId,
        epoch: int,
        from_seq: int,
        *,
        max_envelopes: int = WINDOW_ENVELOPES,
        max_bytes: int = WINDOW_BYTES,
    ) -> list[bytes]:
        """Flushed envelopes of one log, from the one that holds `from_seq` on; [] when none.

        One at least where there is one, whatever `max_bytes` says.
        """
        window: list[bytes] = []
        size_bytes = 0
        for data in self._flushed_from((author, epoch), from_seq):
            size_bytes += len(data)
            if window and (len(window) == max_envelopes or size_bytes > max_bytes):
                break
            window.append(data)
        return window

    def _flushed_from(self, key: LogKey, from_seq: int) -> Iterator[bytes]:
        log = self._logs.get(key)
        if log is None:
            return
        position = log.position(max(from_seq, 1))
        while position < len(log) and log.last_seq_at(position) <= self._context.seq(key):
            yield log.data(position)
            position += 1

    def records(self) -> Iterator[tuple[Dot, Record]]:
        """Everything that is folded of what is held and sealed, log by log."""
        for key in sorted(self._logs):
            log = self._logs[key]
            for position in range(len(log)):
                envelope = decode_untrusted(log.data(position))
                readable = read_records(envelope, self._book.by_serial[envelope.serial])
                if not isinstance(readable, Void):
                    yield from readable

    def record(self, dot: Dot) -> Record | None:
        """The record at a dot, read back from its log; None when it is not sealed or not held."""
        log = self._logs.get((dot.author, dot.epoch))
        if log is None or not 0 < dot.seq <= log.last_seq:
            return None
        envelope = decode_untrusted(log.data(log.position(dot.seq)))
        return decode_record_untrusted(envelope.records[dot.seq - envelope.stored.first_seq])

    def document(self, author: NodeId, epoch: int) -> bytes:
        """One log as a Yjs update: equal logs, equal bytes. KeyError when it is not held."""
        return self._logs[author, epoch].document()

    def statistics(self) -> dict[str, int]:
        """Counters since start, and how much is held now."""
        return {
            **self._counts,
            "logs": len(self._logs),
            "held": len(self._held),
            "waiting": len(self._waiting),
        }
