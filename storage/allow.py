"""Which paths of this machine jobs may see: `--allow-path GLOB[:ro|rw]`.

A folder allows itself and everything below; read-only unless the entry says `rw`. Patterns are
compared part by part, so that `/data` says nothing of `/database` and `*` never crosses a `/`.
"""

from __future__ import annotations

import fnmatch
import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler.jobs import DataEntry
from storage.errors import NotAllowed

MAX_OFFERED = 64
"""Entries a node tells its peers: its register must fit in a packet or two."""
MAX_SCANNED_FILES = 100_000
"""Files looked at per entry: about a second of a slow disk; larger trees are offered as seen so
far."""


@dataclass(frozen=True, slots=True)
class AllowedPath:
    """One entry of the allow list: an absolute pattern, and whether it may be written."""

    pattern: str
    writable: bool = False


def parse_allowed_path(text: str) -> AllowedPath:
    """The entry that `GLOB[:ro|rw]` means; ValueError with a sentence when it means none."""
    pattern, colon, mode = text.rpartition(":")
    if not colon or mode not in ("ro", "rw"):
        pattern, mode = text, "ro"
    pattern = os.path.expanduser(pattern)
    if not pattern.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path: write it from the root, as /data:ro.")
    if ".." in pattern.split("/"):
        raise ValueError(f"{text!r} contains '..': write the path that is meant.")
    return AllowedPath("/" + "/".join(_parts(pattern)), mode == "rw")


def allowed_root(path: str, allowed: Sequence[AllowedPath], *, write: bool) -> Path:
    """The allowed folder or file that `path` is or stands below; NotAllowed with the reason."""
    parts = _parts(path)
    if not path.startswith("/") or ".." in parts or "\0" in path:
        raise NotAllowed(f"{path!r} is not an absolute path without '..'.")
    found_read_only = False
    for entry in allowed:
        wanted = _parts(entry.pattern)
        if len(wanted) > len(parts) or not all(
            fnmatch.fnmatchcase(part, pattern) for part, pattern in zip(parts, wanted, strict=False)
        ):
            continue
        if write and not entry.writable:
            found_read_only = True
            continue
        return Path("/", *parts[: len(wanted)])
    if found_read_only:
        raise NotAllowed(
            f"{path} may be read but not written here: the operator would have to start this node "
            f"with --allow-path {path}:rw."
        )
    raise NotAllowed(
        f"{path} is not offered by this node: the operator would have to start it with "
        f"--allow-path {path}."
    )


def scan_offer(allowed: Sequence[AllowedPath]) -> tuple[tuple[DataEntry, ...], tuple[str, ...]]:
    """What this node offers now: each allowed root and its first-level children, and the roots that
    may be written. Roots come first, then children by name, 64 in all. Blocks on the disk."""
    roots = [(root, entry.writable) for entry in allowed for root in _roots(entry.pattern)]
    entries = {root: _measure(root) for root, _ in roots[:MAX_OFFERED]}
    for root, _ in roots:
        for child in _children(root):
            if len(entries) >= MAX_OFFERED:
                break
            entries.setdefault(child, _measure(child))
    writable = dict.fromkeys(root for root, may_write in roots if may_write)
    return tuple(entries.values()), tuple(writable)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _roots(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern, include_hidden=True))


def _children(root: str) -> list[str]:
    try:
        with os.scandir(root) as items:
            return sorted(item.path for item in items if not item.is_symlink())
    except OSError:
        return []


def _measure(path: str) -> DataEntry:
    size_bytes = newest_ns = 0
    for status in itertools.islice(_walk(path), MAX_SCANNED_FILES):
        size_bytes += status.st_size
        newest_ns = max(newest_ns, status.st_mtime_ns)
    return DataEntry(path, size_bytes, newest_ns // 1_000_000)


def _walk(path: str) -> Iterator[os.stat_result]:
    """Status of every regular file at or below a path; what vanishes meanwhile is passed over."""
    pending = [path]
    while pending:
        current = pending.pop()
        try:
            if not os.path.isdir(current):
                yield os.stat(current)
                continue
            with os.scandir(current) as items:
                for item in items:
                    if item.is_dir(follow_symlinks=False):
                        pending.append(item.path)
                    elif item.is_file(follow_symlinks=False):
                        yield item.stat(follow_symlinks=False)
        except OSError:
            continue
