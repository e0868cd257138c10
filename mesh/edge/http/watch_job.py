"""The live feed narrowed to one job: its row and those of its executions, as soon as they change.

It reads for itself and waits for nobody: what people wait for at a terminal is told at once, and a
job of many parts gathers its changes as the whole feed does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import trio

from mesh.edge.feed import STILL_HERE, Parts, changes_frame, encode_rows, snapshot_frames
from mesh.edge.feed_gather import UNTOLD_MAX, snapshot_reads
from mesh.edge.feed_make import execution_row, job_row
from mesh.edge.http.reading import expect, node_names
from mesh.member.commands import Problem
from mesh.member.events import Changed
from mesh.member.watched import Outline, ReadOutline, ReadWatched, WatchCommand, Watched
from mesh.node.doors import Doors
from scheduler.ids import AttemptId, JobId

GATHER_S = 0.1
"""Changes wait so long for others, but the first after quiet: nobody reads ten screens a second."""
FEW_PARTS = 16
"""A job of no more parts gathers nothing: a screen shows them all, and somebody waits for it."""
STILL_HERE_S = 10.0
TRY_AGAIN_S = 0.5
"""While the node starts again from its disk."""


class JobNews:
    """What has changed of one job since it was last looked at."""

    def __init__(self, job: JobId) -> None:
        self._job = job
        self._attempts: dict[AttemptId, None] = {}
        self._everything = True
        self._noted = trio.Event()

    def note(self, changed: Changed) -> None:
        """The doors': something has changed, of this job or of another."""
        anything = not (changed.jobs or changed.attempts or changed.nodes)
        if anything or self._job in changed.jobs:
            self._attempts.update(dict.fromkeys(map(AttemptId, changed.attempts)))
            self._everything |= anything or len(self._attempts) > UNTOLD_MAX
            self._noted.set()

    async def take(self) -> tuple[AttemptId, ...] | None:
        """Executions, some of other jobs perhaps, once there is news; None: anything is new."""
        if not self._everything:
            await self._noted.wait()
        self._noted = trio.Event()
        taken = None if self._everything else tuple(self._attempts)
        self._attempts, self._everything = {}, False
        return taken


@contextmanager
def _listening(doors: Doors, job: JobId) -> Iterator[JobNews]:
    news = JobNews(job)
    doors.listeners.append(news.note)
    try:
        yield news
    finally:
        doors.listeners.remove(news.note)


async def read_job_feed(
    doors: Doors, job: JobId, topics: frozenset[str]
) -> AsyncGenerator[bytes, None]:
    """Frames about one job for one reader, until it goes."""
    with _listening(doors, job) as news:
        while True:
            attempts: tuple[AttemptId, ...] | None = ()
            with trio.move_on_after(STILL_HERE_S) as waited:
                attempts = await news.take()
            if waited.cancelled_caught:
                yield STILL_HERE
            elif attempts is None:
                for frame in snapshot_frames(await _whole(doors, job), None, topics):
                    yield frame
            else:
                command = ReadWatched((job,), attempts, of_job=job)
                watched = expect(await _ask(doors, command), Watched)
                frame = changes_frame(await _parts(doors, job, watched), None, topics)
                if frame:
                    yield frame
                if any(one.count > FEW_PARTS for one in watched.jobs):
                    await trio.sleep(GATHER_S)


async def _whole(doors: Doors, job: JobId) -> list[Parts]:
    outline = expect(await _ask(doors, ReadOutline(of_job=job)), Outline)
    pieces = [
        await _parts(doors, job, expect(await _ask(doors, command), Watched))
        for command in snapshot_reads(outline)
    ]
    return pieces or [Parts({}, {"Jobs": [job]})]


async def _parts(doors: Doors, job: JobId, watched: Watched) -> Parts:
    names = await node_names(doors, (one.reading for one in watched.jobs))
    rows = encode_rows(
        Jobs=[job_row(one, names) for one in watched.jobs],
        Executions=[execution_row(one) for one in watched.attempts],
    )
    return Parts(rows, {} if rows else {"Jobs": [job]})


async def _ask(doors: Doors, command: WatchCommand) -> Outline | Watched:
    while True:
        reply = await doors.read_watched(command)
        if not isinstance(reply, Problem):
            return reply
        await trio.sleep(TRY_AGAIN_S)
