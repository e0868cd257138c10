"""The live feed narrowed to one job: its row and those of its executions, as soon as they change.

It reads for itself and waits for nobody: what people wait for at a terminal is told at once, and a
job of many parts gathers its changes as the whole feed does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager

import trio

from mesh.edge.feed import STILL_HERE, Parts, changes_frame, encode_rows, snapshot_frames
from mesh.edge.feed_gather import UNTOLD_MAX, snapshot_reads
from mesh.edge.feed_make import execution_row, job_row
from mesh.edge.http.preparing import is_prepared, with_remarks
from mesh.edge.http.reading import expect, node_names
from mesh.member.commands import AttemptReading, Problem
from mesh.member.events import Changed
from mesh.member.watched import Outline, ReadOutline, ReadWatched, WatchCommand, Watched
from mesh.node.doors import Doors
from scheduler.ids import AttemptId, JobId

GATHER_S = 0.1
"""Changes wait so long for others, but the first after quiet: nobody reads ten screens a second."""
FEW_PARTS = 16
"""A job of no more parts gathers nothing: a screen shows them all, and somebody waits for it."""
STILL_HERE_S = 10.0
LOOK_S = 2.0
"""Between two looks at what nodes say that prepare an execution: they say no more."""
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


class _Remarks:
    """What nodes say about executions that they prepare: it is in no record, so it is looked at."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._told: dict[AttemptId, str] = {}

    @property
    def open(self) -> tuple[AttemptId, ...]:
        """Executions that are being prepared, as last told."""
        return tuple(self._told)

    async def add_to(self, attempts: Iterable[AttemptReading]) -> list[AttemptReading]:
        """All of them, with remarks."""
        told = await with_remarks(self._doors, attempts)
        for one in told:
            self._told.pop(one.id, None)
            if is_prepared(one):
                self._told[one.id] = one.observation.message
        return told

    async def changed(self, attempts: Iterable[AttemptReading]) -> list[AttemptReading]:
        """Those that have a new one."""
        before = self._told
        self._told = {}
        told = await self.add_to(attempts)
        return [one for one in told if before.get(one.id) != one.observation.message]


async def read_job_feed(
    doors: Doors, job: JobId, topics: frozenset[str]
) -> AsyncGenerator[bytes, None]:
    """Frames about one job for one reader, until it goes."""
    remarks, told_s = _Remarks(doors), trio.current_time()
    with _listening(doors, job) as news:
        while True:
            attempts: tuple[AttemptId, ...] | None = ()
            with trio.move_on_after(LOOK_S if remarks.open else STILL_HERE_S) as waited:
                attempts = await news.take()
            frames: Iterable[bytes] = ()
            many_parts = False
            if waited.cancelled_caught:
                if frame := changes_frame(await _look(doors, job, remarks), None, topics):
                    frames = (frame,)
                elif trio.current_time() >= told_s + STILL_HERE_S:
                    frames = (STILL_HERE,)
            elif attempts is None:
                frames = snapshot_frames(await _whole(doors, job, remarks), None, topics)
            else:
                command = ReadWatched((job,), attempts, of_job=job)
                watched = expect(await _ask(doors, command), Watched)
                parts = await _parts(doors, job, watched, remarks)
                frames = filter(None, (changes_frame(parts, None, topics),))
                many_parts = any(one.count > FEW_PARTS for one in watched.jobs)
            for frame in frames:
                told_s = trio.current_time()
                yield frame
            if many_parts:
                await trio.sleep(GATHER_S)


async def _look(doors: Doors, job: JobId, remarks: _Remarks) -> Parts:
    """Executions whose nodes have said something new."""
    if not remarks.open:
        return Parts({})
    command = ReadWatched((job,), remarks.open, of_job=job)
    watched = expect(await _ask(doors, command), Watched)
    changed = await remarks.changed(watched.attempts)
    return Parts(encode_rows(Executions=[execution_row(one) for one in changed]))


async def _whole(doors: Doors, job: JobId, remarks: _Remarks) -> list[Parts]:
    outline = expect(await _ask(doors, ReadOutline(of_job=job)), Outline)
    pieces = [
        await _parts(doors, job, expect(await _ask(doors, command), Watched), remarks)
        for command in snapshot_reads(outline)
    ]
    return pieces or [Parts({}, {"Jobs": [job]})]


async def _parts(doors: Doors, job: JobId, watched: Watched, remarks: _Remarks) -> Parts:
    names = await node_names(doors, (one.reading for one in watched.jobs))
    rows = encode_rows(
        Jobs=[job_row(one, names) for one in watched.jobs],
        Executions=[execution_row(one) for one in await remarks.add_to(watched.attempts)],
    )
    return Parts(rows, {} if rows else {"Jobs": [job]})


async def _ask(doors: Doors, command: WatchCommand) -> Outline | Watched:
    while True:
        reply = await doors.read_watched(command)
        if not isinstance(reply, Problem):
            return reply
        await trio.sleep(TRY_AGAIN_S)
