"""Content-addressed files on this machine's disk: `blobs/ab/cdef...`, named by SHA-256.

A blob is whole or absent: bytes are staged in a file of their own, verified, flushed, then renamed.
Everything here blocks on the disk: call it from a thread. Methods may run in several threads at
once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from scheduler.ids import Digest, blob_digest
from storage.errors import Corrupt, TooLarge

CHUNK_BYTES = 1 << 20
"""Read and hashed at once: large enough that Python's share of the time is small."""
PARTIAL = "partial"
HEX_DIGITS = frozenset("0123456789abcdef")


def is_digest(text: str) -> bool:
    """Whether a text is 64 lower-case hexadecimal digits: safe to make a path of."""
    return len(text) == 64 and HEX_DIGITS.issuperset(text)


def file_digest(path: Path) -> tuple[Digest, int]:
    """The address of a file's bytes, and how many there are."""
    with open(path, "rb", buffering=0) as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest()), os.fstat(
            file.fileno()
        ).st_size


class Stage:
    """A blob on its way in: written piece by piece, kept only when its digest is the one
    expected."""

    def __init__(self, store: BlobStore, digest: Digest | None, limit_bytes: int | None) -> None:
        self._store = store
        self._expected = digest
        self._limit_bytes = limit_bytes
        self._hash = hashlib.sha256()
        handle, name = tempfile.mkstemp(dir=store.folder / PARTIAL)
        self._file = os.fdopen(handle, "wb")
        self._path = Path(name)
        self.size_bytes = 0
        """Bytes so far: where a transfer that broke off goes on."""

    def write(self, chunk: bytes) -> None:
        """Add bytes; TooLarge when they go beyond the limit."""
        self.size_bytes += len(chunk)
        if self._limit_bytes is not None and self.size_bytes > self._limit_bytes:
            raise TooLarge(f"More than the {self._limit_bytes} bytes that are allowed here.")
        self._hash.update(chunk)
        self._file.write(chunk)

    def finish(self) -> Digest:
        """Keep the blob; Corrupt, and nothing kept, when its bytes are not those expected."""
        digest = Digest(self._hash.hexdigest())
        if self._expected is not None and digest != self._expected:
            self.discard()
            raise Corrupt(
                f"The bytes received have the digest {digest[:12]}, not {self._expected[:12]}."
            )
        self._file.flush()
        self._store.adopt(self._file.fileno(), self._path, digest)
        self._file.close()
        return digest

    def discard(self) -> None:
        """Forget what was written so far."""
        with suppress(OSError):  # the last bytes of it may find no room
            self._file.close()
        self._path.unlink(missing_ok=True)


class BlobStore:
    """The blobs of one node. `fallback` reads small ones that live elsewhere (the node's
    database)."""

    def __init__(
        self, folder: Path, *, fallback: Callable[[Digest], bytes | None] | None = None
    ) -> None:
        self.folder = folder
        self._fallback = fallback
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
        (folder / PARTIAL).mkdir(parents=True, mode=0o700)
        self._make_shelves()

    def path(self, digest: Digest) -> Path:
        """Where this blob stands or would stand; ValueError for what is no digest."""
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is not a SHA-256 in lower-case hexadecimal digits")
        return self.folder / digest[:2] / digest[2:]

    def has(self, digest: Digest) -> bool:
        """Whether the blob can be read here."""
        return self.path(digest).exists() or self._from_fallback(digest) is not None

    def size(self, digest: Digest) -> int | None:
        """Bytes of a blob that is here, else None."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            data = self._from_fallback(digest)
            return None if data is None else len(data)

    def find(self, digest: Digest) -> Path | None:
        """The blob as a file, or None. A small one that lives elsewhere becomes a file now."""
        path = self.path(digest)
        if path.exists():
            return path
        data = self._from_fallback(digest)
        if data is None:
            return None
        self.keep_bytes(data)
        return path

    def read(self, digest: Digest, *, limit_bytes: int) -> bytes | None:
        """The bytes of a small blob, or None when it is not here; TooLarge beyond the limit."""
        size_bytes = self.size(digest)
        if size_bytes is None:
            return None
        if size_bytes > limit_bytes:
            raise TooLarge(f"Blob {digest[:12]} has {size_bytes} bytes, over {limit_bytes}.")
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            return self._from_fallback(digest)

    def stage(self, digest: Digest | None = None, *, limit_bytes: int | None = None) -> Stage:
        """Begin to take in a blob, checked against `digest` where that is known."""
        return Stage(self, digest, limit_bytes)

    def keep_bytes(self, data: bytes) -> Digest:
        """Keep these bytes, flushed; their address."""
        digest = blob_digest(data)
        if not self.path(digest).exists():
            stage = self.stage(digest)
            stage.write(data)
            stage.finish()
        return digest

    def digests(self) -> Iterator[tuple[Digest, int]]:
        """Every blob file with its size in bytes, in order of digest."""
        for shelf in sorted(self.folder.iterdir()):
            if len(shelf.name) == 2:
                for path in sorted(shelf.iterdir()):
                    yield Digest(shelf.name + path.name), path.stat().st_size

    def adopt(self, handle: int, path: Path, digest: Digest) -> None:
        """Give a verified file its name. On disk before it is seen: first the bytes, then the
        name."""
        target = self.path(digest)
        if target.exists():
            path.unlink()
            return
        os.fchmod(handle, 0o400)
        os.fsync(handle)
        os.rename(path, target)
        flush_folder(target.parent)

    def _make_shelves(self) -> None:
        """All at once, at start: made when needed, each would cost one more flush then."""
        wanted = {f"{number:02x}" for number in range(256)}
        missing = wanted.difference(os.listdir(self.folder))
        for name in missing:
            (self.folder / name).mkdir(mode=0o700)
        if missing:
            flush_folder(self.folder)

    def _from_fallback(self, digest: Digest) -> bytes | None:
        return None if self._fallback is None else self._fallback(digest)


def flush_folder(folder: Path) -> None:
    """What has been named in a folder is there after a power cut too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
