"""The page on an address of its own, for others on the network: it alone, behind a token.

Served are the page, its files (they hold no secret), the feed that it lives on, and one job's story
and logs. All else of the API is not there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import trio
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from mesh.edge.http import page
from mesh.edge.http.app import Api, Told, foreign_origin, host_name
from mesh.edge.http.errors import API_COMPONENT
from mesh.edge.http.reading import query_text
from mesh.edge.page_token import PageToken
from mesh.member.commands import Problem
from mesh.node.doors import Doors

COOKIE_S = 30 * 24 * 3600
"""A phone that was not used for a month asks for the link again."""
OPEN_TO_ALL = re.compile(r"/|/page/[^/]+")
API_CALLS = ("/api/v1/mesh/watch", "/api/v1/mesh/jobs/{id}/story", "/api/v1/mesh/jobs/{id}/logs")
ANY_HOST = ("", "0.0.0.0", "::")


class PageDoor:
    """An ASGI application over one node's doors. `host` is the one of `--page`."""

    def __init__(
        self, doors: Doors, routes: Sequence[BaseRoute], *, host: str, token: PageToken
    ) -> None:
        self._host = host.lower()
        self._token = token
        # Cookies know no ports: two nodes of one machine must not take each other's.
        self._cookie = f"page-{doors.status.node[2:10]}"
        calls = [one for one in routes if isinstance(one, Route) and one.path in API_CALLS]
        self._api = Api(
            doors, [Route("/", self._entrance), page.FILES, *calls], foreign=self._foreign
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = self._token.current()

        async def send_while_valid(message: Message) -> None:
            # A feed that was opened with a link ends with that link.
            if self._token.current() != token:
                cancellation.cancel()
            await send(message)

        with trio.CancelScope() as cancellation:
            await self._api(scope, receive, send_while_valid)

    async def _entrance(self, request: Request) -> Response:
        """GET the page, with the token of a link once and its cookie from then on."""
        given = query_text(request, "token").strip().lower()
        if given and self._token.opens(given):
            cookie = f"{self._cookie}={given}; Path=/; HttpOnly; SameSite=Strict"
            told = {"Set-Cookie": f"{cookie}; Max-Age={COOKIE_S}"}
            return page.file_response(page.PAGE, more_headers=told)
        if not given and self._known(request.scope["told"]):
            return page.file_response(page.PAGE)
        return page.entry_response(403 if given else 401)

    def _known(self, told: Told) -> bool:
        cookies = cookie_parser(told.get("cookie", ""))
        return self._token.opens(cookies.get(self._cookie, ""))

    def _foreign(self, told: Told, scope: Scope) -> Problem | None:
        problem = self._wrong_host(told, scope) or foreign_origin(told)
        if problem is not None or OPEN_TO_ALL.fullmatch(scope["path"]) or self._known(told):
            return problem
        return Problem(
            "Unauthorized",
            "this needs the link of the page",
            hint="`bacalhau-mesh page` prints it on the node's machine",
            status=401,
            component=API_COMPONENT,
        )

    def _wrong_host(self, told: Told, scope: Scope) -> Problem | None:
        """The host that was named; where that is every address, the one that was reached."""
        asked = host_name(told.get("host", ""))
        reached = (scope.get("server") or ("",))[0].lower()
        names = {reached.removeprefix("::ffff:"), *({self._host} - set(ANY_HOST))}
        if asked in names:
            return None
        return Problem(
            "Forbidden",
            f"the Host {asked[:80]!r} is not this page's own",
            hint="Use the link that `bacalhau-mesh page` prints",
            status=403,
            component=API_COMPONENT,
        )
