"""Jobs in Bacalhau's calls: submit, list, get, stop, history, executions, versions, results."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesh.edge import documents
from mesh.edge.http.errors import bad_request, not_yet
from mesh.edge.http.reading import (
    base_url,
    body_text,
    doors_of,
    expect,
    find_job,
    node_names,
    path_id,
    query_choice,
    query_flag,
    query_number,
    query_text,
    read_object,
)
from mesh.member.commands import (
    AttemptReading,
    HistoryItem,
    JobReading,
    JobsPage,
    ListJobs,
    StopJob,
    StopTaken,
    SubmitJob,
    Submitted,
)
from mesh.node.doors import Doors
from scheduler.constraints import parse_selector_untrusted
from scheduler.errors import SelectorError, SpecError
from scheduler.spec import named_blobs, parse_job_untrusted

PUSHED_BYTES = 1 << 20
"""A spec and the modules it names travel with the job's birth up to this size together."""
HISTORY_PAGE = 100
"""Bacalhau's page of history when no limit is given."""
MAX_KEY_CHARS = 256
EXECUTION_ORDERS = ("created_at", "modified_at", "create_time", "modify_time")
INCLUDES = ("history", "executions")


# --- submit and stop ------------------------------------------------------------------------------


async def submit(request: Request) -> Response:
    """PUT or POST orchestrator/jobs."""
    body = await read_object(request, ("Job", "Force"))
    document = body.get("Job")
    if document is None:
        raise bad_request("the body has no Job", hint='Send {"Job": {...}}', code="ValidationError")
    key = body_text(body, "IdempotencyToken") or request.headers.get("idempotency-key", "")
    if len(key) > MAX_KEY_CHARS:
        raise bad_request(f"the idempotency key is longer than {MAX_KEY_CHARS} characters")
    doors = doors_of(request)
    client = request.headers.get("x-bacalhau-instanceid", "")[:MAX_KEY_CHARS]
    reply = await doors.ask(
        SubmitJob(
            document,
            namespace=body_text(body, "Namespace"),
            key=key,
            submitter=client,
            blobs=await _pushed_blobs(doors, document),
            meta=_server_meta(doors, client),
        )
    )
    submitted = expect(reply, Submitted)
    return JSONResponse(
        {
            "JobID": submitted.job,
            "EvaluationID": documents.evaluation_id(submitted.job),
            "Warnings": list(submitted.warnings) or None,
        }
    )


def _server_meta(doors: Doors, client: str) -> dict[str, str]:
    node = doors.status.node
    meta = {"bacalhau.org/orchestrator.id": node, "bacalhau.org/requester.id": node}
    return meta | ({"bacalhau.org/client.instance.id": client} if client else {})


async def _pushed_blobs(doors: Doors, document: Any) -> tuple[bytes, ...]:
    """Modules here that the job names, when they are small enough to travel with it."""
    try:
        digests = named_blobs(parse_job_untrusted(document))
    except SpecError:
        return ()  # the node says what is wrong with it
    paths = [path for digest in digests if (path := doors.blob_path(digest)) is not None]
    if not paths or sum(path.stat().st_size for path in paths) > PUSHED_BYTES:
        return ()
    return tuple([await trio.to_thread.run_sync(path.read_bytes) for path in paths])


async def stop(request: Request) -> Response:
    """DELETE orchestrator/jobs/{id}; the reason is in the body, or in the query."""
    body = await read_object(request, ("Reason",), optional=True)
    namespace = body_text(body, "Namespace") or query_text(request, "namespace")
    reason = body_text(body, "Reason") or query_text(request, "reason")
    doors = doors_of(request)
    job = await find_job(doors, path_id(request), namespace, attempts=False)
    command = StopJob(job.id, job.namespace)
    if reason:
        command = StopJob(job.id, job.namespace, reason=reason[:1024])
    taken = expect(await doors.ask(command), StopTaken)
    evaluation = "" if taken.already else documents.evaluation_id(taken.job)
    return JSONResponse({"EvaluationID": evaluation})


# --- reads ----------------------------------------------------------------------------------------


async def list_jobs(request: Request) -> Response:
    """GET orchestrator/jobs."""
    command = ListJobs(
        namespace=query_text(request, "namespace"),
        labels=_label_requirements(request),
        limit=query_number(request, "limit"),
        next_token=query_text(request, "next_token"),
        order_by=query_choice(request, "order_by", ("created_at", "modified_at", "id"))
        or "created_at",
        reverse=query_flag(request, "reverse"),
    )
    found = expect(await doors_of(request).ask(command), JobsPage)
    names = await node_names(doors_of(request), found.jobs)
    items = [documents.job_document(reading, names) for reading in found.jobs]
    return JSONResponse(documents.page(items, found.next_token))


def _label_requirements(request: Request) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    try:
        return tuple(
            (one.key, one.operator, one.values)
            for text in request.query_params.getlist("labels")
            for one in parse_selector_untrusted(text)
        )
    except SelectorError as error:
        raise bad_request(f"labels: {error}") from None


async def get_job(request: Request) -> Response:
    """GET orchestrator/jobs/{id}."""
    include = [part for part in query_text(request, "include").lower().split(",") if part]
    for part in include:
        if part not in INCLUDES:
            raise bad_request(f"include takes history and executions, not {part[:40]!r}")
    job = await _job_of(request, history="history" in include)
    document = documents.job_document(job, await node_names(doors_of(request), (job,)))
    answer: documents.Document = {"Job": document, "Mesh": documents.job_mesh_document(job)}
    if "history" in include:
        answer["History"] = documents.page(
            [documents.history_document(item, job.id) for item in job.history]
        )
    if "executions" in include:
        answer["Executions"] = documents.page(_executions(job, job.attempts, request, document))
    return JSONResponse(answer)


