"""Output out of a result, for readers whom the log on the attempt's own node cannot reach.

A result has both streams one after the other: their order among each other is in the log alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial

import trio

from mesh.member.commands import AttemptReading
from mesh.node.doors import BlobUnavailable, Doors
from runtime.logs import LogPage, read_manifest_output
from storage.digest import Manifest, ManifestError, decode_manifest_untrusted

AWAY = "node {} cannot be reached: this is its output as kept with the result, stdout first"
REMOVED = "the log is no longer kept: this is the output as kept with the result, stdout first"


def note(sentence: str) -> bytes:
    """A remark of the mesh's own, as a line among what a program printed to stderr."""
    return f"[bacalhau-mesh: {sentence}]\n".encode()


async def kept_output(
    doors: Doors, attempt: AttemptReading, *, limit_bytes: int
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Parts of both streams as (1 stdout | 2 stderr, bytes), each at most that long, from whichever
    node holds the result. Raises BlobUnavailable where none can be reached, before the first."""
    result = attempt.observation.result
    if result is None:
        raise BlobUnavailable(f"{attempt.id} has left no result.")
    holders = (attempt.node,)
    path = await doors.fetch_blob(result, holders)
    try:
        manifest = decode_manifest_untrusted(await trio.to_thread.run_sync(path.read_bytes))
    except ManifestError as error:
        raise BlobUnavailable(f"The result of {attempt.id} cannot be read: {error}") from None
    for digest in (manifest.stdout, manifest.stderr):
        await doors.fetch_blob(digest, holders)
    offset = 0
    while (page := await _page(doors, manifest, offset, limit_bytes)).parts:
        for part in page.parts:
            yield part
        offset = page.next_offset


async def _page(doors: Doors, manifest: Manifest, offset: int, limit_bytes: int) -> LogPage:
    read = partial(
        read_manifest_output, manifest, doors.blob_path, offset=offset, limit_bytes=limit_bytes
    )
    page = await trio.to_thread.run_sync(read)
    if page is None:
        raise BlobUnavailable("A part of the result was removed while it was read.")
    return page
