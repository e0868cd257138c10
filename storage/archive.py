"""Archives: a reader that trusts nobody, for inline inputs, and a writer for results.

The standard library's `extractall` follows what the archive says; here only plain files and folders
come out, below one folder, within limits that are counted while reading.
"""

from __future__ import annotations

import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scheduler.ids import Digest
from storage.digest import EntryKind, Manifest, ManifestError, check_path_untrusted
from storage.errors import Corrupt, TooLarge, Unavailable

CHUNK_BYTES = 1 << 18
GZIP_WINDOW_BITS = 31
"""zlib's way to say: a gzip wrapper around 32 KiB windows."""
BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Bounds while unpacking: bytes over all files, and how many files and folders."""

    total_bytes: int
    entries: int = 10_000


class _Inflated(io.RawIOBase):
    """Bytes out of a gzip stream, counted: TooLarge beyond the limit, Corrupt when it is
    damaged."""

    def __init__(self, data: bytes, limit_bytes: int) -> None:
        self._data = memoryview(data)
        self._inflater = zlib.decompressobj(wbits=GZIP_WINDOW_BITS)
        self._left_bytes = limit_bytes
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._pending and not self._inflater.eof:
            if not self._data and not self._inflater.unconsumed_tail:
                raise Corrupt("The archive breaks off before its end.")
            piece = self._inflater.unconsumed_tail or bytes(self._data[:CHUNK_BYTES])
            if not self._inflater.unconsumed_tail:
                self._data = self._data[CHUNK_BYTES:]
            try:
                self._pending = self._inflater.decompress(piece, CHUNK_BYTES)
            except zlib.error as error:
                raise Corrupt(f"The archive is not gzip, or damaged: {error}.") from error
            self._left_bytes -= len(self._pending)
            if self._left_bytes < 0:
                raise TooLarge("The archive unpacks to more bytes than are allowed.")
        count = min(len(buffer), len(self._pending))
        buffer[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count


def unpack_untrusted(data: bytes, folder: Path, *, limits: ArchiveLimits) -> Path:
    """Unpack a gzip'd tar below `folder` (empty, ours). Returns the file, when the archive holds
    just one at its top, else the folder. Raises a StorageError (Corrupt or TooLarge) and nothing
    else for any bytes; what was written until then stays below `folder`."""
    headers = limits.entries * 4 * BLOCK_BYTES
    stream = io.BufferedReader(
        _Inflated(data, limits.total_bytes + headers),  # type: ignore[type-var]
        CHUNK_BYTES,
    )
    left_bytes = limits.total_bytes
    names: list[str] = []
    try:
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8") as archive:
            for member in archive:
                name = _member_name_untrusted(member)
                if not name:
                    continue
                names.append(name)
                left_bytes -= member.size
                if len(names) > limits.entries or left_bytes < 0:
                    raise TooLarge(
                        f"The archive holds more than {limits.entries} files or "
                        f"{limits.total_bytes} bytes."
                    )
                _write_member(archive, member, folder, name)
    except (tarfile.TarError, ValueError, OverflowError, OSError, EOFError) as error:
        raise Corrupt(f"The archive cannot be unpacked: {error}.") from error
    if len(names) == 1 and "/" not in names[0] and (folder / names[0]).is_file():
        return folder / names[0]
    return folder


def _member_name_untrusted(member: tarfile.TarInfo) -> str:
    name = member.name.removeprefix("./").rstrip("/")
    if name in ("", "."):
        return ""
    if not (member.isreg() or member.isdir()):
        raise Corrupt(f"The archive holds {name!r}, which is neither a file nor a folder.")
    try:
        return check_path_untrusted(name)
    except ManifestError as error:
        raise Corrupt(f"The archive holds a name that is not allowed: {error}.") from error


def _write_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, name: str
) -> None:
    """The folder holds only what we made, plain files and folders: no link can lead out of it."""
    target = folder / name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o755 if member.mode & 0o100 else 0o644
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    source = archive.extractfile(member)
    assert source is not None
    with os.fdopen(os.open(target, flags, mode), "wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            file.write(chunk)


def result_archive(manifest: Manifest, find: Callable[[Digest], Path | None]) -> Iterator[bytes]:
    """A result as the bytes of a `.tar.gz`, as Bacalhau lays it out: `stdout`, `stderr`, `exitCode`
    and one folder per result path. The same bytes every time. Unavailable when a blob is not
    here."""
    packer = zlib.compressobj(level=1, wbits=GZIP_WINDOW_BITS)
    packed = packer.compress
    exit_code = "" if manifest.exit_code is None else str(manifest.exit_code)
    yield from _packed_file("stdout", _blob(manifest.stdout, find), 0o644, packed)
    yield from _packed_file("stderr", _blob(manifest.stderr, find), 0o644, packed)
    yield from _packed_file("exitCode", io.BytesIO(exit_code.encode()), 0o644, packed)
    for entry in manifest.entries:
        if entry.kind is EntryKind.FOLDER:
            yield packed(_header(entry.path, tarfile.DIRTYPE, 0, entry.mode))
        elif entry.digest is not None:
            yield from _packed_file(entry.path, _blob(entry.digest, find), entry.mode, packed)
    yield packed(bytes(2 * BLOCK_BYTES)) + packer.flush()


def _blob(digest: Digest, find: Callable[[Digest], Path | None]) -> io.BufferedIOBase:
    path = find(digest)
    if path is None:
        raise Unavailable(f"Blob {digest[:12]} of this result is not on this node.")
    return open(path, "rb")


def _header(name: str, kind: bytes, size_bytes: int, mode: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, size_bytes, mode
    return info.tobuf(format=tarfile.PAX_FORMAT)


def _packed_file(
    name: str, file: io.BufferedIOBase, mode: int, packed: Callable[[bytes], bytes]
) -> Iterator[bytes]:
    with file:
        size_bytes = file.seek(0, io.SEEK_END)
        file.seek(0)
        yield packed(_header(name, tarfile.REGTYPE, size_bytes, mode))
        while chunk := file.read(CHUNK_BYTES):
            yield packed(chunk)
        yield packed(bytes(-size_bytes % BLOCK_BYTES))
