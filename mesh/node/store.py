"""The node's database: one SQLite file, one writer thread, one transaction for all that waits.

What `Flushed` promises rests here: WAL and synchronous FULL, so that a commit that returned is on
disk. The writer thread alone writes. A write or flush that failed poisons the store: the kernel may
have marked the lost pages clean, so nothing more is written until it is opened again.
"""

from __future__ import annotations

import hashlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from mesh.ledger.ledger import StoredEnvelope
from mesh.member.events import Flushed, Persist, Restored
from mesh.node.errors import NodeError
from scheduler import cbor
from scheduler.ids import Digest, blob_digest, node_id_from_bytes, node_id_to_bytes

MAX_PEERS_BYTES = 64 * 1024
WAL_PAGES = 1000
"""SQLite's own default: the log is folded back into the file every 4 MiB."""
RESERVE = "reserve"
RESERVE_BYTES = 8 << 20
"""A file of zeros beside the database, given up when the disk is full: two logs of its greatest
size, so that what filled the disk can be written down as ended, and be removed."""
RESERVE_AFTER = 256
"""Transactions between two looks at whether there is room for the reserve again."""
BUSY_S = 5.0
"""A reader (a backup, the shell) may hold the file for a moment."""

PRIMARY_CODE = 0xFF
"""SQLite's codes say in their lowest byte what is wrong, above it where."""
SHARED_MEMORY_BYTES = 64 << 10
"""SQLite asks for 32 KiB at a time."""

_MIGRATIONS = (
    """
    CREATE TABLE envelopes (
        position INTEGER PRIMARY KEY,
        author BLOB NOT NULL,
        epoch BLOB NOT NULL,
        first_seq INTEGER NOT NULL,
        count INTEGER NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        data BLOB NOT NULL
    ) STRICT;
    CREATE TABLE blobs (digest BLOB PRIMARY KEY, data BLOB NOT NULL) STRICT;
    CREATE TABLE certificates (serial BLOB PRIMARY KEY, der BLOB NOT NULL) STRICT;
    CREATE TABLE peers (node TEXT PRIMARY KEY, addresses BLOB NOT NULL) STRICT;
    """,
)
"""Script n brings a file from schema version n to n + 1. Never edited, only added to."""

SCHEMA_VERSION = len(_MIGRATIONS)


def free_bytes(folder: Path) -> int:
    """What may still be written to the disk that holds this folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class StoreError(NodeError):
    """A database that cannot be used; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class FlushFailed:
    """The Persist with this token did not reach the disk, nor will any other of this store."""

    token: int
    reason: str
    full: bool
    """The disk is full: it may have room again later."""


Report = Callable[[Flushed | FlushFailed], None]


