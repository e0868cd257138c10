"""Which call a request is for: the table of routes, and the way from a request to its answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from mesh.edge.http.errors import API_COMPONENT, Refused, not_found
from mesh.member.commands import Problem

Call = Callable[[Request], Awaitable[Response]]
Talk = Callable[[WebSocket], Awaitable[None]]


@dataclass(slots=True)
class _Place:
    """One address and what it takes."""

    pattern: re.Pattern[str]
    calls: dict[str, Call] = field(default_factory=dict)
    talk: Talk | None = None


class Dispatch:
    """The routes, found by their fixed text where they have no parts to fill in.

    A request costs one look-up, or a few patterns of as many parts as its path has.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._fixed: dict[str, _Place] = {}
        self._by_parts: dict[int, list[_Place]] = {}
        places: dict[str, _Place] = {}
        for route in routes:
            assert isinstance(route, Route | WebSocketRoute)
            place = places.get(route.path)
            if place is None:
                place = places[route.path] = _Place(route.path_regex)
                self._place(route.path, place)
            if isinstance(route, WebSocketRoute):
                place.talk = route.endpoint
            else:
                place.calls |= dict.fromkeys(route.methods or (), route.endpoint)

    def _place(self, path: str, place: _Place) -> None:
        if "{" in path:
            self._by_parts.setdefault(path.count("/"), []).append(place)
        else:
            self._fixed[path] = place

    def _found(self, path: str) -> Iterable[tuple[_Place, Mapping[str, str]]]:
        place = self._fixed.get(path)
        if place is not None:
            yield place, {}
        for place in self._by_parts.get(path.count("/"), ()):
            match = place.pattern.match(path)
            if match is not None:
                yield place, match.groupdict()

    async def answer(self, request: Request) -> Response:
        """What the call for this request answers. Refused, also where there is none."""
        scope = request.scope
        path, method = scope["path"], scope["method"]
        taken: set[str] = set()
        for place, parts in self._found(path):
            call = place.calls.get(method)
            if call is not None:
                scope["path_params"] = parts
                return await call(request)
            taken |= place.calls.keys()
        if taken:
            raise _not_this_way(method, ", ".join(sorted(taken)))
        raise not_found(
            f"there is nothing at {method} {path[:200]}",
            hint="Calls stand below /api/v1/orchestrator, /api/v1/agent and /api/v1/mesh",
        )

    async def talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the conversation that a WebSocket is for; one for nothing is refused."""
        for place, parts in self._found(scope["path"]):
            if place.talk is not None:
                scope["path_params"] = parts
                await place.talk(WebSocket(scope, receive, send))
                return
        await send({"type": "websocket.close", "code": 1000, "reason": ""})


def _not_this_way(method: str, allowed: str) -> Refused:
    message = f"{method} is not possible on this address: it takes {allowed}"
    problem = Problem("BadRequest", message, status=405, component=API_COMPONENT)
    return Refused(problem, headers={"Allow": allowed})
