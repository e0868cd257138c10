"""Facts about the node that is asked, and the login that accepts everybody."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mesh.edge import node_documents
from mesh.edge.http.errors import not_found
from mesh.edge.http.reading import doors_of, expect, read_body
from mesh.member.commands import ListNodes


async def alive(request: Request) -> Response:
    """GET agent/alive."""
    return JSONResponse({"Status": "OK"})


async def version(request: Request) -> Response:
    """GET agent/version."""
    state = request.app.state
    return JSONResponse(
        node_documents.version_document(
            system=state.system,
            machine=state.machine,
            mesh_version=doors_of(request).status.version,
        )
    )


async def node(request: Request) -> Response:
    """GET agent/node."""
    state = request.app.state
    for detail in expect(await doors_of(request).ask(ListNodes()), tuple):
        if detail.is_self:
            return JSONResponse(
                node_documents.node_info_document(
                    detail, system=state.system, machine=state.machine
                )
            )
    raise not_found("this node does not know itself yet: ask again in a moment")


async def config(request: Request) -> Response:
    """GET agent/config."""
    status = doors_of(request).status
    host, _, port = next(iter(status.api_addresses), "127.0.0.1:1234").rpartition(":")
    return JSONResponse(
        node_documents.config_document(
            api_host=host,
            api_port=int(port) if port.isdigit() else 0,
            data_dir=str(status.data_dir),
            name=status.name,
        )
    )


async def auth_config(request: Request) -> Response:
    """GET agent/authconfig."""
    return JSONResponse({"Version": "1.0.0", "Config": {}})


async def auth_methods(request: Request) -> Response:
    """GET auth."""
    return JSONResponse(node_documents.auth_document(doors_of(request).status.node))


async def log_in(request: Request) -> Response:
    """POST auth/{name}: whoever reaches this API may use it, so any answer will do."""
    await read_body(request)
    token = secrets.token_urlsafe(16)
    return JSONResponse({"Authentication": {"success": True, "token": token}})


async def to_version(request: Request) -> Response:
    """An old address of the version."""
    return RedirectResponse("/api/v1/agent/version", status_code=301)


async def to_alive(request: Request) -> Response:
    """The address that load balancers ask."""
    return RedirectResponse("/api/v1/agent/alive", status_code=301)


ROUTES = [
    Route("/version", to_version),
    Route("/livez", to_alive),
    Route("/api/v1/agent/alive", alive),
    Route("/api/v1/agent/version", version),
    Route("/api/v1/agent/node", node),
    Route("/api/v1/agent/config", config),
    Route("/api/v1/agent/authconfig", auth_config),
    Route("/api/v1/auth", auth_methods),
    Route("/api/v1/auth/{name}", log_in, methods=["POST"]),
]
