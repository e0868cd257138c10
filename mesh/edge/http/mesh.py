"""Calls that only a mesh has: blobs, explanations, results by digest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import trio
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from mesh.edge import documents
from mesh.edge.http import watch
from mesh.edge.http.errors import API_COMPONENT, Refused, bad_request, not_found
from mesh.edge.http.reading import (
    doors_of,
    expect,
    find_job,
    header_text,
    path_id,
    query_flag,
    query_text,
)
from mesh.member.commands import (
    AttemptReading,
    ExplainJob,
    Explanation,
    JobReading,
    ListNodes,
    Problem,
    holders_of,
)
from mesh.node.doors import BlobUnavailable, Doors
from scheduler.ids import Digest, NodeId
from storage.archive import result_archive
from storage.blobs import is_digest
from storage.digest import Manifest, ManifestError, decode_manifest_untrusted

MAX_BLOB_BYTES = 100 << 20
"""Far above any module; larger data are inputs of a job, not uploads."""


# --- blobs ----------------------------------------------------------------------------------------


async def put_blob(request: Request) -> Response:
    """PUT mesh/blobs/{digest}: kept once its bytes are proved to be those of the digest."""
    digest = _digest_of(request)
    declared = header_text(request, "content-length")
    if declared.isdigit() and int(declared) > MAX_BLOB_BYTES:
        raise _blob_too_large()
    try:
        size_bytes = await doors_of(request).keep_blob(
            digest, _limited(request), limit_bytes=MAX_BLOB_BYTES
        )
    except ValueError as error:
        raise bad_request(str(error)) from None
    return JSONResponse({"Digest": digest, "Size": size_bytes})


async def _limited(request: Request) -> AsyncIterator[bytes]:
    size_bytes = 0
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes > MAX_BLOB_BYTES:
            raise _blob_too_large()
        yield chunk


def _blob_too_large() -> Refused:
    message = f"the blob is larger than {MAX_BLOB_BYTES >> 20} MiB"
    hint = (
        "Put large data in a folder that a node offers with --allow-path, and name it as an input"
    )
    return Refused(Problem("BadRequest", message, hint, 413, API_COMPONENT))


async def get_blob(request: Request) -> Response:
    """GET mesh/blobs/{digest}, from here or from any member that has it; ranges are served.

    `holder` names a node to ask first: who reads a result knows where it was made.
    """
    digest = _digest_of(request)
    doors = doors_of(request)
    path = doors.blob_path(digest)
    if path is None:
        holder = query_text(request, "holder")
        path = await _fetch(doors, digest, await _holders_by_hearsay(doors, digest, holder))
    return FileResponse(path, media_type="application/octet-stream", stat_result=path.stat())


async def _holders_by_hearsay(doors: Doors, digest: Digest, holder: str) -> tuple[NodeId, ...]:
    """The named one, then members that say they have it, then all others that can be reached."""
    nodes = [one for one in expect(await doors.ask(ListNodes()), tuple) if not one.is_self]
    nodes.sort(key=lambda one: (one.reading.node != holder, digest not in one.reading.blobs))
    return tuple(one.reading.node for one in nodes if one.reading.reachable)


def _digest_of(request: Request) -> Digest:
    digest = path_id(request, "digest").lower()
    if not is_digest(digest):
        raise bad_request("a blob goes by its SHA-256 in 64 hexadecimal digits")
    return Digest(digest)


async def _fetch(doors: Doors, digest: Digest, holders: tuple[NodeId, ...]) -> Path:
    try:
        return await doors.fetch_blob(digest, holders)
    except BlobUnavailable as error:
        raise not_found(
            str(error), hint="Ask again when the node that holds it can be reached"
        ) from None


# --- results --------------------------------------------------------------------------------------


async def job_results(request: Request) -> Response:
    """GET mesh/jobs/{id}/results: the manifest of every accepted result, in order of index.

    Of a part that has none, what its newest execution left, such as one that failed; with
    `execution_id`, an id or a prefix of one, that one's; with `all` every execution's.
    """
    doors = doors_of(request)
    execution, every = query_text(request, "execution_id"), query_flag(request, "all")
    namespace = query_text(request, "namespace")
    job = await find_job(doors, path_id(request), namespace, all_versions=every or bool(execution))
    kept = [one for one in job.attempts if one.observation.result]
    if execution:
        wanted = [one for one in kept if one.id.startswith(execution)]
    else:
        wanted = kept if every else _of_each_part(kept)
    wanted.sort(key=lambda one: (one.version_number, one.index, one.created_ms, one.id))
    items = [_manifest_document(one, await _manifest(doors, job, one)) for one in wanted]
    return JSONResponse(documents.page(items))


def _of_each_part(attempts: Iterable[AttemptReading]) -> list[AttemptReading]:
    """The accepted one, else the newest."""
    parts: dict[int, AttemptReading] = {}
    for one in sorted(attempts, key=lambda one: (one.accepted, one.modified_ms, one.id)):
        parts[one.index] = one
    return list(parts.values())


async def result_archive_of(request: Request) -> Response:
    """GET mesh/jobs/{id}/results/{attempt}.tar.gz, laid out as Bacalhau's client unpacks it."""
    doors = doors_of(request)
    namespace = query_text(request, "namespace")
    job = await find_job(doors, path_id(request), namespace, all_versions=True)
    wanted = path_id(request, "attempt")
    for attempt in job.attempts:
        if attempt.id == wanted and attempt.observation.result:
            manifest = await _manifest(doors, job, attempt)
            for digest in manifest.digests():
                await _fetch(doors, digest, holders_of(job, attempt.observation.result))
            chunks = result_archive(manifest, doors.blob_path)
            return StreamingResponse(chunks, media_type="application/gzip")
    raise not_found(f"job {job.id} has no result of an execution {wanted[:60]}")


