"""Many files on their way into a blob store: flushed together, then named.

A file is linked, not moved: it stays where a program left it until whoever kept it removes it, so
that a node which is killed in the middle finds everything again. Blocks on the disk.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import tempfile
from io import FileIO
from pathlib import Path

from scheduler.ids import Digest
from storage.blobs import PARTIAL, BlobStore, flush_folder

FLUSH_ALONE = 64
"""Files that are flushed one by one, 0.2 to 4 ms each; more share one flush of the file system."""
READ_WHOLE_BYTES = 1 << 20
"""Up to here a file is read at once: `hashlib.file_digest` makes a buffer of 256 KiB each time."""
_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})
"""Another file system, one without links, or one that has enough of them."""


class Intake:
    """The files of one result. Nothing is in the store before `finish`."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._folder: Path | None = None
        self._staged: dict[Digest, Path] = {}

    def keep_file(self, path: Path, *, copy: bool = False) -> tuple[Digest, int]:
        """Take a finished file of ours; its address and size in bytes. OSError.

        One that another name leads to as well is copied: who knows that name could change it. So is
        one that may be written again (`copy`).
        """
        with open(path, "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            digest = _digest(file, status.st_size)
            if digest not in self._staged and not self._store.path(digest).exists():
                staged = self._place(digest)
                if copy or status.st_nlink > 1 or not _linked(path, staged):
                    file.seek(0)
                    with open(staged, "wb") as target:
                        shutil.copyfileobj(file, target)
                    os.chmod(staged, 0o400)
                else:
                    # Whether it is a program is asked again after a restart.
                    os.fchmod(file.fileno(), 0o400 | (status.st_mode & 0o100))
                self._staged[digest] = staged
        return digest, status.st_size

    def finish(self) -> None:
        """All into the store. On disk before they are seen: first the bytes, then the names."""
        if self._folder is None:
            return
        if len(self._staged) > FLUSH_ALONE:
            _flush_file_system(self._folder)
        else:
            for staged in self._staged.values():
                _flush_file(staged)
        for digest, staged in self._staged.items():
            os.rename(staged, self._store.path(digest))
        for shelf in {self._store.path(digest).parent for digest in self._staged}:
            flush_folder(shelf)
        self.discard()

    def discard(self) -> None:
        """Forget what is not in the store."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._staged = None, {}

    def _place(self, digest: Digest) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(dir=self._store.folder / PARTIAL))
        return self._folder / digest


def _digest(file: FileIO, size_bytes: int) -> Digest:
    if size_bytes <= READ_WHOLE_BYTES:
        return Digest(hashlib.sha256(file.readall()).hexdigest())
    return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def _linked(path: Path, staged: Path) -> bool:
    try:
        os.link(path, staged, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        return False
    return True


def _flush_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_file_system(folder: Path) -> None:
    """What `syncfs` does, which Python does not offer."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)
