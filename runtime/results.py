"""What an attempt left becomes blobs and a manifest. Blocks on the disk: call it from a thread.

Links are not followed and devices, FIFOs and sockets are passed over; each leaves a note in the
manifest, so that nobody wonders where it went.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from runtime.attempt import EngineEnded
from scheduler.ids import AttemptId, Digest, blob_digest
from storage.blobs import BlobStore
from storage.digest import MAX_ENTRIES, Entry, EntryKind, Manifest, encode_manifest
from storage.errors import TooLarge

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
) -> tuple[Digest, int]:
    """Keep everything; digest of the manifest, and bytes of all that it names. `outputs` are result
    paths by name. Files are moved, not copied. Raises StorageError, ManifestError or OSError."""
    stdout_digest, stdout_bytes = _keep_stream(stdout, blobs)
    stderr_digest, stderr_bytes = _keep_stream(stderr, blobs)
    entries = [
        *_cut("stdout", outcome.stdout_bytes - stdout_bytes),
        *_cut("stderr", outcome.stderr_bytes - stderr_bytes),
    ]
    for name, folder in outputs:
        entries.append(Entry(name, EntryKind.FOLDER, mode=0o755))
        for entry in _keep_below(name, folder, blobs):
            entries.append(entry)
            if len(entries) > MAX_ENTRIES:
                raise TooLarge(f"The result has more than {MAX_ENTRIES} files: pack them into one.")
    manifest = Manifest(attempt, outcome.exit_code, stdout_digest, stderr_digest, tuple(entries))
    digest = blobs.keep_bytes(encode_manifest(manifest))
    kept = sum(entry.size_bytes for entry in entries if entry.kind is EntryKind.FILE)
    return digest, stdout_bytes + stderr_bytes + kept


def _keep_stream(path: Path, blobs: Keeper) -> tuple[Digest, int]:
    if path.exists():
        return blobs.keep_file(path)
    return blobs.keep_bytes(b""), 0


def _cut(stream: str, missing_bytes: int) -> Iterator[Entry]:
    if missing_bytes > 0:
        yield Entry(f"{stream} (rest, not kept)", EntryKind.NOTE, missing_bytes)


def _keep_below(name: str, folder: Path, blobs: Keeper) -> Iterator[Entry]:
    with os.scandir(folder) as scanned:
        items = sorted(scanned, key=lambda item: item.name)
    for item in items:
        path = f"{name}/{item.name}"
        status = item.stat(follow_symlinks=False)
        if not _is_text(item.name):
            yield Entry(f"{name}/{os.fsencode(item.name)!r}", EntryKind.NOTE, status.st_size)
        elif stat.S_ISDIR(status.st_mode):
            yield Entry(path, EntryKind.FOLDER, mode=0o755)
            yield from _keep_below(path, Path(item.path), blobs)
        elif stat.S_ISREG(status.st_mode):
            mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
            digest, size_bytes = blobs.keep_file(Path(item.path))
            yield Entry(path, EntryKind.FILE, size_bytes, digest, mode)
        else:
            yield Entry(path, EntryKind.NOTE)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
