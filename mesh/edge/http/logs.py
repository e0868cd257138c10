"""A job's output: over a WebSocket as Bacalhau's client reads it, and as server-sent events.

A frame is one JSON object, `{"value": {"Type": 1, "Line": "..."}}`, with type 1 for stdout and 2
for stderr. On the socket each is a text frame and has a newline after it; then comes Close 1000.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import trio
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mesh.edge.http.errors import Refused, bad_request
from mesh.edge.http.kept_output import AWAY, REMOVED, kept_output, note
from mesh.edge.http.last_lines import LastLines
from mesh.edge.http.reading import (
    STILL_HERE_S,
    doors_of,
    find_job,
    path_id,
    query_flag,
    query_number,
    query_seconds,
    query_text,
)
from mesh.member.commands import AttemptReading, JobReading
from mesh.node.doors import BlobUnavailable, Doors
from mesh.node.requests import LogPart
from runtime.outputs import NOTE, STDERR, STDOUT
from scheduler.ids import AttemptId, JobId
from scheduler.jobs import AttemptState

CHUNK_BYTES = 64 << 10
WAIT_S = 5.0
"""How long a node keeps a question for output while it has none."""
LOOK_AGAIN_S = 0.5
"""A node that has not begun an attempt, or cannot be reached, is asked so often: its records tell
sooner when that changes."""
STREAMS = (STDOUT, STDERR, NOTE)
NEVER_RAN = (AttemptState.REFUSED, AttemptState.CANCELLED)
Frame = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the query asks for."""

    execution: str = ""
    follow: bool = False
    tail: bool = False
    """Only what is printed from now on."""
    lines: int = 0
    """Of what is there, only so many lines at the end; 0 for all."""
    since_ms: int = 0
    version_number: int = 0
    all_versions: bool = False


def _wish(connection: HTTPConnection) -> _Wish:
    execution = query_text(connection, "execution_id")
    tail = query_flag(connection, "tail")
    follow = query_flag(connection, "follow") or tail
    return _Wish(
        execution=execution,
        follow=follow,
        tail=tail,
        lines=query_number(connection, "lines"),
        since_ms=1000 * query_seconds(connection, "since"),
        version_number=query_number(connection, "job_version"),
        all_versions=query_flag(connection, "all_job_versions") or bool(execution),
    )


async def _find(doors: Doors, job: str, namespace: str, wish: _Wish) -> JobReading:
    return await find_job(
        doors,
        job,
        namespace,
        version_number=wish.version_number,
        all_versions=wish.all_versions,
    )


# --- the two ways to read -------------------------------------------------------------------------


async def logs(socket: WebSocket) -> None:
    """GET orchestrator/jobs/{id}/logs, upgraded.

    As Bacalhau does, the socket is opened first and a problem is told in a frame of its own.
    """
    await socket.accept()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_when_closed, socket, nursery.cancel_scope)
        try:
            await _send_frames(socket)
            await socket.close(1000)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client went away first
        nursery.cancel_scope.cancel()


async def _send_frames(socket: WebSocket) -> None:
    doors = doors_of(socket)
    try:
        wish = _wish(socket)
        job = await _find(doors, path_id(socket), query_text(socket, "namespace"), wish)
        async for frame in _frames(doors, job, wish):
            if frame is not None:
                await socket.send_text(_text(frame) + "\n")
    except Refused as refused:
        await socket.send_text(_text(_error(refused.problem.message)) + "\n")
    except BlobUnavailable as error:
        await socket.send_text(_text(_error(str(error))) + "\n")


async def _cancel_when_closed(socket: WebSocket, scope: trio.CancelScope) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    scope.cancel()


async def log_feed(request: Request) -> Response:
    """GET mesh/jobs/{id}/logs: the same frames as server-sent events."""
    doors = doors_of(request)
    wish = _wish(request)
    job = await _find(doors, path_id(request), query_text(request, "namespace"), wish)
    headers = {"Cache-Control": "no-store"}
    feed = _events(doors, job, wish)
    return StreamingResponse(feed, media_type="text/event-stream", headers=headers)


async def _events(doors: Doors, job: JobReading, wish: _Wish) -> AsyncIterator[bytes]:
    told_s = trio.current_time()
    try:
        async for frame in _frames(doors, job, wish):
            if frame is not None:
                yield f"data: {_text(frame)}\n\n".encode()
            elif trio.current_time() < told_s + STILL_HERE_S:
                continue
            else:
                yield b": still here\n\n"
            told_s = trio.current_time()
    except Refused as refused:
        yield f"data: {_text(_error(refused.problem.message))}\n\n".encode()
    except BlobUnavailable as error:
        yield f"data: {_text(_error(str(error)))}\n\n".encode()


def _text(frame: Frame) -> str:
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)


def _error(message: str) -> Frame:
    return {"error": message, "value": {"Type": 0, "Line": ""}}


# --- what is read ---------------------------------------------------------------------------------


