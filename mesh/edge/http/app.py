"""The API as one ASGI application: what every request and every answer gets."""

from __future__ import annotations

import logging
import platform
import secrets
from collections.abc import Callable, Mapping, Sequence

from starlette.datastructures import State
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from mesh.edge import node_documents
from mesh.edge.http import agent, history, jobs, logs, members, mesh, nodes, openapi, page, story
from mesh.edge.http.client_version import HEADER as VERSION_HEADER
from mesh.edge.http.client_version import version_answer
from mesh.edge.http.dispatch import Dispatch
from mesh.edge.http.errors import API_COMPONENT, Refused, error_response, refused_response
from mesh.edge.http.modules import Modules
from mesh.member.commands import Problem
from mesh.node.doors import Doors, disk_full
from storage.errors import is_disk_full

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
GO_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
MAX_REQUEST_ID_CHARS = 128
Told = Mapping[str, str]
"""The headers of a request, by their names in lower case."""
Foreign = Callable[[Told, Scope], Problem | None]
"""Why a request is not to be served, by its headers and where it came in; None to serve it."""

log = logging.getLogger("mesh.edge.http")


def make_app(doors: Doors) -> Api:
    """The API over one node's doors."""
    routes = (
        *(*agent.ROUTES, *jobs.ROUTES, *history.ROUTES, *logs.ROUTES, *nodes.ROUTES),
        *(*mesh.ROUTES, *members.ROUTES, *story.ROUTES, *openapi.ROUTES, *page.ROUTES),
    )
    return Api(doors, routes)


class Api:
    """An ASGI application: each request gets its id, a look at where it comes from, an answer.

    A web page can send requests to a loopback address, and can give that address a name of its own;
    a browser then tells the page's origin or the page's host name: both are refused.
    """

    def __init__(
        self, doors: Doors, routes: Sequence[BaseRoute], *, foreign: Foreign | None = None
    ) -> None:
        self.routes = routes
        """What is served, for the document that describes it."""
        system = platform.system().lower()
        machine = GO_MACHINES.get(platform.machine(), platform.machine())
        self.doors = doors
        self.state = State({"system": system, "machine": machine, "modules": Modules()})
        self._foreign = foreign or (lambda told, _: foreign_problem(told, self.doors))
        self._dispatch = Dispatch(routes)
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
        told = {name.decode("latin-1"): one.decode("latin-1") for name, one in scope["headers"]}
        request_id = _request_id(told)
        # The router matches what was sent, so that an escaped slash stays inside its id.
        scope.update({"app": self, "told": told, "path": _raw_path(scope)})
        response: Response | None
        problem = self._foreign(told, scope)
        if problem is not None:
            response = error_response(problem, request_id)
        else:
            response = version_answer(told.get(VERSION_HEADER, ""), request_id)
        if response is None and scope["type"] == "websocket":
            await self._talk(scope, receive, send, request_id)
            return
        if response is None:
            response = await self._answer(Request(scope, receive), request_id)
        if response is None:
            return  # nobody is left to answer
        response.raw_headers += self._ours(request_id)
        try:
            await response(scope, receive, send)
        except Exception:
            log.exception("the answer to request %s failed", request_id)
            raise

    def _ours(self, request_id: str) -> list[tuple[bytes, bytes]]:
        return [(b"x-request-id", request_id.encode("latin-1")), *self._headers]

    async def _answer(self, request: Request, request_id: str) -> Response | None:
        try:
            return await self._dispatch.answer(request)
        except Refused as refused:
            return refused_response(refused, request_id)
        except ClientDisconnect:
            return None
        except Exception as error:
            if isinstance(error, OSError) and is_disk_full(error):
                folder = self.doors.status.data_dir
                reason = f"The disk that holds {folder} on this node is full; free some space."
                return error_response(disk_full(reason), request_id)
            log.exception("request %s failed", request_id)
            return _our_own_error(request_id)

    async def _talk(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "websocket.http.response.start":
                message["headers"] = [*message["headers"], *self._ours(request_id)]
            await send(message)

        try:
            await self._dispatch.talk(scope, receive, send_with_headers)
        except Exception:
            log.exception("request %s failed", request_id)
            raise


def _our_own_error(request_id: str) -> Response:
    problem = Problem(
        "InternalError",
        "this node met an error of its own and could not answer",
        hint=f"The node's log has the details under request {request_id}",
        status=500,
        component=API_COMPONENT,
    )
    return error_response(problem, request_id)


def _request_id(told: Told) -> str:
    given = told.get("x-request-id")
    if given is None:
        return secrets.token_hex(16)
    usable = given.isascii() and given.isprintable() and len(given) <= MAX_REQUEST_ID_CHARS
    return given if given and usable else secrets.token_hex(16)


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8")
    return raw.decode("ascii", errors="replace")


def foreign_problem(told: Told, doors: Doors) -> Problem | None:
    """Why this request is not from a client of this API; None when it may be one."""
    host = told.get("host", "")
    if host and not _is_ours(host_name(host), doors):
        return _forbidden(
            f"the Host {host[:80]!r} is not one of this API's own",
            "Ask by 127.0.0.1, localhost or the address that the node's --api names",
        )
    return foreign_origin(told)


def _is_ours(host: str, doors: Doors) -> bool:
    return host in LOOPBACK_NAMES or host in map(host_name, doors.status.api_addresses)


def foreign_origin(told: Told) -> Problem | None:
    """Why the page that a browser asks for is not one of this host; None when it is or none is."""
    host = told.get("host", "")
    origin = told.get("origin")
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
