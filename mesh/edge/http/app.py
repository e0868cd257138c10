"""The API as one ASGI application: the router, and the envelope around every request."""

from __future__ import annotations

import logging
import platform
import secrets
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mesh.edge import node_documents
from mesh.edge.http import agent, history, jobs, logs, members, mesh, nodes, openapi
from mesh.edge.http.errors import API_COMPONENT, Refused, error_response, refused_response
from mesh.member.commands import Problem
from mesh.node.doors import Doors

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
GO_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
MAX_REQUEST_ID_CHARS = 128

log = logging.getLogger("mesh.edge.http")


def make_app(doors: Doors) -> ASGIApp:
    """The API over one node's doors."""
    app = Starlette(
        routes=[
            *(*agent.ROUTES, *jobs.ROUTES, *history.ROUTES, *logs.ROUTES, *nodes.ROUTES),
            *(*mesh.ROUTES, *members.ROUTES, *openapi.ROUTES),
        ],
        exception_handlers={
            Refused: refused_response,
            HTTPException: refused_response,
            Exception: _our_own_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.doors = doors
    app.state.system = platform.system().lower()
    app.state.machine = GO_MACHINES.get(platform.machine(), platform.machine())
    return Envelope(app, doors, app.state.system, app.state.machine)


class Envelope:
    """What every request gets: its id, a look at where it comes from, our headers, an answer.

    A web page can send requests to a loopback address, and can give that address a name of its own;
    a browser then tells the page's origin or the page's host name: both are refused.
    """

    def __init__(self, app: ASGIApp, doors: Doors, system: str, machine: str) -> None:
        self._app = app
        self._doors = doors
        headers = {
            "Vary": "Origin",
            "X-Bacalhau-Git-Version": node_documents.GIT_VERSION,
            "X-Bacalhau-Git-Commit": node_documents.GIT_COMMIT,
            "X-Bacalhau-Build-Date": "1970-01-01 00:00:00 +0000 UTC",
            "X-Bacalhau-Build-OS": system,
            "X-Bacalhau-Arch": machine,
        }
        self._headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        # The router matches what was sent, so that an escaped slash stays inside its id.
        scope = {**scope, "path": _raw_path(scope), "mesh.request_id": request_id}
        answered = False

        async def send_with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.body":
                answered = not message.get("more_body", False)
            if message["type"] == "http.response.start":
                told = (b"x-request-id", request_id.encode("latin-1"))
                message["headers"] = [*message.get("headers", ()), told, *self._headers]
            await send(message)

        problem = foreign_problem(headers, self._doors.status.api_addresses)
        if problem is not None:
            response = error_response(problem, request_id)
            await response(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            log.exception("request %s failed", request_id)
            if not answered:
                raise


async def _our_own_error(request: Request, error: Exception) -> Response:
    request_id = request.scope["mesh.request_id"]
    problem = Problem(
        "InternalError",
        "this node met an error of its own and could not answer",
        hint=f"The node's log has the details under request {request_id}",
        status=500,
        component=API_COMPONENT,
    )
    return error_response(problem, request_id)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    usable = given.isascii() and given.isprintable() and len(given) <= MAX_REQUEST_ID_CHARS
    return given if given and usable else secrets.token_hex(16)


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8")
    return raw.decode("ascii", errors="replace")


def foreign_problem(headers: Headers, api_addresses: Iterable[str]) -> Problem | None:
    """Why this request is not from a client of this API; None when it may be one."""
    host = headers.get("host", "")
    names = {*LOOPBACK_NAMES, *(host_name(address) for address in api_addresses)}
    if host and host_name(host) not in names:
        return _forbidden(
            f"the Host {host[:80]!r} is not one of this API's own",
            "Ask by 127.0.0.1, localhost or the address that the node's --api names",
        )
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return _forbidden(
            f"requests of the web page {origin[:80]!r} are not served",
            "Only pages of this API itself may use it",
        )
    return None


def host_name(address: str) -> str:
    """The host part of HOST:PORT, in lower case and without brackets."""
    if address.startswith("["):
        return address[1:].partition("]")[0].lower()
    return address.rpartition(":")[0].lower() if ":" in address else address.lower()


def _forbidden(message: str, hint: str) -> Problem:
    return Problem("Forbidden", message, hint=hint, status=403, component=API_COMPONENT)
