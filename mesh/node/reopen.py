"""Open the database again after a flush that failed, however long that takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from mesh.node.errors import NodeError
from mesh.node.store import Store, free_bytes

REOPEN_S = 1.0
MAX_REOPEN_S = 30.0
"""After a failed flush: a glitch is over in a second, a full disk is not looked at all the time."""
ROOM_BYTES = 1 << 20
"""Enough to open an epoch and to write down what has ended; less is what a full disk has left when
others stop in the middle of a block."""


async def open_again(path: Path, say: Callable[[str], None], *, full: bool) -> Store:
    """The store, once it can be opened and, where the disk was `full`, once there is room."""
    wait_s = REOPEN_S
    while True:
        await trio.sleep(wait_s)
        if full:
            await _await_room(path.parent)
        try:
            return Store(path)
        except NodeError as error:
            say(str(error))
            wait_s = min(2 * wait_s, MAX_REOPEN_S)


async def _await_room(folder: Path) -> None:
    """Until there is room, or for a while: a quota that is used up does not show there."""
    with trio.move_on_after(MAX_REOPEN_S):
        while free_bytes(folder) < ROOM_BYTES:  # noqa: ASYNC110 - no event tells of room
            await trio.sleep(REOPEN_S)
