"""What an attempt left becomes blobs and a manifest. Blocks on the disk: call it from a thread.

Links are not followed and devices, FIFOs and sockets are passed over; each leaves a note in the
manifest, so that nobody wonders where it went.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from runtime.attempt import EngineEnded
from runtime.gather import DEFAULT_LIMIT_BYTES, Found, Gatherer
from scheduler.ids import AttemptId, Digest, blob_digest
from storage.blobs import BlobStore
from storage.digest import Entry, EntryKind, Manifest, encode_manifest

SMALL_BYTES = 16 * 1024
"""Up to here a blob goes with the record, not into a file of its own: a file costs two flushes of
the disk, and most results are a few lines."""
SMALL_TOTAL_BYTES = 128 * 1024
"""Of one attempt: a flush is shared by all that wait for it."""


class Keeper:
    """Blobs of one attempt: large ones become files, small ones wait for the record's flush."""

    def __init__(self, blobs: BlobStore) -> None:
        self.small: dict[Digest, bytes] = {}
        self._blobs = blobs
        self._small_bytes = 0

    def keep_bytes(self, data: bytes) -> Digest:
        """These bytes; their address."""
        if len(data) > SMALL_BYTES or self._small_bytes + len(data) > SMALL_TOTAL_BYTES:
            return self._blobs.keep_bytes(data)
        digest = blob_digest(data)
        if digest not in self.small:
            self.small[digest] = data
            self._small_bytes += len(data)
        return digest

    def keep_file(self, path: Path) -> tuple[Digest, int]:
        """A finished file of ours, moved or read; its address and size in bytes."""
        size_bytes = path.stat().st_size
        if size_bytes > SMALL_BYTES:
            return self._blobs.keep_file(path)
        return self.keep_bytes(path.read_bytes()), size_bytes


def store_results(
    attempt: AttemptId,
    outcome: EngineEnded,
    *,
    stdout: Path,
    stderr: Path,
    outputs: Sequence[tuple[str, Path]],
    blobs: Keeper,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
) -> tuple[Digest, int]:
    """Keep everything; digest of the manifest, and bytes of all that it names. `outputs` are result
    paths by name. Files are moved, not copied. Raises StorageError, ManifestError or OSError."""
    stdout_digest, stdout_bytes = _keep_stream(stdout, outcome.stdout_bytes, blobs)
    stderr_digest, stderr_bytes = _keep_stream(stderr, outcome.stderr_bytes, blobs)
    entries = [
        *_cut("stdout", outcome.stdout_bytes - stdout_bytes),
        *_cut("stderr", outcome.stderr_bytes - stderr_bytes),
    ]
    gatherer = Gatherer(limit_bytes=limit_bytes)
    gatherer.check([folder for _, folder in outputs])
    for name, folder in outputs:
        for found in gatherer.below(name, folder):
            entries.append(_keep(found, blobs))
    manifest = Manifest(attempt, outcome.exit_code, stdout_digest, stderr_digest, tuple(entries))
    digest = blobs.keep_bytes(encode_manifest(manifest))
    kept = sum(entry.size_bytes for entry in entries if entry.kind is EntryKind.FILE)
    return digest, stdout_bytes + stderr_bytes + kept


def _keep(found: Found, blobs: Keeper) -> Entry:
    if found.file is None:
        return found.entry
    try:
        digest, size_bytes = blobs.keep_file(found.file)
    except PermissionError:
        return Entry(found.entry.path, EntryKind.NOTE, found.entry.size_bytes)
    return replace(found.entry, digest=digest, size_bytes=size_bytes)


def _keep_stream(path: Path, printed_bytes: int, blobs: Keeper) -> tuple[Digest, int]:
    if printed_bytes and path.exists():
        return blobs.keep_file(path)
    return blobs.keep_bytes(b""), 0


def _cut(stream: str, missing_bytes: int) -> Iterator[Entry]:
    if missing_bytes > 0:
        yield Entry(f"{stream} (rest, not kept)", EntryKind.NOTE, missing_bytes)
