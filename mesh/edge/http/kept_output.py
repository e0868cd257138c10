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
from runtime.outputs import NOTE, STREAM_NAMES
from runtime.results import cut_path
from scheduler.resources import show_bytes
from storage.digest import EntryKind, Manifest, ManifestError, decode_manifest_untrusted

AWAY = "node {} cannot be reached: this is its output as kept with the result, stdout first"
AWAY_MIDWAY = (
    "node {} cannot be reached any more: the rest is as kept with the result, stdout first"
)
REST_AWAY = "node {} cannot be reached any more: the rest of this output is not known here"
TIMES_NOT_KEPT = "; what was printed when is not kept, so this is all of it"
CUT_PATHS = frozenset(map(cut_path, STREAM_NAMES.values()))
"""What a result calls the part of a stream that was beyond the limit."""
REMOVED = "the log is no longer kept: this is the output as kept with the result, stdout first"


def note(sentence: str) -> bytes:
    """A remark of the mesh's own, as a line among what a program printed to stderr."""
    return f"[bacalhau-mesh: {sentence}]\n".encode()


async def kept_output(
    doors: Doors, attempt: AttemptReading, *, limit_bytes: int
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Parts of both streams as (1 stdout | 2 stderr, bytes), each at most that long, and remarks
    (3) on what was not kept, from whichever node holds the result. Raises BlobUnavailable where
    none can be reached, before the first."""
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
    for entry in manifest.entries:
        if entry.kind is EntryKind.NOTE and entry.path in CUT_PATHS:
            yield NOTE, note(f"{entry.path}: {show_bytes(entry.size_bytes)}")


async def _page(doors: Doors, manifest: Manifest, offset: int, limit_bytes: int) -> LogPage:
    read = partial(
        read_manifest_output, manifest, doors.blob_path, offset=offset, limit_bytes=limit_bytes
    )
    page = await trio.to_thread.run_sync(read)
    if page is None:
        raise BlobUnavailable("A part of the result was removed while it was read.")
    return page
