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
PAGE = "page.html"
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
    if name not in files() or name == PAGE:
        raise not_found(f"the page has no file {name[:80]!r}", hint="The page itself is at /")
    return file_response(name)


def file_response(
    name: str, *, status: int = 200, more_headers: Mapping[str, str] | None = None
) -> Response:
    """One file of the page with the headers that all of them have."""
    headers = {**HEADERS, **(more_headers or {})}
    kind = KINDS[Path(name).suffix]
    return Response(files()[name], status_code=status, headers=headers, media_type=kind)


FILES = Route("/page/{name}", page_file)
ROUTES = [Route("/", page), FILES]
