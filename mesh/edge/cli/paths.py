"""Addresses of the API that commands ask."""

from __future__ import annotations

from urllib.parse import quote

from mesh.edge.cli.errors import bad_input

JOBS = "/api/v1/orchestrator/jobs"
NODES = "/api/v1/orchestrator/nodes"
WATCH = "/api/v1/mesh/watch"
"""The live feed."""


def job_path(job: str, *rest: str) -> str:
    """Bacalhau's address of a job, whose id or name may hold anything."""
    return "/".join([JOBS, _part(job, "job"), *rest])


def mesh_job_path(job: str, *rest: str) -> str:
    """The mesh's own address of a job."""
    return "/".join(["/api/v1/mesh/jobs", _part(job, "job"), *rest])


def mesh_node_path(node: str, *rest: str) -> str:
    """The mesh's own address of a node."""
    return "/".join(["/api/v1/mesh/nodes", _part(node, "node"), *rest])


def _part(text: str, what: str) -> str:
    if not text:
        raise bad_input(f"no {what} is named: the text is empty", f"bacalhau-mesh {what} list")
    return quote(text, safe="")
