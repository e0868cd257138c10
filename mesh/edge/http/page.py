"""The page for browsers at `/`, and the files that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mesh.edge.http.errors import not_found
from mesh.edge.http.reading import path_id

FOLDER = Path(__file__).resolve().parent.parent / "page"
PAGE, ENTRY = "page.html", "entry.html"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Mapping[str, str] = {
    # Nothing inline and nothing from elsewhere: what a job is called can never run.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The files are of one version together, and small: an old one must not outlive an update.
    "Cache-Control": "no-store",
}

ENTRY_WORDS: Mapping[int, tuple[str, str]] = {
    401: (
        "This page opens with its link",
        "It shows the nodes and jobs of a mesh to those who were given the link.",
    ),
    403: (
        "This link is not valid",
        "It may be an old one, made before somebody asked for a new one, or not whole.",
    ),
}
"""Title and reason by status."""


@cache
def files() -> Mapping[str, bytes]:
    """Every file of the page by its name."""
    paths = (path for path in FOLDER.iterdir() if path.suffix in KINDS)
    return {path.name: path.read_bytes() for path in paths}


async def page(request: Request) -> Response:
    """GET the page for browsers: a live picture of the mesh as this node sees it."""
    return file_response(PAGE)


async def page_file(request: Request) -> Response:
    """GET a file that the page for browsers is made of."""
    name = path_id(request, "name")
    if name not in files() or name in (PAGE, ENTRY):
        raise not_found(f"the page has no file {name[:80]!r}", hint="The page itself is at /")
    return file_response(name)


def file_response(name: str, *, more_headers: Mapping[str, str] | None = None) -> Response:
    """One file of the page with the headers that all of them have."""
    return _response(name, files()[name], 200, more_headers or {})


def entry_response(status: int) -> Response:
    """Where a link is needed: 401 without one, 403 for one that is not valid."""
    content = files()[ENTRY]
    for name, text in zip(("{title}", "{why}"), ENTRY_WORDS[status], strict=True):
        content = content.replace(name.encode(), text.encode())
    return _response(ENTRY, content, status, {})


def _response(name: str, content: bytes, status: int, more_headers: Mapping[str, str]) -> Response:
    headers = {**HEADERS, **more_headers}
    kind = KINDS[Path(name).suffix]
    return Response(content, status_code=status, headers=headers, media_type=kind)


FILES = Route("/page/{name}", page_file)
ROUTES = [Route("/", page), FILES]
