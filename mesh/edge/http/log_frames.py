"""What a job printed, as frames for one reader: from the log on the attempt's own node, and out of
its result where that log cannot be reached.

A frame is one JSON object, `{"value": {"Type": 1, "Line": "..."}}`, with type 1 for stdout and 2
for stderr.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import trio

from mesh.edge.http.errors import bad_request
from mesh.edge.http.kept_output import (
    AWAY,
    AWAY_MIDWAY,
    REMOVED,
    REST_AWAY,
    TIMES_NOT_KEPT,
    kept_output,
    note,
)
from mesh.edge.http.last_lines import LastLines
from mesh.edge.http.reading import STILL_HERE_S, find_job
from mesh.member.commands import AttemptReading, JobReading
from mesh.member.events import Changed
from mesh.node.doors import BlobUnavailable, Doors
from mesh.node.requests import LogPart
from runtime.outputs import NOTE, STDERR, STDOUT
from scheduler.ids import AttemptId, JobId, NodeId
from scheduler.jobs import AttemptState

CHUNK_BYTES = 64 << 10
WAIT_S = 5.0
"""How long a node keeps a question for output while it has none."""
AWAY_S = 2.0
"""A node that cannot be reached is asked again when something is heard of it, and after this while:
a link that opens tells nobody."""
STREAMS = (STDOUT, STDERR, NOTE)
NEVER_RAN = (AttemptState.REFUSED, AttemptState.CANCELLED)
ENDS: Mapping[AttemptState, str] = {
    AttemptState.FAILED: "failed",
    AttemptState.CANCELLED: "was stopped",
    AttemptState.SUCCEEDED: "succeeded",
}
"""How an attempt ended that another one follows; any other was given up for lost."""
SHORT_ID_CHARS = 10
Frame = dict[str, object]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asks for."""

    execution: str = ""
    follow: bool = False
    tail: bool = False
    """Only what is printed from now on."""
    lines: int = 0
    """Of what is there, only so many lines at the end; 0 for all."""
    since_ms: int = 0
    version_number: int = 0
    all_versions: bool = False


class _Lines:
    """The output of one attempt on its way to frames."""

    def __init__(self, count: int) -> None:
        # A character may be cut in two by the end of a part: each stream has its own decoder.
        self._decoders = {one: codecs.getincrementaldecoder("utf-8")("replace") for one in STREAMS}
        self._last = LastLines(count) if count else None
        self._passed: Counter[int] = Counter()

    @property
    def held_back(self) -> bool:
        """Nothing is told before all that is there was read."""
        return self._last is not None

    @property
    def begun(self) -> bool:
        """Some of it has passed here."""
        return bool(self._passed)

    def pass_over(self, parts: Sequence[tuple[int, bytes]]) -> None:
        """These are not to be told."""
        for stream, data in parts:
            self._passed[stream] += len(data)

    def take(self, stream: int, data: bytes) -> Iterator[Frame]:
        """More output."""
        self._passed[stream] += len(data)
        text = self._decoders[stream].decode(data)
        if self._last is not None:
            self._last.add(stream, text)
        elif text:
            yield line_frame(stream, text)

    def release(self) -> Iterator[Frame]:
        """Tell what was held back; from here on nothing is."""
        for stream, text in self._last or ():
            yield line_frame(stream, text)
        self._last = None

    def passed(self) -> dict[int, int]:
        """Bytes of each stream so far."""
        return dict(self._passed)


def line_frame(stream: int, text: str) -> Frame:
    """Remarks of the node's own (3) are shown among what went to stderr."""
    return {"value": {"Type": min(stream, STDERR), "Line": text}}


async def find(doors: Doors, job: str, namespace: str, wish: Wish) -> JobReading:
    """The job, with the attempts that the wish is about. Raises Refused."""
    return await find_job(
        doors,
        job,
        namespace,
        version_number=wish.version_number,
        all_versions=wish.all_versions,
    )


