"""The API described by itself: an OpenAPI document made from the routes that are served.

Paths, methods and sentences come from the routes; what may be asked in a query or sent in a body
stands in the two tables here, and a test holds them against the routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from mesh.edge.documents import Document
from mesh.edge.http.reading import JOBS, doors_of

PATH = "/api/v1/openapi.json"
TEXT: Document = {"type": "string"}
FLAG: Document = {"type": "boolean"}
NUMBER: Document = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
MAP_OF_TEXTS: Document = {"type": "object", "additionalProperties": TEXT}


def _choice(*values: str) -> Document:
    return {"type": "string", "enum": list(values)}


_LABELS: Document = {"type": "array", "items": TEXT}
_PAGE = {"limit": NUMBER, "next_token": TEXT}
_ORDER = {"reverse": FLAG}
_VERSION = {"job_version": NUMBER, "all_job_versions": FLAG}
_NAMESPACE = {"namespace": TEXT}
_LOGS = {"execution_id": TEXT, "follow": FLAG, "tail": FLAG, "lines": NUMBER, "since": NUMBER}
NODES = "/api/v1/orchestrator/nodes"
MESH_JOB = "/api/v1/mesh/jobs/{id}"

QUERIES: Mapping[str, Mapping[str, Document]] = {
    JOBS: _NAMESPACE
    | _PAGE
    | _ORDER
    | {"order_by": _choice("created_at", "modified_at", "id"), "labels": _LABELS},
    f"{JOBS}/{{id}}": _NAMESPACE | _VERSION | {"include": TEXT},
    f"{JOBS}/{{id}}/history": _NAMESPACE
    | _PAGE
    | _VERSION
    | {
        "since": NUMBER,
        "event_type": _choice("all", "job", "execution"),
        "execution_id": TEXT,
    },
    f"{JOBS}/{{id}}/executions": _NAMESPACE
    | _ORDER
    | _VERSION
    | {"limit": NUMBER, "order_by": _choice("created_at", "modified_at")},
    f"{JOBS}/{{id}}/versions": _NAMESPACE,
    f"{JOBS}/{{id}}/results": _NAMESPACE,
    f"{JOBS}/{{id}}/logs": _NAMESPACE | _VERSION | _LOGS,
    NODES: _ORDER
    | {
        "limit": NUMBER,
        "labels": _LABELS,
        "filter-approval": _choice("approved", "pending", "rejected"),
        "filter-status": _choice("connected", "disconnected"),
        "order_by": _choice(
            "id",
            "type",
            "available_cpu",
            "available_memory",
            "available_disk",
            "available_gpu",
            "approval",
            "status",
        ),
    },
    f"{MESH_JOB}/logs": _NAMESPACE | _VERSION | _LOGS,
    f"{MESH_JOB}/explain": _NAMESPACE,
    f"{MESH_JOB}/story": _NAMESPACE,
    f"{MESH_JOB}/results": _NAMESPACE,
    f"{MESH_JOB}/results/{{attempt}}.tar.gz": _NAMESPACE,
    "/api/v1/mesh/blobs/{digest}": {"holder": TEXT},
    "/api/v1/mesh/watch": _NAMESPACE
    | {"topics": TEXT, "jobs": NUMBER, "job": TEXT, "last_id": TEXT},
}
"""What each address takes in the query of a GET."""

_BASE: Document = {"Namespace": TEXT, "IdempotencyToken": TEXT}


def _body(required: Iterable[str] = (), **properties: Document) -> Document:
    body: Document = {"type": "object", "properties": _BASE | properties}
    return body | ({"required": list(required)} if required else {})


_JOB_BODY: Document = {"$ref": "#/components/schemas/Job"}
BODIES: Mapping[tuple[str, str], Document] = {
    ("PUT", JOBS): _body(["Job"], Job=_JOB_BODY, Force=FLAG),
    ("POST", JOBS): _body(["Job"], Job=_JOB_BODY, Force=FLAG),
    ("PUT", f"{JOBS}/diff"): _body(["Job"], Job=_JOB_BODY),
    ("PUT", f"{JOBS}/{{id}}/rerun"): _body(JobVersion=NUMBER, Reason=TEXT),
    ("DELETE", f"{JOBS}/{{id}}"): _body(Reason=TEXT),
    ("PUT", f"{NODES}/{{id}}"): _body(
        ["Action"], Action=_choice("approve", "reject", "delete"), Message=TEXT, NodeID=TEXT
    ),
    ("POST", "/api/v1/auth/{name}"): _body(Name=TEXT, MethodData=TEXT),
}
"""What each call takes as JSON; calls that are not here take none, or bytes."""

_SOURCE: Document = {
    "type": "object",
    "required": ["Type"],
    "properties": {"Type": TEXT, "Params": {"type": "object"}},
}
SCHEMAS: Mapping[str, Document] = {
    "Job": {
        "type": "object",
        "description": "What is asked for; docs/job-spec.md has each field with its rule.",
        "required": ["Type", "Tasks"],
        "properties": {
            "Name": TEXT,
            "Namespace": TEXT,
            "Type": _choice("batch", "ops", "service", "daemon"),
            "Priority": NUMBER,
            "Count": NUMBER,
            "Labels": MAP_OF_TEXTS,
            "Meta": MAP_OF_TEXTS,
            "Constraints": {"type": "array", "items": {"type": "object"}},
            "Tasks": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {
                    "type": "object",
                    "required": ["Name", "Engine"],
                    "properties": {
                        "Name": TEXT,
                        "Engine": _SOURCE,
                        "Publisher": _SOURCE,
                        "Env": MAP_OF_TEXTS,
                        "InputSources": {"type": "array", "items": {"type": "object"}},
                        "ResultPaths": {"type": "array", "items": {"type": "object"}},
                        "Resources": MAP_OF_TEXTS,
                        "Network": {"type": "object"},
                        "Timeouts": {"type": "object", "additionalProperties": NUMBER},
                    },
                },
            },
        },
    },
    "Error": {
        "type": "object",
        "required": ["Status", "Message", "RequestID", "Code", "Component"],
        "properties": {
            "Status": {"type": "integer"},
            "Message": TEXT,
            "RequestID": {**TEXT, "description": "That of the header X-Request-Id."},
            "Code": TEXT,
            "Component": TEXT,
            "Hint": TEXT,
            "Details": MAP_OF_TEXTS,
        },
    },
}


def openapi_document(routes: Iterable[BaseRoute], version: str) -> Document:
    """The description of these routes; WebSockets have no place in OpenAPI."""
    paths: dict[str, Document] = {}
    for route in routes:
        if isinstance(route, Route):
            path = re.sub(r":\w+}", "}", route.path)
            for method in sorted((route.methods or set()) - {"HEAD"}):
                paths.setdefault(path, {})[method.lower()] = _operation(route, path, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bacalhau-mesh",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": dict(SCHEMAS)},
    }


def _operation(route: Route, path: str, method: str) -> Document:
    sentence = " ".join((route.endpoint.__doc__ or "").split())
    names = re.findall(r"{(\w+)}", path)
    parameters: list[Document] = [
        {"name": name, "in": "path", "required": True, "schema": TEXT} for name in names
    ]
    if method == "GET":
        queries = QUERIES.get(path, {}).items()
        parameters += [{"name": name, "in": "query", "schema": one} for name, one in queries]
    operation: Document = {
        "summary": sentence,
        "operationId": f"{method.lower()} {path}",
        "parameters": parameters,
        "responses": {"200": {"description": "The answer."}, "default": _error_response()},
    }
    body = BODIES.get((method, path))
    if body is not None:
        content: dict[str, Any] = {"application/json": {"schema": body}}
        operation["requestBody"] = {"required": "required" in body, "content": content}
    return operation


def _error_response() -> Document:
    schema = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {"description": "Why not.", "content": {"application/json": schema}}


async def openapi(request: Request) -> Response:
    """GET openapi.json: this description."""
    return JSONResponse(openapi_document(request.app.routes, doors_of(request).status.version))


ROUTES = [Route(PATH, openapi)]
