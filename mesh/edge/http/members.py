"""Calls about members that only a mesh has: one node with all it does, and cuts for trials."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesh.edge import node_documents
from mesh.edge.http.errors import API_COMPONENT, Refused, bad_request
from mesh.edge.http.nodes import find_node, list_node_documents
from mesh.edge.http.reading import (
    body_number,
    body_text,
    doors_of,
    expect,
    path_id,
    read_object,
)
from mesh.member.commands import DescribeNode, IntentTaken, NodeWork, Problem, SetIntent
from scheduler.ids import NodeId
from scheduler.intents import DRAIN_AFTER_S

MAX_DEADLINE_S = 30 * 24 * 3600
"""A month: who wants longer wants a cordon."""


async def describe_node(request: Request) -> Response:
    """GET mesh/nodes/{id}: what it offers, what it runs and refused, what it sends.

    Work is as far as the asked node has heard; what is sent, the node itself tells while it can be
    reached.
    """
    doors = doors_of(request)
    node = find_node(await list_node_documents(request), path_id(request))
    node_id = NodeId(node["Info"]["NodeID"])
    work = expect(await doors.ask(DescribeNode(node_id)), NodeWork)
    facts = await doors.read_facts(node_id)
    return JSONResponse({"Node": node} | node_documents.node_work_document(work, facts))


async def change_intent(request: Request) -> Response:
    """PUT mesh/nodes/{id}/intent: what an operator wants of a node.

    `Intent` is `cordoned` (no new work), `draining` (what runs may go on for `DeadlineSeconds`, ten
    minutes where that is not given, then it moves) or empty (work as before).
    """
    doors = doors_of(request)
    body = await read_object(request, ("Intent", "Reason", "DeadlineSeconds"))
    if "Intent" not in body:
        raise bad_request("Intent is required: cordoned, draining or empty")
    node = find_node(await list_node_documents(request), path_id(request))
    deadline_s = body_number(body, "DeadlineSeconds")
    if body.get("DeadlineSeconds") is None:
        deadline_s = DRAIN_AFTER_S
    if not 0 <= deadline_s <= MAX_DEADLINE_S:
        raise bad_request(f"DeadlineSeconds must be from 0 to {MAX_DEADLINE_S}")
    wanted = SetIntent(
        NodeId(node["Info"]["NodeID"]),
        body_text(body, "Intent"),
        body_text(body, "Reason"),
        deadline_s,
    )
    taken = expect(await doors.ask(wanted), IntentTaken)
    return JSONResponse(
        {
            "NodeID": taken.node,
            "Name": node["Mesh"]["Name"],
            "Intent": taken.intent,
            "Already": taken.already,
            "State": node["Mesh"]["State"],
        }
    )


async def change_faults(request: Request) -> Response:
    """PUT mesh/faults: be cut off from the nodes named under `Cut`, and from no others."""
    doors = doors_of(request)
    if request.scope.get("server") is not None:
        raise _forbidden(
            "faults are made over the node's own socket only",
            "Run it on the node's machine with --data-dir",
        )
    if doors.cut_off is None:
        raise _forbidden(
            "this node takes no faults", "Start it with --allow-faults to try out a split"
        )
    named = (await read_object(request, ("Cut",))).get("Cut") or []
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise bad_request("Cut must be a list of node ids or names")
    nodes = await list_node_documents(request)
    found = [find_node(nodes, one) for one in named]
    if any(one["Mesh"]["IsSelf"] for one in found):
        raise bad_request("a node cannot be cut off from itself", hint="Name the others")
    doors.cut_off([NodeId(one["Info"]["NodeID"]) for one in found])
    return JSONResponse({"Cut": [one["Mesh"]["Name"] for one in found]})


def _forbidden(message: str, hint: str) -> Refused:
    return Refused(Problem("Forbidden", message, hint=hint, status=403, component=API_COMPONENT))


ROUTES = [
    Route("/api/v1/mesh/nodes/{id}", describe_node),
    Route("/api/v1/mesh/nodes/{id}/intent", change_intent, methods=["PUT"]),
    Route("/api/v1/mesh/faults", change_faults, methods=["PUT"]),
]
