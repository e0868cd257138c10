"""How each effect of a member is performed: one function a type, none of which may block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import trio

from mesh.gossip.events import CloseLink, Dial, LinkId, Send
from mesh.gossip.messages import MAX_BLOB_BYTES, Blobs, encode
from mesh.member.events import Answer, Changed, Persist, RunAttempt, SendBlobs
from mesh.node.doors import Doors
from mesh.node.frames import MESSAGES
from mesh.node.links import Links
from mesh.node.store import Store
from runtime.attempt import Report, WakeAt
from runtime.executor import Executor
from scheduler.ids import Digest
from storage.blobs import BlobStore
from storage.errors import TooLarge


def make_performers(
    *, links: Links, store: Store, blobs: BlobStore, executor: Executor, doors: Doors
) -> dict[type[Any], Callable[[Any], None]]:
    """What the loop calls for each type of effect; timers are the loop's own."""

    def send(effect: Send) -> None:
        links.send(effect.link, MESSAGES, effect.data, bulk=effect.bulk)

    def dial(effect: Dial) -> None:
        links.dial(effect.address)

    def close_link(effect: CloseLink) -> None:
        links.close(effect.link, effect.reason)

    def run_attempt(effect: RunAttempt) -> None:
        assert not isinstance(effect.effect, WakeAt | Report), "the member's own to perform"
        executor.perform(effect.attempt, effect.effect)

    def send_blobs(effect: SendBlobs) -> None:
        links.start_soon(_send_blobs, links, blobs, effect.link, effect.digests)

    return {
        Send: send,
        Dial: dial,
        CloseLink: close_link,
        RunAttempt: run_attempt,
        SendBlobs: send_blobs,
        Persist: store.persist,
        Answer: doors.answered,
        Changed: doors.changed,
    }


async def _send_blobs(
    links: Links, blobs: BlobStore, link: LinkId, digests: Sequence[Digest]
) -> None:
    """Those of the blobs that are here, a frame each: together they may be more than one holds."""
    for digest in digests:
        read = partial(blobs.read, digest, limit_bytes=MAX_BLOB_BYTES)
        try:
            data = await trio.to_thread.run_sync(read)
        except (TooLarge, OSError):
            continue
        if data is not None:
            links.send(link, MESSAGES, encode(Blobs((data,))), bulk=True)
