"""A job's output over a WebSocket: a JSON object and a newline per text frame, then Close 1000."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mesh.edge.http.errors import Refused, bad_request
from mesh.edge.http.reading import (
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


async def logs(socket: WebSocket) -> None:
    """GET orchestrator/jobs/{id}/logs, upgraded.

    As Bacalhau does, the socket is opened first and a problem is told in a frame of its own.
    """
    await socket.accept()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_when_closed, socket, nursery.cancel_scope)
        try:
            await _serve_logs(socket)
            await socket.close(1000)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client went away first
        nursery.cancel_scope.cancel()


async def _serve_logs(socket: WebSocket) -> None:
    doors = doors_of(socket)
    try:
        tail = query_flag(socket, "tail")
        follow = query_flag(socket, "follow") or tail
        job = await find_job(doors, path_id(socket), query_text(socket, "namespace"))
        wanted = query_text(socket, "execution_id")
        attempt = await _choose(doors, job, wanted, follow=follow)
        offset = await _end_of(doors, attempt) if tail else 0
        await _copy(socket, doors, attempt, offset, follow=follow)
    except Refused as refused:
        await _send(socket, {"error": refused.problem.message, "value": {"Type": 0, "Line": ""}})
    except BlobUnavailable as error:
        await _send(socket, {"error": str(error), "value": {"Type": 0, "Line": ""}})


async def _cancel_when_closed(socket: WebSocket, scope: trio.CancelScope) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    scope.cancel()


async def _choose(doors: Doors, job: JobReading, wanted: str, *, follow: bool) -> AttemptReading:
    """The execution asked for, or the one that `choose_attempt` finds; with `follow`, wait."""
    while True:
        found = choose_attempt(job.attempts, wanted)
        if found is not None:
            return found
        if wanted:
            raise bad_request(f"job {job.id} has no execution {wanted[:60]}")
        if job.state.terminal or not follow:
            raise bad_request(f"no executions found for job {job.id}: it is {job.state.value}")
        await doors.wait_job_changed(job.id, job.revision)
        job = await find_job(doors, job.id, job.namespace)


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


async def _copy(
    socket: WebSocket, doors: Doors, attempt: AttemptReading, offset: int, *, follow: bool
) -> None:
    # A character may be cut in two by the end of a chunk: each stream has its own decoder.
    decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in (1, 2)}
    over = False
    while True:
        parts, offset, ended = await doors.read_logs(
            attempt.id, attempt.node, offset=offset, limit=CHUNK_BYTES
        )
        for stream, data in parts:
            if line := decoders[stream].decode(data):
                await _send(socket, {"value": {"Type": stream, "Line": line}})
        if parts:
            continue
        if over or not follow:
            return
        # A node that has not begun an attempt has no output to come either: only its record tells
        # whether it is over. What was written in between is read once more.
        over = ended and await _is_over(doors, attempt)
        if not over:
            await trio.sleep(LOOK_AGAIN_S)


async def _is_over(doors: Doors, attempt: AttemptReading) -> bool:
    job = await find_job(doors, attempt.job, "")
    return all(one.observation.state.terminal for one in job.attempts if one.id == attempt.id)


async def _send(socket: WebSocket, frame: object) -> None:
    await socket.send_text(json.dumps(frame, separators=(",", ":"), ensure_ascii=False) + "\n")


async def not_upgraded(request: Request) -> Response:
    """The same address without an upgrade."""
    raise bad_request(
        "logs are sent over a WebSocket only",
        hint="Use `bacalhau-mesh job logs`, or open the address as ws://",
    )


PATH = "/api/v1/orchestrator/jobs/{id}/logs"
ROUTES = [WebSocketRoute(PATH, logs), Route(PATH, not_upgraded)]