async def _frames(doors: Doors, job: JobReading, wish: _Wish) -> AsyncIterator[Frame | None]:
    """The frames, in order; None whenever there was nothing new for a while.

    Who follows without naming an execution is told of those that take over the same part of the
    job, and of no more once the job is over. Raises Refused or BlobUnavailable.
    """
    attempt = _choose(job, wish)
    while attempt is None:
        yield None
        job = await _after_change(doors, job, STILL_HERE_S)
        job = await _find(doors, job.id, job.namespace, wish)
        attempt = _choose(job, wish)
    told = {attempt.id}
    while True:
        async for frame in _frames_of(doors, attempt, wish):
            yield frame
        if not wish.follow or wish.execution:
            return
        job = await _every_attempt(doors, job.id)
        while (successor := _successor(job, attempt, told)) is None:
            if job.state.terminal or _reading(job, attempt).accepted:
                return
            yield None
            job = await _after_change(doors, job, STILL_HERE_S)
        attempt = successor
        told.add(attempt.id)
        wish = _Wish(follow=True)


async def _frames_of(
    doors: Doors, attempt: AttemptReading, wish: _Wish
) -> AsyncIterator[Frame | None]:
    """The frames of one attempt. Raises Refused or BlobUnavailable."""
    # A character may be cut in two by the end of a chunk: each stream has its own decoder.
    decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in STREAMS}
    last_lines = LastLines(wish.lines) if wish.lines else None
    offset = await _end_of(doors, attempt) if wish.tail else 0
    over = False
    while True:
        patient = wish.follow and not over and last_lines is None
        try:
            part = await _read(doors, attempt, offset, wish, patient=patient)
        except BlobUnavailable:
            if offset or wish.tail:
                raise
            async for frame in _kept_frames(doors, attempt, wish, AWAY.format(attempt.node_name)):
                yield frame
            return
        if part is None:
            return
        parts, offset, ended = part
        if ended and not offset and not wish.since_ms and _printed(attempt):
            async for frame in _kept_frames(doors, attempt, wish, REMOVED):
                yield frame
            return
        for stream, data in parts:
            if line := decoders[stream].decode(data):
                if last_lines is not None:
                    last_lines.add(stream, line)
                else:
                    yield _line(stream, line)
        if parts:
            continue
        for stream, line in () if last_lines is None else last_lines:
            yield _line(stream, line)
        last_lines = None
        if over or not wish.follow:
            return
        # A node that has not begun an attempt has no output to come either: only its record tells
        # whether it is over. What was written in between is read once more.
        over = ended and await _is_over(doors, attempt)
        if not over:
            yield None


async def _kept_frames(
    doors: Doors, attempt: AttemptReading, wish: _Wish, why: str
) -> AsyncIterator[Frame]:
    """The frames of an attempt out of its result, and first why. Raises BlobUnavailable."""
    decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in STREAMS}
    last_lines = LastLines(wish.lines) if wish.lines else None
    told = False
    async with aclosing(kept_output(doors, attempt, limit_bytes=CHUNK_BYTES)) as parts:
        async for stream, data in parts:
            if not told:
                told = True
                yield _line(2, note(why).decode())
            line = decoders[stream].decode(data)
            if last_lines is not None:
                last_lines.add(stream, line)
            elif line:
                yield _line(stream, line)
    for stream, line in () if last_lines is None else last_lines:
        yield _line(stream, line)


def _printed(attempt: AttemptReading) -> bool:
    told = attempt.observation
    return told.result is not None and bool(told.stdout_bytes or told.stderr_bytes)


async def _read(
    doors: Doors, attempt: AttemptReading, offset: int, wish: _Wish, *, patient: bool
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
        if _successor(job, attempt, {attempt.id}) is not None:
            return None
        if job.state.terminal:
            raise away
        await _after_change(doors, job, LOOK_AGAIN_S)


async def _after_change(doors: Doors, job: JobReading, wait_s: float) -> JobReading:
    """The job once it has changed, or after a while."""
    with trio.move_on_after(wait_s):
        await doors.wait_job_changed(job.id, job.revision)
    return await _every_attempt(doors, job.id)


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


def _line(stream: int, text: str) -> Frame:
    """Remarks of the node's own (3) are shown among what went to stderr."""
    return {"value": {"Type": min(stream, STDERR), "Line": text}}


def _choose(job: JobReading, wish: _Wish) -> AttemptReading | None:
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


async def _end_of(doors: Doors, attempt: AttemptReading) -> int:
    offset = 0
    while True:
        parts, offset, ended = await doors.read_logs(
            attempt.id, attempt.node, offset=offset, limit=CHUNK_BYTES
        )
        if ended or not parts:
            return offset


async def _is_over(doors: Doors, attempt: AttemptReading) -> bool:
    """Whether its record says so, at the latest when that changes or after a while."""
    job = await _every_attempt(doors, attempt.job)
    if not _reading(job, attempt).observation.state.terminal:
        job = await _after_change(doors, job, LOOK_AGAIN_S)
    return _reading(job, attempt).observation.state.terminal


async def not_upgraded(request: Request) -> Response:
    """The same address without an upgrade."""
    raise bad_request(
        "logs are sent over a WebSocket only",
        hint="Use `bacalhau-mesh job logs`, or open the address as ws://",
    )


PATH = "/api/v1/orchestrator/jobs/{id}/logs"
ROUTES = [
    WebSocketRoute(PATH, logs),
    Route(PATH, not_upgraded),
    Route("/api/v1/mesh/jobs/{id}/logs", log_feed),
]
