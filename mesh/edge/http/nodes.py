"""The members of the mesh, in Bacalhau's words."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesh.edge import documents, node_documents
from mesh.edge.http.errors import Refused, bad_request, not_found
from mesh.edge.http.reading import (
    body_text,
    doors_of,
    expect,
    path_id,
    query_choice,
    query_flag,
    query_number,
    read_object,
)
from mesh.member.commands import ListNodes, NodeDetail, Problem
from scheduler.constraints import matches, parse_selector_untrusted
from scheduler.errors import SelectorError

COMPONENT = "NodesManager"
ACTIONS = {"approve": "approved", "reject": "rejected", "delete": "deleted"}


def _available(name: str) -> Callable[[documents.Document], Any]:
    """Greatest first, as Bacalhau orders capacities."""
    return lambda node: -node["Info"]["ComputeNodeInfo"]["AvailableCapacity"].get(name, 0)


ORDERS: Mapping[str, Callable[[documents.Document], Any]] = {
    "id": lambda node: node["Info"]["NodeID"],
    "type": lambda node: node["Info"]["NodeType"],
    "available_cpu": _available("CPU"),
    "available_memory": _available("Memory"),
    "available_disk": _available("Disk"),
    "available_gpu": _available("GPU"),
    "approval": lambda node: node["Membership"],
    "status": lambda node: node["Connection"],
}


async def list_nodes(request: Request) -> Response:
    """GET orchestrator/nodes."""
    approval = query_choice(request, "filter-approval", ("approved", "pending", "rejected"))
    status = query_choice(request, "filter-status", ("connected", "disconnected"))
    order = query_choice(request, "order_by", tuple(ORDERS)) or "id"
    limit = query_number(request, "limit")
    reverse = query_flag(request, "reverse")
    wanted = [
        node
        for node in await list_node_documents(request)
        if _has_labels(request, node)
        and (not approval or node["Membership"].lower() == approval)
        and (not status or node["Connection"].lower() == status)
    ]
    wanted.sort(key=ORDERS[order], reverse=reverse)
    return JSONResponse({"NextToken": "", "Nodes": wanted[:limit] if limit else wanted})


async def get_node(request: Request) -> Response:
    """GET orchestrator/nodes/{id}: an id, a unique prefix of one, or a node's own name."""
    return JSONResponse({"Node": await _node_of(request)})


async def _node_of(request: Request) -> documents.Document:
    return find_node(await list_node_documents(request), path_id(request))


def find_node(nodes: Sequence[documents.Document], asked: str) -> documents.Document:
    """The one that goes by this id, unique prefix or name; Refused with 404 or 409."""
    exact = [one for one in nodes if asked in (one["Info"]["NodeID"], one["Mesh"]["Name"])]
    found = exact or [one for one in nodes if asked and one["Info"]["NodeID"].startswith(asked)]
    if not found:
        near = difflib.get_close_matches(asked, [one["Mesh"]["Name"] for one in nodes], 1)
        hint = f"Did you mean {near[0]}?" if near else ""
        raise not_found(f"node not found: {asked[:80]}", hint=hint, component=COMPONENT)
    if len(found) > 1:
        message = f"{len(found)} nodes go by {asked[:80]!r}"
        hint = "Give more of the id: " + ", ".join(one["Info"]["NodeID"] for one in found[:5])
        raise Refused(Problem("MultipleNodesFound", message, hint, 409, COMPONENT))
    return found[0]


async def change_node(request: Request) -> Response:
    """PUT orchestrator/nodes/{id}: whoever holds a certificate of the cluster is a member."""
    body = await read_object(request, ("Action", "Message", "NodeID"))
    action = body_text(body, "Action")
    known = await list_node_documents(request)
    found = find_node(known, path_id(request))["Info"]["NodeID"]
    if action not in ACTIONS:
        raise bad_request(f"Action must be one of {', '.join(ACTIONS)}, not {action[:40]!r}")
    hint = "Every node with a certificate of this cluster is a member; stop it where it runs."
    message = f"node {found} cannot be {ACTIONS[action]} by an orchestrator: a mesh has none"
    if action == "approve":
        hint, message = "", f"node {found} already approved"
    raise Refused(Problem("ConflictNodeState", message, hint, 409, COMPONENT))


async def list_node_documents(request: Request) -> list[documents.Document]:
    """Every member as this node sees it."""
    state = request.app.state
    details: tuple[NodeDetail, ...] = expect(await doors_of(request).ask(ListNodes()), tuple)
    return [
        node_documents.node_document(one, system=state.system, machine=state.machine)
        for one in details
    ]


def _has_labels(request: Request, node: documents.Document) -> bool:
    try:
        return all(
            matches(constraint, node["Info"]["Labels"])
            for text in request.query_params.getlist("labels")
            for constraint in parse_selector_untrusted(text)
        )
    except SelectorError as error:
        raise bad_request(f"labels: {error}") from None


ROUTES = [
    Route("/api/v1/orchestrator/nodes", list_nodes),
    Route("/api/v1/orchestrator/nodes/{id}", get_node, methods=["GET"]),
    Route("/api/v1/orchestrator/nodes/{id}", change_node, methods=["PUT"]),
]
