"""What stands below a result path, entry by entry, whatever a program has put there.

Everything is reached by a handle of the folder above it, so that no name can lead elsewhere: links
are not followed. Count and bytes are looked at before anything is kept. Blocks on the disk.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scheduler.resources import show_bytes
from storage.digest import MAX_ENTRIES, MAX_PATH_BYTES, Entry, EntryKind
from storage.errors import TooLarge

MAX_DEPTH = 64
"""One handle is held open for each folder above; nobody's results are deeper."""
DEFAULT_LIMIT_BYTES = 10 << 30
"""Of one attempt that asked for no disk: a minute of reading, and more than a weak link moves in a
day. A sparse file counts as long as it says it is, since it would travel so."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """Something to keep. `entry` has no digest yet; `file` leads to a regular file's bytes while
    the walk stands at it."""

    entry: Entry
    file: Path | None = None


class Gatherer:
    """All result paths of one attempt."""

    def __init__(self, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._paths: set[str] = set()

    def check(self, folders: list[Path]) -> None:
        """TooLarge when there is more below them together than a result may have."""
        count, size_bytes = len(folders), 0
        for folder in folders:
            with _opened(folder) as handle:
                for _, status in _survey(handle, MAX_DEPTH):
                    count += 1
                    size_bytes += status.st_size if stat.S_ISREG(status.st_mode) else 0
                    if count > MAX_ENTRIES:
                        raise TooLarge(
                            f"The result has more than {MAX_ENTRIES} files: pack them into one."
                        )
        if size_bytes > self._limit_bytes:
            raise TooLarge(
                f"The result has {show_bytes(size_bytes)}, more than its limit of "
                f"{show_bytes(self._limit_bytes)}: write less, or ask for more in Resources.Disk."
            )

    def below(self, name: str, folder: Path) -> Iterator[Found]:
        """What one result path holds, itself included."""
        yield Found(Entry(name, EntryKind.FOLDER, mode=0o755))
        left_out = 0
        with _opened(folder) as handle:
            for found in self._walk(handle, name, MAX_DEPTH):
                if found is None:
                    left_out += 1
                else:
                    yield found
        if left_out:
            yield Found(Entry(f"{name} ({left_out} too deep, not kept)", EntryKind.NOTE))

    def _walk(self, handle: int, above: str, depth: int) -> Iterator[Found | None]:
        """None for each thing whose path is too long, and each folder that is too deep."""
        for name, status in _items(handle):
            path = self._free_path(f"{above}/{_plain(name)}")
            if len(path.encode()) > MAX_PATH_BYTES:
                yield None
            elif not _is_text(name):
                yield Found(Entry(path, EntryKind.NOTE, status.st_size))
            elif stat.S_ISREG(status.st_mode):
                mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
                entry = Entry(path, EntryKind.FILE, status.st_size, mode=mode)
                yield Found(entry, Path(f"/proc/self/fd/{handle}/{name}"))
            elif not stat.S_ISDIR(status.st_mode):
                yield Found(Entry(path, EntryKind.NOTE))
            elif depth == 1:
                yield None
            else:
                yield Found(Entry(path, EntryKind.FOLDER, mode=0o755))
                with _opened(name, handle) as below:
                    yield from self._walk(below, path, depth - 1)

    def _free_path(self, path: str) -> str:
        """Two names may look the same once what cannot be shown is spelled out."""
        number = 1
        free = path
        while free in self._paths:
            number += 1
            free = f"{path} ({number})"
        self._paths.add(free)
        return free


def _survey(handle: int, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    for name, status in _items(handle):
        yield name, status
        if stat.S_ISDIR(status.st_mode) and depth > 1:
            with _opened(name, handle) as below:
                yield from _survey(below, depth - 1)


def _items(handle: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(handle) as scanned:
        for item in scanned:
            yield item.name, item.stat(follow_symlinks=False)


@contextmanager
def _opened(folder: str | Path, above: int | None = None) -> Iterator[int]:
    handle = os.open(folder, _FOLDER_FLAGS, dir_fd=above)
    try:
        yield handle
    finally:
        os.close(handle)


def _plain(name: str) -> str:
    """The name with what would move a cursor or break a line spelled out."""
    if not _is_text(name):
        return repr(os.fsencode(name))
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", name)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def remove_tree(folder: Path) -> None:
    """Remove a folder of any depth with a few handles: what stands too deep is moved up first.
    OSError where something cannot be removed."""
    moved = 0
    with _opened(folder) as top:
        while inner := _empty_of_files(top):
            for name in inner:
                with _opened(name, top) as handle:
                    for deeper in _empty_of_files(handle):
                        moved += 1
                        up = f".removed-{moved}-{os.urandom(8).hex()}"
                        os.rename(deeper, up, src_dir_fd=handle, dst_dir_fd=top)
                os.rmdir(name, dir_fd=top)
    os.rmdir(folder)


def _empty_of_files(handle: int) -> list[str]:
    folders: list[str] = []
    for name, status in _items(handle):
        if stat.S_ISDIR(status.st_mode):
            folders.append(name)
        else:
            os.unlink(name, dir_fd=handle)
    return folders
