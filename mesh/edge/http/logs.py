"""A job's output: over a WebSocket as Bacalhau's client reads it, and as server-sent events.

A frame is one JSON object, `{"value": {"Type": 1, "Line": "..."}}`, with type 1 for stdout and 2
for stderr. On the socket each is a text frame and has a newline after it; then comes Close 1000.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import trio
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mesh.edge.http.errors import Refused, bad_request
from mesh.edge.http.reading import (
    STILL_HERE_S,
    doors_of,
    find_job,
    path_id,
    query_flag,
    query_text,
)
from mesh.member.commands import AttemptReading, JobReading
from mesh.node.doors import BlobUnavailable, Doors
from scheduler.jobs import AttemptState

CHUNK_BYTES = 64 << 10
LOOK_AGAIN_S = 0.1
"""Output comes from a file, perhaps of another node: there is nothing to wait on."""
NEVER_RAN = (AttemptState.REFUSED, AttemptState.CANCELLED)
Frame = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the query asks for."""

    execution: str
    follow: bool
    tail: bool


def _wish(connection: HTTPConnection) -> _Wish:
    tail = query_flag(connection, "tail")
    follow = query_flag(connection, "follow") or tail
    return _Wish(query_text(connection, "execution_id"), follow, tail)


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
        job = await find_job(doors, path_id(socket), query_text(socket, "namespace"))
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
    job = await find_job(doors, path_id(request), query_text(request, "namespace"))
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

    Raises Refused or BlobUnavailable.
    """
    attempt = _choose(job, wish)
    while attempt is None:
        yield None
        with trio.move_on_after(STILL_HERE_S):
            await doors.wait_job_changed(job.id, job.revision)
        job = await find_job(doors, job.id, job.namespace)
        attempt = _choose(job, wish)
    # A character may be cut in two by the end of a chunk: each stream has its own decoder.
    decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in (1, 2)}
    offset = await _end_of(doors, attempt) if wish.tail else 0
    over = False
    while True:
        parts, offset, ended = await doors.read_logs(
            attempt.id, attempt.node, offset=offset, limit=CHUNK_BYTES
        )
        for stream, data in parts:
            if line := decoders[stream].decode(data):
                yield {"value": {"Type": stream, "Line": line}}
        if parts:
            continue
        if over or not wish.follow:
            return
        # A node that has not begun an attempt has no output to come either: only its record tells
        # whether it is over. What was written in between is read once more.
        over = ended and await _is_over(doors, attempt)
        if not over:
            yield None
            await trio.sleep(LOOK_AGAIN_S)


def _choose(job: JobReading, wish: _Wish) -> AttemptReading | None:
    """Whose output is read; None when it is worth waiting for one."""
    found = choose_attempt(job.attempts, wish.execution)
    if found is not None:
        return found
    if wish.execution:
        raise bad_request(f"job {job.id} has no execution {wish.execution[:60]}")
    if job.state.terminal or not wish.follow:
        raise bad_request(f"no executions found for job {job.id}: it is {job.state.value}")
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
    job = await find_job(doors, attempt.job, "")
    return all(one.observation.state.terminal for one in job.attempts if one.id == attempt.id)


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
