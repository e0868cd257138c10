"""Addresses of the API that commands ask."""

from __future__ import annotations

from urllib.parse import quote


def job_path(job: str, *rest: str) -> str:
    """Bacalhau's address of a job, whose id or name may hold anything."""
    return "/".join(["/api/v1/orchestrator/jobs", quote(job, safe=""), *rest])


def mesh_job_path(job: str, *rest: str) -> str:
    """The mesh's own address of a job."""
    return "/".join(["/api/v1/mesh/jobs", quote(job, safe=""), *rest])
