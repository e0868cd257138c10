"""Every "no" of the API in the one shape that Bacalhau's client decodes."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from mesh.member.commands import Problem

API_COMPONENT = "APIServer"


class Refused(Exception):
    """A request that gets an error document instead of an answer."""

    def __init__(self, problem: Problem, details: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.details = details or {}


def bad_request(message: str, *, hint: str = "", code: str = "BadRequest") -> Refused:
    """A caller's mistake in the request itself."""
    return Refused(Problem(code, message, hint=hint, status=400, component=API_COMPONENT))


def not_found(message: str, *, hint: str = "", component: str = API_COMPONENT) -> Refused:
    """Nothing here goes by that name."""
    return Refused(Problem("NotFound", message, hint=hint, status=404, component=component))


def error_response(
    problem: Problem, request_id: str, details: Mapping[str, str] | None = None
) -> JSONResponse:
    """The document: the id in it is the one of the `X-Request-Id` header."""
    document: dict[str, object] = {
        "Status": problem.status,
        "Message": problem.message,
        "RequestID": request_id,
        "Code": problem.code,
        "Component": problem.component,
    }
    if problem.hint:
        document["Hint"] = problem.hint
    if details:
        document["Details"] = dict(details)
    return JSONResponse(document, status_code=problem.status)


async def refused_response(request: Request, error: Exception) -> JSONResponse:
    """For the router: a `Refused`, or its own 404 and 405."""
    request_id = request.scope["mesh.request_id"]
    if isinstance(error, Refused):
        return error_response(error.problem, request_id, error.details)
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(_methods_of(request))
        message = f"{request.method} is not possible on this address: it takes {allowed}"
        problem = Problem("BadRequest", message, status=405, component=API_COMPONENT)
        error.headers = {"Allow": allowed}
    else:
        problem = Problem(
            "NotFound",
            f"there is nothing at {request.method} {request.scope['path'][:200]}",
            hint="Calls stand below /api/v1/orchestrator, /api/v1/agent and /api/v1/mesh",
            status=error.status_code,
            component=API_COMPONENT,
        )
    response = error_response(problem, request_id)
    if error.headers:
        response.headers.update(error.headers)
    return response


def _methods_of(request: Request) -> list[str]:
    """What the address takes: its calls are routes of their own, and the router names one's."""
    path = request.scope["path"]
    routes = [one for one in request.app.routes if one.path_regex.match(path)]
    return sorted({method for one in routes for method in one.methods})
