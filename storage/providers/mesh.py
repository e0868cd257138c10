"""Inputs by digest: every node's blob store is one, and any holder serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from scheduler.ids import Digest
from scheduler.jobs import Source
from storage.blobs import is_digest
from storage.errors import BadSource, TooLarge
from storage.ports import Fetched, FetchRequest, text_param

FetchBlob = Callable[[Digest, tuple[str, ...]], Awaitable[Path]]
"""The node's way to a blob: from its own store, else from one of these nodes; verified. Raises
Unavailable, naming the nodes that were asked."""


class MeshProvider:
    """Serves `mesh` sources: `Digest`, the SHA-256 of a file."""

    name = "mesh"

    def __init__(self, fetch_blob: FetchBlob) -> None:
        self._fetch_blob = fetch_blob

    async def stat(self, source: Source) -> int:
        """Not known before the blob is here."""
        return 0

    async def fetch(self, request: FetchRequest) -> Fetched:
        """The blob itself, read-only: it is shared by all who name it."""
        digest = text_param(request.source, "Digest").lower()
        if not is_digest(digest):
            raise BadSource("A mesh source needs Digest: a SHA-256 in 64 hexadecimal digits.")
        path = await self._fetch_blob(Digest(digest), request.holders)
        size_bytes = path.stat().st_size
        if size_bytes > request.limit_bytes:
            raise TooLarge(
                f"Blob {digest[:12]} has {size_bytes} bytes; {request.limit_bytes} are allowed."
            )
        return Fetched(path, read_only=True, size_bytes=size_bytes)
