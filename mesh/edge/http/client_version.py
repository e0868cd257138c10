"""Which releases of Bacalhau's client are served: those from 1.4 on, as by its own orchestrator."""

from __future__ import annotations

import re

from starlette.responses import JSONResponse

from mesh.edge import node_documents
from mesh.edge.http.errors import API_COMPONENT, error_document
from mesh.member.commands import Problem

HEADER = "x-bacalhau-git-version"
OLDEST = (1, 4, 0)
"""Older clients send jobs of another shape."""
UNRELEASED = ("v0.0.0", "v0.0.0-xxxxxxx")
"""What a client built from source says."""
VERSION = re.compile(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:[-+][0-9A-Za-z.+-]*)?", re.A)
MAX_SHOWN = 40


def version_answer(version: str, request_id: str) -> JSONResponse | None:
    """The answer to a client of a release that is not served, in the words of both APIs; None for
    any other, and for one that does not say."""
    if not version or version in UNRELEASED:
        return None
    found = VERSION.fullmatch(version)
    shown = version[:MAX_SHOWN].removeprefix("v")
    if found is None:
        return _answer(f"Invalid client version {version[:MAX_SHOWN]}", 400, request_id, "", "", "")
    if tuple(int(part or 0) for part in found.groups()) >= OLDEST:
        return None
    oldest = ".".join(map(str, OLDEST))
    server = node_documents.GIT_VERSION.removeprefix("v")
    return _answer(
        "Client version is outdated. Update your client", 403, request_id, oldest, shown, server
    )


def _answer(
    message: str, status: int, request_id: str, oldest: str, client: str, server: str
) -> JSONResponse:
    code = "BadRequest" if status == 400 else "Forbidden"
    hint = f"Clients from release {oldest} on are served" if oldest else ""
    problem = Problem(code, message, hint, status, API_COMPONENT)
    document = error_document(problem, request_id) | {
        "Error": message,
        "MinVersion": oldest,
        "ClientVersion": client,
        "ServerVersion": server,
    }
    return JSONResponse(document, status_code=status)
