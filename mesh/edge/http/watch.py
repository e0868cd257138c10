"""The live feed of the mesh as server-sent events: one gatherer for all who read it.

There is no task of its own: of those who wait for news one fetches it, and the others wait for that
one. So a node without readers does nothing for them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import trio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mesh.edge.feed import (
    STILL_HERE,
    TOPICS,
    Parts,
    Position,
    Ring,
    read_position_untrusted,
    snapshot_frames,
)
from mesh.edge.feed_gather import Gathered, snapshot_reads
from mesh.edge.feed_make import Here
from mesh.edge.http.errors import bad_request
from mesh.edge.http.reading import (
    MAX_ID_CHARS,
    doors_of,
    expect,
    find_job,
    header_text,
    query_number,
    query_text,
)
from mesh.edge.http.watch_job import GATHER_S, STILL_HERE_S, TRY_AGAIN_S, read_job_feed
from mesh.member.commands import Problem
from mesh.member.events import Changed
from mesh.member.watched import Outline, ReadOutline, ReadWatched, Watched
from mesh.node.doors import Doors

SNAPSHOT_EVENTS = 100
"""The last of them: a screen is full."""
ROW_TOPICS = frozenset({"jobs", "executions"})
"""What a snapshot needs many reads for."""
SWEEP_S = 5.0
"""How often all nodes are looked at: round trips and links change without a record."""
LINGER_S = 60.0
"""Changes are kept so long for a reader that lost its connection."""
SNAPSHOT_AGE_S = 2.0
"""A snapshot so young serves the next reader too."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What was read for one reader, good for the next as long as the ring goes on from it."""

    position: Position
    made_s: float
    pieces: tuple[Parts, ...]


class Feed:
    """Changes of one node's mesh for any number of readers; trio's thread alone uses it."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        here = doors.status
        self._gathered = Gathered(
            Here(here.node, here.name, here.cluster, here.version, here.started_ms)
        )
        self._ring: Ring | None = None
        self._readers = 0
        self._left_s = 0.0
        self._gathering = False
        self._told = trio.Event()
        """Something was told, or nobody gathers any more."""
        self._noted = trio.Event()
        """Something is to be told."""
        self._next_s = 0.0
        self._sweep_s = 0.0
        self._reading = trio.Lock()
        self._snapshots: dict[int | None, _Snapshot] = {}

    async def read(
        self, position: Position | None, topics: frozenset[str], jobs_max: int
    ) -> AsyncGenerator[bytes, None]:
        """Frames for one reader, until it goes."""
        self._readers += 1
        try:
            await self._begin()
            while True:
                ring = self._ring
                following = None
                if position is not None and ring is not None:
                    following = ring.next_for(position, topics)
                if following is None:
                    position, pieces = await self._picture(
                        jobs_max if topics & ROW_TOPICS else None
                    )
                    for frame in snapshot_frames(pieces, position, topics):
                        yield frame
                    continue
                frames, position = following
                if frames:
                    yield frames
                elif ring is not None and position == ring.position:
                    with trio.move_on_after(STILL_HERE_S) as waited:
                        await self._news_after(position)
                    if waited.cancelled_caught:
                        yield STILL_HERE
        finally:
            self._readers -= 1
            self._left_s = trio.current_time()

    # --- gathering --------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Changes are noted from here on, and told by a ring."""
        async with self._reading:
            if self._ring is not None:
                return
            if self._note not in self._doors.listeners:
                self._doors.listeners.append(self._note)
            watched = await self._ask(ReadWatched(nodes=None))
            self._start_ring(watched)

    def _start_ring(self, watched: Watched) -> None:
        self._gathered.begin(watched, _now_ms())
        self._snapshots.clear()
        self._ring = Ring(watched.boot)
        self._sweep_s = trio.current_time() + SWEEP_S

    def _note(self, changed: Changed) -> None:
        """The doors': something has changed."""
        idle = not self._readers and trio.current_time() > self._left_s + LINGER_S
        if idle or self._gathered.overflows:
            self._snapshots.clear()
            self._ring = None
            if idle:
                self._doors.listeners.remove(self._note)
        self._gathered.note(changed)
        self._noted.set()

    async def _news_after(self, position: Position) -> None:
        """Returns once the ring goes on from a position, or there is a new one."""
        while self._ring is not None and self._ring.position == position:
            if self._gathering:
                await self._told.wait()
                continue
            self._gathering = True
            try:
                await self._gather(self._ring)
            finally:
                self._gathering = False
                self._told.set()
                self._told = trio.Event()

    async def _gather(self, ring: Ring) -> None:
        """Wait for changes, let some come together, and tell them."""
        with trio.move_on_at(self._sweep_s):
            if not self._gathered.waits:
                self._noted = trio.Event()
                await self._noted.wait()
        await trio.sleep_until(self._next_s)
        now_s = trio.current_time()
        self._next_s = now_s + GATHER_S
        sweep = now_s >= self._sweep_s
        if sweep:
            self._sweep_s = now_s + SWEEP_S
            self._forget_old_snapshots(now_s)
        asked = self._gathered.take(sweep=sweep)
        try:
            watched = await self._ask(asked)
        except BaseException:
            self._gathered.put_back(asked)
            raise
        if watched.boot != ring.boot or self._ring is not ring:
            self._ring = None
            await self._begin()
            return
        parts = self._gathered.told(asked, watched, _now_ms())
        if parts is not None:
            ring.add(parts)
        if self._gathered.waits:
            self._next_s = 0.0 if len(asked.jobs) + len(asked.attempts) > 64 else self._next_s

    async def _ask(self, command: ReadWatched) -> Watched:
        while True:
            reply = await self._doors.read_watched(command)
            if not isinstance(reply, Problem):
                return expect(reply, Watched)
            await trio.sleep(TRY_AGAIN_S)

    # --- snapshots --------------------------------------------------------------------------------

    async def _picture(self, jobs_max: int | None) -> tuple[Position, list[Parts]]:
        """Everything as it is now, and where it goes on: who reads no further has it all.

        With None for `jobs_max` neither jobs nor executions are read.
        """
        snapshot, is_new = await self._snapshot(jobs_max)
        if not is_new and self._gathered.waits and self._ring is not None:
            with trio.move_on_after(2 * GATHER_S):
                await self._news_after(self._ring.position)
        ring = self._ring
        if ring is None or not ring.holds(snapshot.position):
            return snapshot.position, list(snapshot.pieces)
        return ring.position, [*snapshot.pieces, *ring.since(snapshot.position)]

    async def _snapshot(self, jobs_max: int | None) -> tuple[_Snapshot, bool]:
        """Everything, and whether it was read just now. Changes from its position on may be in it
        already, which does no harm."""
        while True:
            await self._begin()
            async with self._reading:
                ring = self._ring
                if ring is None:
                    continue
                made = self._snapshots.get(jobs_max)
                now_s = trio.current_time()
                if made and now_s - made.made_s < SNAPSHOT_AGE_S and ring.holds(made.position):
                    return made, False
                snapshot = _Snapshot(ring.position, now_s, await self._read_all(jobs_max))
                if self._ring is ring:
                    self._snapshots[jobs_max] = snapshot
                    return snapshot, True

    async def _read_all(self, jobs_max: int | None) -> tuple[Parts, ...]:
        outline = Outline((), ())
        if jobs_max is not None:
            reply = await self._doors.read_watched(ReadOutline(jobs_max))
            outline = outline if isinstance(reply, Problem) else expect(reply, Outline)
        after = max(0, self._gathered.seq - SNAPSHOT_EVENTS)
        head = await self._ask(ReadWatched(happenings_after=after))
        pieces = [self._gathered.snapshot_head(head)]
        for command in snapshot_reads(outline):
            pieces.append(self._gathered.snapshot_piece(await self._ask(command)))
        return tuple(pieces)

    def _forget_old_snapshots(self, now_s: float) -> None:
        self._snapshots = {
            key: one for key, one in self._snapshots.items() if now_s - one.made_s < SNAPSHOT_AGE_S
        }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def feed_of(doors: Doors) -> Feed:
    """The node's one feed, made for its first reader."""
    if not isinstance(doors.feed, Feed):
        doors.feed = Feed(doors)
    return doors.feed


