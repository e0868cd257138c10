"""A job's output: over a WebSocket as Bacalhau's client reads it, and as server-sent events.

A frame is one JSON object, `{"value": {"Type": 1, "Line": "..."}}`, with type 1 for stdout and 2
for stderr. On the socket each is a text frame and has a newline after it; then comes Close 1000.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import trio
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mesh.edge.http.errors import Refused, bad_request
from mesh.edge.http.log_frames import Frame, Wish, find, read_frames
from mesh.edge.http.reading import (
    STILL_HERE_S,
    doors_of,
    path_id,
    query_flag,
    query_number,
    query_seconds,
    query_text,
)
from mesh.member.commands import JobReading
from mesh.node.doors import BlobUnavailable, Doors


def _wish(connection: HTTPConnection) -> Wish:
    execution = query_text(connection, "execution_id")
    tail = query_flag(connection, "tail")
    follow = query_flag(connection, "follow") or tail
    return Wish(
        execution=execution,
        follow=follow,
        tail=tail,
        lines=query_number(connection, "lines"),
        since_ms=1000 * query_seconds(connection, "since"),
        version_number=query_number(connection, "job_version"),
        all_versions=query_flag(connection, "all_job_versions") or bool(execution),
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
        job = await find(doors, path_id(socket), query_text(socket, "namespace"), wish)
        async for frame in read_frames(doors, job, wish):
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
    job = await find(doors, path_id(request), query_text(request, "namespace"), wish)
    headers = {"Cache-Control": "no-store"}
    feed = _events(doors, job, wish)
    return StreamingResponse(feed, media_type="text/event-stream", headers=headers)


async def _events(doors: Doors, job: JobReading, wish: Wish) -> AsyncIterator[bytes]:
    told_s = trio.current_time()
    try:
        async for frame in read_frames(doors, job, wish):
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