async def _manifest(doors: Doors, job: JobReading, attempt: AttemptReading) -> Manifest:
    result = attempt.observation.result
    assert result is not None
    path = await _fetch(doors, result, holders_of(job, result))
    try:
        return decode_manifest_untrusted(await trio.to_thread.run_sync(path.read_bytes))
    except ManifestError as error:
        raise not_found(f"the result of {attempt.id} cannot be read: {error}") from None


def _manifest_document(attempt: AttemptReading, manifest: Manifest) -> documents.Document:
    return {
        "ExecutionID": attempt.id,
        "Index": attempt.index,
        "State": attempt.observation.state.name.capitalize(),
        "Accepted": attempt.accepted,
        "NodeID": attempt.node,
        "NodeName": attempt.node_name,
        "Manifest": attempt.observation.result,
        "ExitCode": manifest.exit_code,
        "Stdout": manifest.stdout,
        "Stderr": manifest.stderr,
        "Entries": [
            {
                "Path": entry.path,
                "Kind": entry.kind.name.capitalize(),
                "Size": entry.size_bytes,
                "Digest": entry.digest or "",
                "Mode": entry.mode,
            }
            for entry in manifest.entries
        ],
    }


# --- explanations, status -------------------------------------------------------------------------


async def explain(request: Request) -> Response:
    """GET mesh/jobs/{id}/explain."""
    job = await _job_of(request)
    reply = await doors_of(request).ask(ExplainJob(job.id, job.namespace))
    return JSONResponse(documents.explanation_document(expect(reply, Explanation)))


async def status(request: Request) -> Response:
    """GET mesh/status: facts of this node, and how many members it sees."""
    doors = doors_of(request)
    here = doors.status
    nodes = expect(await doors.ask(ListNodes()), tuple)
    return JSONResponse(
        {
            "NodeID": here.node,
            "Name": here.name,
            "Cluster": here.cluster,
            "Version": here.version,
            "DataDir": str(here.data_dir),
            "MeshAddresses": list(here.mesh_addresses),
            "APIAddresses": list(here.api_addresses),
            "StartTime": documents.rfc3339(here.started_ms),
            "Members": len(nodes),
            "Reachable": sum(one.is_self or one.reading.reachable for one in nodes),
        }
    )


async def _job_of(request: Request) -> JobReading:
    namespace = query_text(request, "namespace")
    return await find_job(doors_of(request), path_id(request), namespace)


MESH = "/api/v1/mesh"
ROUTES = [
    Route(f"{MESH}/blobs/{{digest}}", put_blob, methods=["PUT"]),
    Route(f"{MESH}/blobs/{{digest}}", get_blob),
    Route(f"{MESH}/jobs/{{id}}/explain", explain),
    Route(f"{MESH}/jobs/{{id}}/results", job_results),
    Route(f"{MESH}/jobs/{{id}}/results/{{attempt}}.tar.gz", result_archive_of),
    Route(f"{MESH}/status", status),
    *watch.ROUTES,
]