async def read_frames(doors: Doors, job: JobReading, wish: Wish) -> AsyncIterator[Frame | None]:
    """The frames, in order; None whenever there was nothing new for a while.

    Who follows without naming an execution is told of those that take over the same part of the
    job, and of no more once the job is over. Raises Refused or BlobUnavailable.
    """
    attempt = _choose(job, wish)
    while attempt is None:
        yield None
        job = await _after_change(doors, job, STILL_HERE_S)
        job = await find(doors, job.id, job.namespace, wish)
        attempt = _choose(job, wish)
    told = {attempt.id}
    while True:
        async for frame in _frames_of(doors, job, attempt, wish):
            yield frame
        if not wish.follow or wish.execution:
            return
        job = await _every_attempt(doors, job.id)
        while (successor := _successor(job, attempt, told)) is None:
            if job.state.terminal or _reading(job, attempt).accepted:
                return
            yield None
            job = await _after_change(doors, job, STILL_HERE_S)
        yield line_frame(NOTE, note(_handover(_reading(job, attempt), successor)).decode())
        attempt = successor
        told.add(attempt.id)
        wish = Wish(follow=True)


def _handover(before: AttemptReading, after: AttemptReading) -> str:
    end = ENDS.get(before.observation.state, "was given up")
    return (
        f"{before.id[:SHORT_ID_CHARS]} on {before.node_name} {end}: what follows is of "
        f"{after.id[:SHORT_ID_CHARS]} on {after.node_name}, from its beginning"
    )


async def _frames_of(
    doors: Doors, job: JobReading, attempt: AttemptReading, wish: Wish
) -> AsyncIterator[Frame | None]:
    """The frames of one attempt of a job as it was before. Raises Refused or BlobUnavailable."""
    lines = _Lines(wish.lines)
    offset = await _end_of(doors, attempt, lines) if wish.tail else 0
    over = False
    while True:
        patient = wish.follow and not over and not lines.held_back
        try:
            part = await _read(doors, attempt, offset, wish, patient=patient)
        except BlobUnavailable as away:
            async for frame in _without_its_node(doors, attempt, wish, lines, away):
                yield frame
            return
        if part is None:
            return
        parts, offset, ended = part
        if ended and not offset and _printed(attempt):
            async for frame in _kept_frames(doors, attempt, wish, lines, REMOVED):
                yield frame
            return
        for stream, data in parts:
            for frame in lines.take(stream, data):
                yield frame
        if parts:
            continue
        for frame in lines.release():
            yield frame
        if over or not wish.follow:
            return
        if ended:
            # A node that has not begun an attempt has no output to come either: only its record
            # tells whether it is over. What came since the job was looked at, before the log was,
            # is no news missed; what was written in between is read once more.
            if not _reading(job, attempt).observation.state.terminal:
                job = await _after_change(doors, job, STILL_HERE_S)
            over = _reading(job, attempt).observation.state.terminal
        if not over:
            yield None


async def _without_its_node(
    doors: Doors, attempt: AttemptReading, wish: Wish, lines: _Lines, away: BlobUnavailable
) -> AsyncIterator[Frame]:
    """What the log cannot tell any more. Raises Refused or BlobUnavailable."""
    job = await _every_attempt(doors, attempt.job)
    attempt = _reading(job, attempt)
    # Where a log that was read since some time began, its reader was not told.
    where_is_known = not (wish.since_ms and lines.begun)
    if attempt.observation.result is not None and where_is_known:
        why = (AWAY_MIDWAY if lines.begun else AWAY).format(attempt.node_name)
        async for frame in _kept_frames(doors, attempt, wish, lines, why):
            yield frame
    elif wish.follow and not wish.execution and not job.state.terminal:
        yield line_frame(NOTE, note(REST_AWAY.format(attempt.node_name)).decode())
    else:
        raise away


async def _kept_frames(
    doors: Doors, attempt: AttemptReading, wish: Wish, lines: _Lines, why: str
) -> AsyncIterator[Frame]:
    """What has not passed yet, out of the result, and first why. Raises BlobUnavailable."""
    if wish.since_ms > attempt.modified_ms:
        return
    if wish.since_ms > attempt.started_ms:
        why += TIMES_NOT_KEPT
    left = lines.passed()
    told = False
    async with aclosing(kept_output(doors, attempt, limit_bytes=CHUNK_BYTES)) as parts:
        async for stream, data in parts:
            known = min(left.get(stream, 0), len(data)) if stream != NOTE else 0
            left[stream] = left.get(stream, 0) - known
            if known == len(data):
                continue
            if not told:
                told = True
                yield line_frame(NOTE, note(why).decode())
            for frame in lines.take(stream, data[known:]):
                yield frame
    for frame in lines.release():
        yield frame


