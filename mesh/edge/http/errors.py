"""Every "no" of the API in the one shape that Bacalhau's client decodes."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from mesh.member.commands import Problem

API_COMPONENT = "APIServer"


class Refused(Exception):
    """A request that gets an error document instead of an answer."""

    def __init__(
        self,
        problem: Problem,
        details: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.details = details or {}
        self.headers = headers or {}


def bad_request(message: str, *, hint: str = "", code: str = "BadRequest") -> Refused:
    """A caller's mistake in the request itself."""
    return Refused(Problem(code, message, hint=hint, status=400, component=API_COMPONENT))


def not_found(message: str, *, hint: str = "", component: str = API_COMPONENT) -> Refused:
    """Nothing here goes by that name."""
    return Refused(Problem("NotFound", message, hint=hint, status=404, component=component))


def error_document(
    problem: Problem, request_id: str, details: Mapping[str, str] | None = None
) -> dict[str, object]:
    """What the client reads: the id in it is the one of the `X-Request-Id` header."""
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
    return document


def error_response(
    problem: Problem, request_id: str, details: Mapping[str, str] | None = None
) -> JSONResponse:
    """The document as an answer with the problem's status."""
    return JSONResponse(error_document(problem, request_id, details), status_code=problem.status)


def refused_response(refused: Refused, request_id: str) -> JSONResponse:
    """The answer to a request that is refused."""
    response = error_response(refused.problem, request_id, refused.details)
    response.headers.update(refused.headers)
    return response