class Store:
    """One open database. `persist` may be called from any thread; answers come on the writer's."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises StoreError."""
        self.path = path
        self.transactions = 0
        self.damaged = 0
        """Rows found damaged at load and dropped; peers hold their copies."""
        self._waiting: queue.SimpleQueue[Persist | None] = queue.SimpleQueue()
        self._report: Report | None = None
        self._failed: FlushFailed | None = None
        self._thread: threading.Thread | None = None
        self._read_lock = threading.Lock()
        self._keep_reserve()
        with ExitStack() as opened:
            try:
                self._writing = opened.enter_context(closing(_open(path)))
                _migrate(self._writing, path)
                self._reading = opened.enter_context(closing(_open(path)))
            except sqlite3.Error as error:
                sentence = _sentence(path, error)
                self._give_reserve_up(error)
                raise StoreError(sentence) from error
            opened.pop_all()

    def load(self) -> Restored:
        """What the file holds. Rows whose bytes are not what their hash says are dropped (P37)."""
        try:
            envelopes = tuple(self._load_envelopes())
            certificates = tuple(
                der
                for (der,) in self._writing.execute("SELECT der FROM certificates ORDER BY rowid")
            )
            peers = tuple(self._load_peers())
        except sqlite3.Error as error:
            raise StoreError(_sentence(self.path, error)) from error
        return Restored(envelopes, _BlobMapping(self), certificates, peers)

    def start(self, report: Report) -> None:
        """Start the writer thread; `report` is called on it, once per Persist, in order."""
        self._report = report
        self._thread = threading.Thread(target=self._write_until_closed, name="store-writer")
        self._thread.start()

    def persist(self, persist: Persist) -> None:
        """Queue one write."""
        self._waiting.put(persist)

    def read_blob(self, digest: Digest) -> bytes | None:
        """The bytes of a small blob kept here, or None. Blocks on the disk."""
        try:
            with self._read_lock:
                row = self._reading.execute(
                    "SELECT data FROM blobs WHERE digest = ?", (bytes.fromhex(digest),)
                ).fetchone()
        except sqlite3.Error:
            # Closed meanwhile, or failing: the writer's next flush tells. Peers have copies.
            return None
        if row is None or blob_digest(row[0]) != digest:
            return None
        return bytes(row[0])

    def blob_digests(self) -> list[Digest]:
        """Every small blob kept here."""
        with self._read_lock:
            rows = self._reading.execute("SELECT digest FROM blobs ORDER BY digest").fetchall()
        return [Digest(digest.hex()) for (digest,) in rows]

    def close(self) -> None:
        """Write what waits, then close. May block for one flush."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
        self._reading.close()
        self._writing.close()

    def _write_until_closed(self) -> None:
        last = False
        while not last:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            last = None in batch
            self._write([one for one in batch if one is not None])

    def _write(self, batch: list[Persist]) -> None:
        assert self._report is not None
        if batch and self._failed is None:
            try:
                self._commit(batch)
            except (sqlite3.Error, OverflowError) as error:
                self._give_reserve_up(error)
                full = _is_full(self.path, error)
                self._failed = FlushFailed(batch[0].token, _sentence(self.path, error), full)
        for one in batch:
            if self._failed is None:
                self._report(Flushed(one.token))
            else:
                self._report(FlushFailed(one.token, self._failed.reason, self._failed.full))

    def _commit(self, batch: list[Persist]) -> None:
        connection = self._writing
        connection.execute("BEGIN IMMEDIATE")
        try:
            for one in batch:
                _insert(connection, one)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.transactions += 1
        if self.transactions % RESERVE_AFTER == 0:
            self._keep_reserve()

    def _give_reserve_up(self, error: Exception) -> None:
        if _is_full(self.path, error):
            (self.path.parent / RESERVE).unlink(missing_ok=True)

    def _keep_reserve(self) -> None:
        """Make the reserve where there is none, and four times the room for it."""
        reserve = self.path.parent / RESERVE
        if reserve.exists() or free_bytes(self.path.parent) < 4 * RESERVE_BYTES:
            return
        with open(reserve, "wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
            except OSError:
                reserve.unlink()  # no such file system, or the room has just gone

    def _load_envelopes(self) -> Iterator[StoredEnvelope]:
        damaged = []
        rows = self._writing.execute(
            "SELECT position, author, epoch, first_seq, count, hash, data FROM envelopes"
            " ORDER BY position"
        )
        for position, author, epoch, first_seq, count, digest, data in rows:
            if hashlib.sha256(data).digest() != digest or len(author) != 16 or len(epoch) != 8:
                damaged.append((position,))
                continue
            yield StoredEnvelope(
                author=node_id_from_bytes(author),
                epoch=int.from_bytes(epoch, "big"),
                first_seq=first_seq,
                count=count,
                hash=digest,
                data=data,
            )
        if damaged:
            self.damaged += len(damaged)
            with self._writing:
                self._writing.executemany("DELETE FROM envelopes WHERE position = ?", damaged)

    def _load_peers(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for node, data in self._writing.execute("SELECT node, addresses FROM peers ORDER BY node"):
            try:
                yield node, tuple(cbor.decode_untrusted(data, max_bytes=MAX_PEERS_BYTES))
            except cbor.CborError:
                self.damaged += 1


class _BlobMapping(Mapping[Digest, bytes]):
    """Small blobs by digest, each read from the disk when asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, digest: Digest) -> bytes:
        data = self._store.read_blob(digest)
        if data is None:
            raise KeyError(digest)
        return data

    def __iter__(self) -> Iterator[Digest]:
        return iter(self._store.blob_digests())

    def __len__(self) -> int:
        return len(self._store.blob_digests())


def _open(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on disk when they return; one thread at a time uses it."""
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    path.chmod(0o600)
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer release (schema {version}, this one knows "
            f"{SCHEMA_VERSION}); start that release, or use another --data-dir."
        )
    for number in range(version, SCHEMA_VERSION):
        connection.executescript(
            f"BEGIN IMMEDIATE; {_MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
        )


def _insert(connection: sqlite3.Connection, persist: Persist) -> None:
    rows = (
        (_INSERT_ENVELOPE, [_envelope_row(one) for one in persist.envelopes]),
        (_INSERT_BLOB, [(bytes.fromhex(digest), data) for digest, data in persist.blobs]),
        (_INSERT_CERTIFICATE, persist.certificates),
        (
            _INSERT_PEER,
            [(node, cbor.encode(list(addresses))) for node, addresses in persist.peers],
        ),
    )
    for statement, values in rows:
        if values:
            connection.executemany(statement, values)


_INSERT_ENVELOPE = (
    "INSERT OR IGNORE INTO envelopes (author, epoch, first_seq, count, hash, data)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
# A blob's row may have been damaged: the bytes that come now were just checked.
_INSERT_BLOB = "INSERT OR REPLACE INTO blobs (digest, data) VALUES (?, ?)"
_INSERT_CERTIFICATE = "INSERT OR IGNORE INTO certificates (serial, der) VALUES (?, ?)"
_INSERT_PEER = "INSERT OR REPLACE INTO peers (node, addresses) VALUES (?, ?)"


def _envelope_row(one: StoredEnvelope) -> tuple[bytes, bytes, int, int, bytes, bytes]:
    return (
        node_id_to_bytes(one.author),
        one.epoch.to_bytes(8, "big"),
        one.first_seq,
        one.count,
        one.hash,
        one.data,
    )


def _is_full(path: Path, error: Exception) -> bool:
    """Also where SQLite speaks of the disk in general: its shared memory is a file there too."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & PRIMARY_CODE == sqlite3.SQLITE_IOERR:
        return free_bytes(path.parent) < SHARED_MEMORY_BYTES
    return bool(code == sqlite3.SQLITE_FULL)


def _sentence(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", 0)
    if _is_full(path, error):
        return f"The disk that holds {path} is full; free some space."
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return (
            f"{path} is damaged ({error}); move it away and start again: peers send back "
            "what they hold of this node's records."
        )
    return f"{path} cannot be used: {error}."