def _printed(attempt: AttemptReading) -> bool:
    told = attempt.observation
    return told.result is not None and bool(told.stdout_bytes or told.stderr_bytes)


async def _read(
    doors: Doors, attempt: AttemptReading, offset: int, wish: Wish, *, patient: bool
) -> LogPart | None:
    """Some output. None when its node is away and another attempt has taken over, or none will."""
    while True:
        try:
            return await doors.read_logs(
                attempt.id,
                attempt.node,
                offset=offset,
                limit=CHUNK_BYTES,
                wait_s=WAIT_S if patient else 0.0,
                since_ms=wish.since_ms,
            )
        except BlobUnavailable as error:
            if not wish.follow or attempt.observation.result is not None:
                raise
            away = error
        job = await _every_attempt(doors, attempt.job)
        attempt = _reading(job, attempt)
        if attempt.observation.result is not None:
            raise away
        if _successor(job, attempt, {attempt.id}) is not None:
            return None
        if attempt.observation.state.terminal or job.state.terminal:
            raise away
        await _after_news(doors, job, attempt.node)


async def _after_change(doors: Doors, job: JobReading, wait_s: float) -> JobReading:
    """The job once it has changed, or after a while."""
    with trio.move_on_after(wait_s):
        await doors.wait_job_changed(job.id, job.revision)
    return await _every_attempt(doors, job.id)


async def _after_news(doors: Doors, job: JobReading, node: NodeId) -> None:
    """Returns once the job has changed, or what is heard of a node, or after a while."""
    with trio.move_on_after(AWAY_S) as waiting:

        def note(changed: Changed) -> None:
            if node in changed.nodes:
                waiting.cancel()

        doors.listeners.append(note)
        try:
            await doors.wait_job_changed(job.id, job.revision)
        finally:
            doors.listeners.remove(note)


async def _every_attempt(doors: Doors, job: JobId) -> JobReading:
    """Of all versions: the one that is read may be superseded meanwhile."""
    return await find_job(doors, job, "", all_versions=True)


def _successor(
    job: JobReading, attempt: AttemptReading, told: Collection[AttemptId]
) -> AttemptReading | None:
    """Another attempt of the same part that has something to tell; the newest."""
    others = [
        one
        for one in job.attempts
        if (one.version_number, one.index) == (attempt.version_number, attempt.index)
        and one.id not in told
        and one.observation.state not in NEVER_RAN
        and one.created_ms >= attempt.created_ms
    ]
    return max(others, key=lambda one: (one.created_ms, one.id), default=None)


def _reading(job: JobReading, attempt: AttemptReading) -> AttemptReading:
    return next((one for one in job.attempts if one.id == attempt.id), attempt)


def _choose(job: JobReading, wish: Wish) -> AttemptReading | None:
    """Whose output is read; None when it is worth waiting for one."""
    found = choose_attempt(job.attempts, wish.execution)
    if found is not None:
        return found
    if wish.execution:
        raise bad_request(f"job {job.id} has no execution {wish.execution[:60]}")
    if job.state.terminal or not wish.follow:
        raise bad_request(
            f"no executions found for job {job.id}: it is {job.state.value}",
            hint=f"`bacalhau-mesh job explain {job.id[:10]}` says why",
        )
    return None


def choose_attempt(attempts: Sequence[AttemptReading], wanted: str) -> AttemptReading | None:
    """Whose output is shown: by id or unique prefix; without one, the newest that can have any."""
    if wanted:
        named = [one for one in attempts if one.id.startswith(wanted)]
        return named[0] if len(named) == 1 else None
    ran = [one for one in attempts if one.observation.state not in NEVER_RAN]
    accepted = [one for one in ran if one.accepted]
    return max(accepted or ran, key=lambda one: (one.modified_ms, one.id), default=None)


async def _end_of(doors: Doors, attempt: AttemptReading, lines: _Lines) -> int:
    offset = 0
    while True:
        parts, offset, ended = await doors.read_logs(
            attempt.id, attempt.node, offset=offset, limit=CHUNK_BYTES
        )
        lines.pass_over(parts)
        if ended or not parts:
            return offset
