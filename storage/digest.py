"""Result manifests (pure): what one attempt left behind, by content address.

A manifest is a blob too: its digest names a result, and every holder serves the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from scheduler import cbor
from scheduler.ids import AttemptId, Digest

MANIFEST_VERSION = 1
MAX_MANIFEST_BYTES = 16 << 20
"""100,000 entries with paths of 100 bytes: beyond it a result should be an archive of its own."""
MAX_ENTRIES = 100_000
MAX_PATH_BYTES = 4096
"""Linux's own limit for a path."""
MAX_SIZE_BYTES = (1 << 53) - 1
"""Exact in every reader's numbers."""
PUBLIC_MODE_BITS = 0o755
"""Owner, group and others may read; nobody but the owner writes; no set-id bits."""


class EntryKind(IntEnum):
    """What stands at a path. A note is something that was not kept: a device, a link, cut
    output."""

    FILE = 0
    FOLDER = 1
    NOTE = 2


class ManifestError(ValueError):
    """Bytes that are not a result manifest; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing below a result. `path` is relative, with `/` between its parts."""

    path: str
    kind: EntryKind
    size_bytes: int = 0
    digest: Digest | None = None
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything one attempt left: its exit code, its two streams, its result paths by name."""

    attempt: AttemptId
    exit_code: int | None
    stdout: Digest
    stderr: Digest
    entries: tuple[Entry, ...] = ()

    def digests(self) -> Iterator[Digest]:
        """Every blob that the manifest names, each once."""
        seen: dict[Digest, None] = {self.stdout: None, self.stderr: None}
        for entry in self.entries:
            if entry.digest is not None:
                seen[entry.digest] = None
        return iter(seen)


def encode_manifest(manifest: Manifest) -> bytes:
    """The one encoding of a manifest; ManifestError when it is too large or not well formed."""
    entries = sorted(manifest.entries, key=lambda entry: entry.path.encode("utf-8"))
    data = cbor.encode(
        {
            0: MANIFEST_VERSION,
            1: manifest.attempt,
            2: manifest.exit_code,
            3: bytes.fromhex(manifest.stdout),
            4: bytes.fromhex(manifest.stderr),
            5: [
                [
                    entry.path,
                    int(entry.kind),
                    entry.size_bytes,
                    None if entry.digest is None else bytes.fromhex(entry.digest),
                    entry.mode,
                ]
                for entry in entries
            ],
        }
    )
    decode_manifest_untrusted(data)
    return data


def decode_manifest_untrusted(data: bytes) -> Manifest:
    """The manifest that these bytes hold; ManifestError, and nothing else, when they hold none."""
    try:
        value = cbor.decode_untrusted(data, max_bytes=MAX_MANIFEST_BYTES)
    except cbor.CborError as error:
        raise ManifestError(f"a result manifest is deterministic CBOR: {error}") from error
    if type(value) is not dict or not {0, 1, 2, 3, 4, 5} <= value.keys():
        raise ManifestError("a result manifest is a map with the keys 0 to 5")
    if type(value[0]) is not int or value[0] != MANIFEST_VERSION:
        raise ManifestError(f"version {value[0]!r} of result manifests is not known here")
    if type(value[1]) is not str or not 3 <= len(value[1]) <= 64:
        raise ManifestError("the attempt id is not a text")
    if value[2] is not None and (type(value[2]) is not int or not -(1 << 31) <= value[2] < 1 << 31):
        raise ManifestError("the exit code is not an integer within 32 bits")
    if type(value[5]) is not list or len(value[5]) > MAX_ENTRIES:
        raise ManifestError(f"the entries are not a list of at most {MAX_ENTRIES}")
    entries = tuple(_entry_untrusted(item) for item in value[5])
    _check_tree_untrusted(entries)
    return Manifest(
        attempt=AttemptId(value[1]),
        exit_code=value[2],
        stdout=_digest_untrusted(value[3]),
        stderr=_digest_untrusted(value[4]),
        entries=entries,
    )


def check_path_untrusted(path: Any) -> str:
    """A relative path that stays below where it is put; ManifestError otherwise."""
    if type(path) is not str or not path or len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES:
        raise ManifestError(f"a path is a text of 1 to {MAX_PATH_BYTES} bytes")
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ManifestError(f"{path!r} is not a plain relative path")
    return path


def _digest_untrusted(value: Any) -> Digest:
    if type(value) is not bytes or len(value) != 32:
        raise ManifestError("a digest is 32 bytes")
    return Digest(value.hex())


def _entry_untrusted(item: Any) -> Entry:
    if type(item) is not list or len(item) != 5:
        raise ManifestError("an entry is a list of five")
    path, kind, size_bytes, digest, mode = item
    check_path_untrusted(path)
    if type(kind) is not int or not 0 <= kind <= 2:
        raise ManifestError(f"{path!r}: kind is not 0, 1 or 2")
    if type(size_bytes) is not int or not 0 <= size_bytes <= MAX_SIZE_BYTES:
        raise ManifestError(f"{path!r}: size is not an integer within 53 bits")
    if type(mode) is not int or mode & ~PUBLIC_MODE_BITS:
        raise ManifestError(f"{path!r}: mode has bits beyond {PUBLIC_MODE_BITS:o}")
    if (kind == EntryKind.FILE) != (digest is not None):
        raise ManifestError(f"{path!r}: files have a digest, nothing else has")
    content = None if digest is None else _digest_untrusted(digest)
    return Entry(path, EntryKind(kind), size_bytes, content, mode)


def _check_tree_untrusted(entries: tuple[Entry, ...]) -> None:
    kinds: dict[str, EntryKind] = {}
    previous = b""
    for entry in entries:
        encoded = entry.path.encode("utf-8")
        if encoded <= previous:
            raise ManifestError(f"{entry.path!r} is out of order, or stands twice")
        previous = encoded
        parent = entry.path.rpartition("/")[0]
        if parent and kinds.get(parent) is not EntryKind.FOLDER:
            raise ManifestError(f"{entry.path!r} stands in no folder of the manifest")
        kinds[entry.path] = entry.kind