async def _job_of(request: Request, *, history: bool = False) -> JobReading:
    """The job of the address; a version of it that is not there is 404."""
    version = query_number(request, "job_version")
    query_flag(request, "all_job_versions")
    namespace = query_text(request, "namespace")
    job = await find_job(doors_of(request), path_id(request), namespace, history=history)
    if version > job.version_number:
        raise bad_request(f"the job has no version {version}: its latest is {job.version_number}")
    return job


def _executions(
    job: JobReading,
    attempts: Iterable[AttemptReading],
    request: Request,
    document: documents.Document,
) -> list[documents.Document]:
    base = base_url(request)
    return [
        documents.execution_document(one, namespace=job.namespace, base_url=base, job=document)
        for one in attempts
    ]


async def list_executions(request: Request) -> Response:
    """GET orchestrator/jobs/{id}/executions."""
    limit = query_number(request, "limit")
    order = query_choice(request, "order_by", EXECUTION_ORDERS)
    reverse = query_flag(request, "reverse")
    job = await _job_of(request)
    keys: Mapping[bool, Callable[[AttemptReading], int]] = {
        True: lambda one: one.modified_ms,
        False: lambda one: one.created_ms,
    }
    attempts = sorted(job.attempts, key=keys[order.startswith("modif")], reverse=reverse)
    wanted = attempts[:limit] if limit else attempts
    return JSONResponse(
        documents.page(_executions(job, wanted, request, documents.job_document(job)))
    )


async def history(request: Request) -> Response:
    """GET orchestrator/jobs/{id}/history.

    The token is empty only when everything was told and the job is over: clients wait for that.
    """
    limit = query_number(request, "limit") or HISTORY_PAGE
    since_s = query_number_long(request, "since")
    events = query_choice(request, "event_type", ("all", "job", "execution")) or "all"
    attempt = query_text(request, "execution_id")
    after = _read_token(query_text(request, "next_token"))
    job = await _job_of(request, history=True)
    wanted = [
        item
        for item in job.history
        if item.seq > after
        and item.time_ms >= since_s * 1000
        and (events == "all" or item.level.lower().startswith(events))
        and (item.attempt or "").startswith(attempt)
    ]
    told = wanted[:limit]
    finished = job.state.terminal and len(told) == len(wanted)
    token = "" if finished else _write_token(_told_to(told, wanted, job.history, after))
    return JSONResponse(
        documents.page([documents.history_document(item, job.id) for item in told], token)
    )


def _told_to(
    told: list[HistoryItem],
    wanted: list[HistoryItem],
    everything: tuple[HistoryItem, ...],
    after: int,
) -> int:
    """The seq that the next page begins after: what was filtered out is not looked at again."""
    if len(told) < len(wanted):
        return told[-1].seq
    return max((item.seq for item in everything), default=after)


def query_number_long(request: Request, name: str) -> int:
    """Unix seconds."""
    text = query_text(request, name)
    if text and not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise bad_request(f"{name} must be a time in whole seconds since 1970, not {text[:40]!r}")
    return int(text or 0)


def _write_token(seq: int) -> str:
    return base64.urlsafe_b64encode(f"h:{seq}".encode()).decode("ascii").rstrip("=")


def _read_token(token: str) -> int:
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
        kind, _, seq = text.partition(":")
        if kind == "h" and seq.isdigit() and len(seq) <= 15:
            return int(seq)
    except (binascii.Error, ValueError):
        pass
    raise bad_request(
        f"next_token {token[:40]!r} is not one of this call's",
        hint="Use the NextToken of the page before, or none to begin again",
    )


async def list_versions(request: Request) -> Response:
    """GET orchestrator/jobs/{id}/versions: there is one."""
    return JSONResponse(documents.page([documents.job_document(await _job_of(request))]))


async def results(request: Request) -> Response:
    """GET orchestrator/jobs/{id}/results: one archive per accepted result."""
    job = await _job_of(request)
    base = base_url(request)
    found = (documents.published_result(one, base) for one in job.attempts if one.accepted)
    return JSONResponse(documents.page([one for one in found if one is not None]))


async def diff(request: Request) -> Response:
    """PUT orchestrator/jobs/diff."""
    raise not_yet("compare a job with a stored one")


async def rerun(request: Request) -> Response:
    """PUT orchestrator/jobs/{id}/rerun."""
    raise not_yet("run a job again: submit it under a new name")


JOBS = "/api/v1/orchestrator/jobs"
ROUTES = [
    Route(JOBS, submit, methods=["PUT", "POST"]),
    Route(JOBS, list_jobs),
    Route(f"{JOBS}/diff", diff, methods=["PUT"]),
    Route(f"{JOBS}/{{id}}", get_job),
    Route(f"{JOBS}/{{id}}", stop, methods=["DELETE"]),
    Route(f"{JOBS}/{{id}}/rerun", rerun, methods=["PUT"]),
    Route(f"{JOBS}/{{id}}/history", history),
    Route(f"{JOBS}/{{id}}/executions", list_executions),
    Route(f"{JOBS}/{{id}}/versions", list_versions),
    Route(f"{JOBS}/{{id}}/results", results),
]
