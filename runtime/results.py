"""What an attempt left becomes blobs and a manifest. Blocks on the disk: call it from a thread.

Links are not followed and devices, FIFOs and sockets are passed over; each leaves a note in the
manifest, so that nobody wonders where it went.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from runtime.attempt import EngineEnded, Order, ResultsFailed, ResultsStored
from runtime.gather import DEFAULT_LIMIT_BYTES, Found, Gatherer, remove_tree
from scheduler.ids import AttemptId, Digest, blob_digest
from scheduler.jobs import Failure
from storage.blobs import BlobStore
from storage.digest import Entry, EntryKind, Manifest, ManifestError, encode_manifest
from storage.errors import StorageError, TooLarge, disk_full_words, is_disk_full
from storage.intake import Intake

SMALL_BYTES = 16 * 1024
"""Up to here a blob goes with the record, not into a file of its own: a file costs two flushes of
the disk, and most results are a few lines."""
SMALL_TOTAL_BYTES = 128 * 1024
"""Of one attempt: a flush is shared by all that wait for it."""

KEEP_FREE_BYTES = 16 << 20
"""A result is not kept where less would be left: records are a few MiB, and without room for them
a node can do nothing at all."""
NO_TEXT = blob_digest(b"")
OUTPUTS, NOT_KEPT = "outputs", "not-kept"
"""Folders in an attempt's own."""


class Keeper:
    """Blobs of one attempt: large ones become files, small ones wait for the record's flush."""

    def __init__(self, blobs: BlobStore) -> None:
        self.small: dict[Digest, bytes] = {}
        self._blobs = blobs
        self._intake = Intake(blobs)
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

    def keep_file(self, path: Path, *, copy: bool = False) -> tuple[Digest, int]:
        """A finished file of ours, read or taken in, to stay where it is; a `copy` of it where it
        may be written again. Its address and size in bytes."""
        size_bytes = path.stat().st_size
        if size_bytes > SMALL_BYTES or self._small_bytes + size_bytes > SMALL_TOTAL_BYTES:
            return self._intake.keep_file(path, copy=copy)
        return self.keep_bytes(path.read_bytes()), size_bytes

    def finish(self) -> None:
        """The large ones into the store, flushed."""
        self._intake.finish()

    def discard(self) -> None:
        """Nothing is kept of what `finish` has not put there."""
        self._intake.discard()


def keep_results(
    folder: Path, order: Order, outcome: EngineEnded, blobs: BlobStore
) -> ResultsStored | ResultsFailed:
    """Keep what an attempt left in its folder, or say in a sentence why nothing of it is kept."""
    if (folder / NOT_KEPT).exists():
        return _disk_full(folder)
    task = order.spec.task
    keeper = Keeper(blobs)
    try:
        if task.result_paths:
            _check_room(folder)
        manifest, size_bytes = store_results(
            order.attempt,
            outcome,
            stdout=folder / "stdout",
            stderr=folder / "stderr",
            outputs=[
                (result.name, folder / OUTPUTS / str(number))
                for number, result in enumerate(task.result_paths)
            ],
            blobs=keeper,
            limit_bytes=task.resources.disk_bytes or DEFAULT_LIMIT_BYTES,
        )
    except (TooLarge, ManifestError) as error:
        reason = Failure.RESULTS_REFUSED.value
        return ResultsFailed(f"The result was not kept: {error}", reason)
    except StorageError as error:
        return ResultsFailed(f"The result was not kept: {error}")
    except OSError as error:
        if not is_disk_full(error):
            return ResultsFailed(f"The result could not be written: {error.strerror}.")
        _give_back(folder)
        return _disk_full(folder)
    except Exception as error:
        return ResultsFailed(f"The result was not kept: {error!r}.")
    return ResultsStored(manifest, size_bytes, tuple(keeper.small.values()))


def keep_exit_code(order: Order, outcome: EngineEnded) -> ResultsStored:
    """The result of an attempt that left neither a file nor a word: nothing needs to be read."""
    manifest = encode_manifest(Manifest(order.attempt, outcome.exit_code, NO_TEXT, NO_TEXT, ()))
    return ResultsStored(blob_digest(manifest), 0, (b"", manifest))


def _check_room(folder: Path) -> None:
    found = os.statvfs(folder)
    if found.f_bavail * found.f_frsize < KEEP_FREE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _disk_full(folder: Path) -> ResultsFailed:
    return ResultsFailed(f"The result was not kept: {disk_full_words(folder.parent)}")


def _give_back(folder: Path) -> None:
    """Remove what cannot be kept, at once: until there is room, the node cannot even write down
    that the job has failed. The new name needs no room, and tells a node that is killed meanwhile
    that something was there."""
    try:
        os.rename(folder / OUTPUTS, folder / NOT_KEPT)
        for inner in (folder / NOT_KEPT).iterdir():
            remove_tree(inner)
    except OSError:
        pass  # what stays is removed with the attempt's folder


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
    paths by name. Files are linked, and stay until the attempt's folder goes: a node that is killed
    meanwhile finds all of them again. Raises StorageError, ManifestError or OSError, and has then
    kept nothing."""
    try:
        return _store_all(attempt, outcome, stdout, stderr, outputs, blobs, limit_bytes)
    except BaseException:
        blobs.discard()
        raise


def _store_all(
    attempt: AttemptId,
    outcome: EngineEnded,
    stdout: Path,
    stderr: Path,
    outputs: Sequence[tuple[str, Path]],
    blobs: Keeper,
    limit_bytes: int,
) -> tuple[Digest, int]:
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
    encoded = encode_manifest(manifest)
    blobs.finish()
    digest = blobs.keep_bytes(encoded)
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
        return blobs.keep_file(path, copy=True)
    return blobs.keep_bytes(b""), 0


def cut_path(stream: str) -> str:
    """What a manifest calls the part of a stream that was beyond its limit."""
    return f"{stream} (rest, not kept)"


def _cut(stream: str, missing_bytes: int) -> Iterator[Entry]:
    if missing_bytes > 0:
        yield Entry(cut_path(stream), EntryKind.NOTE, missing_bytes)
