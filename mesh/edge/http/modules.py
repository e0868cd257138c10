"""Modules that travel with the jobs that name them, kept in memory while jobs go on naming them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import trio

from mesh.node.doors import Doors
from scheduler.ids import Digest

PUSHED_BYTES = 1 << 20
"""A spec and the modules it names travel with the job's birth up to this size together."""
KEPT_BYTES = 4 << 20
"""A burst of jobs names one module, or a few: none of them is read from disk for each job."""


class Modules:
    """The modules named last, by digest."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Digest, bytes] = OrderedDict()

    async def small_ones(self, doors: Doors, digests: Iterable[Digest]) -> tuple[bytes, ...]:
        """Those of them that are here; none when they are too large to travel together."""
        found: list[bytes] = []
        for digest in digests:
            data = self._kept.get(digest)
            if data is None:
                path = doors.blob_path(digest)
                if path is None:
                    continue
                if path.stat().st_size > PUSHED_BYTES:
                    return ()
                data = await trio.to_thread.run_sync(path.read_bytes)
            self._keep(digest, data)
            found.append(data)
        return tuple(found) if sum(map(len, found)) <= PUSHED_BYTES else ()

    def _keep(self, digest: Digest, data: bytes) -> None:
        self._kept[digest] = data
        self._kept.move_to_end(digest)
        while sum(map(len, self._kept.values())) > KEPT_BYTES:
            self._kept.popitem(last=False)