async def watch(request: Request) -> Response:
    """GET mesh/watch: the live feed of server-sent events, a snapshot and then what changes.

    It goes on from the id in `Last-Event-ID` or `last_id` where that is still held. With `job` it
    is about that job alone.
    """
    topics = _topics(query_text(request, "topics"))
    if query_text(request, "job"):
        return _frames(await _of_one_job(request, topics))
    jobs_max = query_number(request, "jobs")
    last_id = header_text(request, "last-event-id") or query_text(request, "last_id")
    return _frames(
        feed_of(doors_of(request)).read(read_position_untrusted(last_id), topics, jobs_max)
    )


async def _of_one_job(request: Request, topics: frozenset[str]) -> AsyncGenerator[bytes, None]:
    doors, named = doors_of(request), query_text(request, "job")
    if not topics & ROW_TOPICS:
        raise bad_request("the feed of one job has the topics jobs and executions alone")
    if len(named) > MAX_ID_CHARS:
        raise bad_request(f"job is longer than {MAX_ID_CHARS} characters")
    job = await find_job(doors, named, query_text(request, "namespace"), attempts=False)
    return read_job_feed(doors, job.id, topics & ROW_TOPICS)


def _frames(frames: AsyncGenerator[bytes, None]) -> Response:
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(frames, media_type="text/event-stream", headers=headers)


def _topics(text: str) -> frozenset[str]:
    topics = frozenset(one.strip().lower() for one in text.split(",") if one.strip())
    unknown = sorted(topics - set(TOPICS))
    if unknown:
        raise bad_request(f"topics must be of {', '.join(TOPICS)}, not {unknown[0][:40]!r}")
    return topics or frozenset(TOPICS)


ROUTES = [Route("/api/v1/mesh/watch", watch)]
