"""Jobs in Bacalhau's calls: submit, list, get, stop, history, executions, versions, results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesh.edge import documents
from mesh.edge.http.errors import bad_request
from mesh.edge.http.preparing import with_remarks
from mesh.edge.http.reading import (
    JOBS,
    base_url,
    body_flag,
    body_number,
    body_text,
    doors_of,
    expect,
    find_job,
    header_text,
    job_of,
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
    DiffJob,
    JobDiff,
    JobReading,
    JobsPage,
    JobVersions,
    ListJobs,
    ListVersions,
    Reran,
    RerunJob,
    StopJob,
    StopTaken,
    SubmitJob,
    Submitted,
)
from scheduler.constraints import parse_selector_untrusted
from scheduler.errors import SelectorError, SpecError
from scheduler.jobs import JobSpec
from scheduler.spec import named_blobs, parse_and_encode_untrusted

MAX_KEY_CHARS = 256
EXECUTION_ORDERS = ("created_at", "modified_at", "create_time", "modify_time")
INCLUDES = ("history", "executions")


# --- submit and stop ------------------------------------------------------------------------------


async def submit(request: Request) -> Response:
    """PUT or POST orchestrator/jobs."""
    body = await read_object(request, ("Job", "Force"))
    document = _job_of_body(body)
    key = body_text(body, "IdempotencyToken") or header_text(request, "idempotency-key")
    if len(key) > MAX_KEY_CHARS:
        raise bad_request(f"the idempotency key is longer than {MAX_KEY_CHARS} characters")
    doors = doors_of(request)
    client = header_text(request, "x-bacalhau-instanceid")[:MAX_KEY_CHARS]
    parsed: tuple[JobSpec, bytes] | None = None
    blobs: tuple[bytes, ...] = ()
    with contextlib.suppress(SpecError):  # the node says what is wrong with it
        parsed = parse_and_encode_untrusted(document)
        blobs = await request.app.state.modules.small_ones(doors, named_blobs(parsed[0]))
    reply = await doors.ask(
        SubmitJob(
            document,
            namespace=body_text(body, "Namespace"),
            key=key,
            submitter=client,
            blobs=blobs,
            force=body_flag(body, "Force"),
            parsed=parsed,
        )
    )
    submitted = expect(reply, Submitted)
    return JSONResponse(
        {
            "JobID": submitted.job,
            "EvaluationID": documents.evaluation_id(submitted.job),
            "Warnings": list(submitted.warnings) or None,
            "Mesh": {"JobVersion": submitted.version_number, "Created": submitted.created},
        }
    )


async def diff(request: Request) -> Response:
    """PUT orchestrator/jobs/diff: what submitting this job would change."""
    body = await read_object(request, ("Job",))
    command = DiffJob(_job_of_body(body), namespace=body_text(body, "Namespace"))
    found = expect(await doors_of(request).ask(command), JobDiff)
    text = "".join(f"{line}\n" for line in found.changes)
    return JSONResponse({"Diff": text, "Warnings": None})


async def rerun(request: Request) -> Response:
    """PUT orchestrator/jobs/{id}/rerun: the next version, with the spec of the one named."""
    body = await read_object(request, ("JobVersion", "Reason"), optional=True)
    number = body_number(body, "JobVersion")
    namespace = body_text(body, "Namespace") or query_text(request, "namespace")
    doors = doors_of(request)
    job = await find_job(doors, path_id(request), namespace, version_number=number, attempts=False)
    command = RerunJob(job.id, job.namespace, number, body_text(body, "Reason"))
    reran = expect(await doors.ask(command), Reran)
    return JSONResponse(
        {
            "EvaluationID": documents.evaluation_id(reran.job),
            "JobID": reran.job,
            "JobVersion": reran.version_number,
            "Warnings": None,
        }
    )


def _job_of_body(body: Mapping[str, Any]) -> Any:
    if body.get("Job") is None:
        raise bad_request("the body has no Job", hint='Send {"Job": {...}}', code="ValidationError")
    return body["Job"]


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
    job = await job_of(request, attempts="executions" in include, history="history" in include)
    document = documents.job_document(job, await node_names(doors_of(request), (job,)))
    answer: documents.Document = {"Job": document, "Mesh": documents.job_mesh_document(job)}
    if "history" in include:
        answer["History"] = documents.page(
            [documents.history_document(item, job.id) for item in job.history]
        )
    if "executions" in include:
        attempts = await with_remarks(doors_of(request), job.attempts)
        answer["Executions"] = documents.page(_executions(job, attempts, request, document))
    return JSONResponse(answer)


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
    job = await job_of(request)
    keys: Mapping[bool, Callable[[AttemptReading], int]] = {
        True: lambda one: one.modified_ms,
        False: lambda one: one.created_ms,
    }
    attempts = sorted(job.attempts, key=keys[order.startswith("modif")], reverse=reverse)
    wanted = await with_remarks(doors_of(request), attempts[:limit] if limit else attempts)
    return JSONResponse(
        documents.page(_executions(job, wanted, request, documents.job_document(job)))
    )


async def list_versions(request: Request) -> Response:
    """GET orchestrator/jobs/{id}/versions: each as it ended, the winning one last."""
    job = await job_of(request, attempts=False)
    reply = await doors_of(request).ask(ListVersions(job.id, job.namespace))
    versions = expect(reply, JobVersions).versions
    return JSONResponse(documents.page([documents.job_document(one) for one in versions]))


async def results(request: Request) -> Response:
    """GET orchestrator/jobs/{id}/results: one archive per accepted result."""
    job = await job_of(request)
    base = base_url(request)
    found = (documents.published_result(one, base) for one in job.attempts if one.accepted)
    return JSONResponse(documents.page([one for one in found if one is not None]))


ROUTES = [
    Route(JOBS, submit, methods=["PUT", "POST"]),
    Route(JOBS, list_jobs),
    Route(f"{JOBS}/diff", diff, methods=["PUT"]),
    Route(f"{JOBS}/{{id}}", get_job),
    Route(f"{JOBS}/{{id}}", stop, methods=["DELETE"]),
    Route(f"{JOBS}/{{id}}/rerun", rerun, methods=["PUT"]),
    Route(f"{JOBS}/{{id}}/executions", list_executions),
    Route(f"{JOBS}/{{id}}/versions", list_versions),
    Route(f"{JOBS}/{{id}}/results", results),
]
