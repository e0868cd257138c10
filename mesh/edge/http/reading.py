"""What a request says: its path parts, query values and JSON body, each checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote

import trio
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from mesh.edge.http.errors import API_COMPONENT, Refused, bad_request
from mesh.edge.strictjson import NotJson, parse_json_untrusted
from mesh.member.commands import GetJob, JobReading, ListNodes, Problem
from mesh.node.doors import Doors
from scheduler.ids import JobId, NodeId

JOBS = "/api/v1/orchestrator/jobs"
MAX_BODY_BYTES = 10_000_000
"""Bacalhau's own limit of a request body."""
MAX_LIMIT = 1_000_000
MAX_ID_CHARS = 1024
"""Longer than any id or name that a job may have."""
UNKNOWN_JOB_WAIT_S = 2.0
"""A job submitted at another node is told to all within a round trip or two; a client that asks
here first deserves to wait so long, and a mistyped id no longer."""
STILL_HERE_S = 15.0
"""How often a quiet feed says something, so that neither side waits for a dead one."""
FULL_JOB_ID_CHARS = 38
Answer = TypeVar("Answer")
BASE_KEYS = ("Namespace", "Credential", "IdempotencyToken")
"""Keys that Bacalhau's client puts into every body that it writes."""


def doors_of(connection: HTTPConnection) -> Doors:
    """The node behind this API."""
    doors: Doors = connection.scope["app"].doors
    return doors


def path_id(connection: HTTPConnection, name: str = "id") -> str:
    """One part of the raw path, decoded: an escaped slash in it belongs to the id."""
    try:
        text = unquote(str(connection.path_params[name]), errors="strict")
    except UnicodeDecodeError:
        raise bad_request("the id in the address is not UTF-8 text") from None
    if len(text) > MAX_ID_CHARS:
        raise bad_request(f"the id in the address is longer than {MAX_ID_CHARS} characters")
    return text


def base_url(connection: HTTPConnection) -> str:
    """Where this asker reached the API, so that addresses in answers work for it."""
    return f"{connection.scope['scheme']}://{header_text(connection, 'host') or 'localhost'}"


def header_text(connection: HTTPConnection, name: str) -> str:
    """The value of a header, "" without it; its name is in lower case."""
    text: str = connection.scope["told"].get(name, "")
    return text


# --- query ----------------------------------------------------------------------------------------


def query_text(connection: HTTPConnection, name: str) -> str:
    """The last value of a query parameter, "" without one."""
    return connection.query_params.get(name, "") if connection.scope["query_string"] else ""


def query_number(connection: HTTPConnection, name: str, default: int = 0) -> int:
    """A decimal, not negative."""
    text = query_text(connection, name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text[:10]) > MAX_LIMIT or len(text) > 10:
        raise bad_request(f"{name} must be a whole number from 0 to {MAX_LIMIT}, not {text[:40]!r}")
    return int(text)


def query_seconds(connection: HTTPConnection, name: str) -> int:
    """A time in Unix seconds, 0 without one."""
    text = query_text(connection, name)
    if text and not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise bad_request(f"{name} must be a time in whole seconds since 1970, not {text[:40]!r}")
    return int(text or 0)


def query_flag(connection: HTTPConnection, name: str) -> bool:
    """`true` or absent; Go's other spellings are taken too."""
    text = query_text(connection, name).lower()
    if text not in ("", "true", "false", "1", "0", "t", "f"):
        raise bad_request(f"{name} must be true or false, not {text[:40]!r}")
    return text in ("true", "1", "t")


def query_choice(connection: HTTPConnection, name: str, choices: Sequence[str]) -> str:
    """One of `choices`, compared in lower case; "" without one."""
    text = query_text(connection, name)
    if text and text.lower() not in choices:
        raise bad_request(f"{name} must be one of {', '.join(choices)}, not {text[:40]!r}")
    return text.lower()


# --- body -----------------------------------------------------------------------------------------


async def read_body(request: Request) -> bytes:
    """The whole body; 413 beyond the limit, before it is read where its length is declared."""
    declared = header_text(request, "content-length")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    body, more = bytearray(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        more = message.get("more_body", False)
    return bytes(body)


def _too_large() -> Refused:
    return Refused(
        Problem(
            "BadRequest",
            f"the body is larger than {MAX_BODY_BYTES // 1_000_000} MB",
            hint="Send modules and data by PUT /api/v1/mesh/blobs/DIGEST and name the digest",
            status=413,
            component=API_COMPONENT,
        )
    )


async def read_object(request: Request, keys: Sequence[str], *, optional: bool = False) -> Any:
    """The body's JSON object with its keys as `keys` spells them (any case is taken, as Go does).

    Base keys of Bacalhau's client are taken too; any other key is refused with the nearest name.
    """
    body = await read_body(request)
    if optional and not body.strip():
        return {}
    kind = header_text(request, "content-type").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refused(
            Problem(
                "BadRequest",
                f"the body's content type is {kind[:80] or 'missing'}, not application/json",
                hint="Send JSON with the header Content-Type: application/json",
                status=415,
                component=API_COMPONENT,
            )
        )
    try:
        value = parse_json_untrusted(body)
    except NotJson as error:
        raise bad_request(f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise bad_request("the body must be a JSON object")
    return _known_keys(value, (*BASE_KEYS, *keys))


def _known_keys(value: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    spelled = {key.lower(): key for key in keys}
    found: dict[str, Any] = {}
    for key, one in value.items():
        name = spelled.get(key.lower())
        if name is None:
            nearest = difflib.get_close_matches(key.lower(), spelled, 1)
            meant = f": did you mean {spelled[nearest[0]]}?" if nearest else ""
            raise bad_request(f"the body has an unknown key {key[:80]!r}{meant}")
        if name not in found or key == name:
            found[name] = one
    return found


def body_text(body: Mapping[str, Any], name: str) -> str:
    """A text of the body, "" where it is absent or null."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise bad_request(f"{name} must be a text")
    return value


def body_flag(body: Mapping[str, Any], name: str) -> bool:
    """A boolean of the body, false where it is absent or null."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"{name} must be true or false")
    return bool(value)


def body_number(body: Mapping[str, Any], name: str) -> int:
    """A whole number of the body, 0 where it is absent or null."""
    value = body.get(name)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MAX_LIMIT:
        raise bad_request(f"{name} must be a whole number from 0 to {MAX_LIMIT}")
    return value


# --- jobs -----------------------------------------------------------------------------------------


async def find_job(
    doors: Doors,
    job: str,
    namespace: str,
    *,
    attempts: bool = True,
    history: bool = False,
    version_number: int = 0,
    all_versions: bool = False,
) -> JobReading:
    """The job that goes by this id, unique prefix or name; Refused with 404 when there is none.

    A full id that is not known here is waited for, and so is a version of a job that is: another
    node may have made it a moment ago.
    """
    question = GetJob(
        job,
        namespace,
        attempts=attempts,
        history=history,
        version_number=version_number,
        all_versions=all_versions,
    )
    reply = await doors.ask(question)
    if isinstance(reply, JobReading):
        return reply
    with trio.move_on_after(UNKNOWN_JOB_WAIT_S):
        while isinstance(reply, Problem) and reply.status == 404:
            latest = await doors.ask(GetJob(job, namespace, attempts=False))
            if isinstance(latest, JobReading):
                await doors.wait_job_changed(latest.id, latest.revision)
            elif _is_full_id(job):
                await doors.wait_job_changed(JobId(job), 0)
            else:
                break
            reply = await doors.ask(question)
    return expect(reply, JobReading)


async def job_of(request: Request, *, attempts: bool = True, history: bool = False) -> JobReading:
    """The job of the address; a version of it that is not there is 404.

    Without its attempts it costs the same however many it has.
    """
    return await find_job(
        doors_of(request),
        path_id(request),
        query_text(request, "namespace"),
        attempts=attempts,
        history=history,
        version_number=query_number(request, "job_version"),
        all_versions=query_flag(request, "all_job_versions"),
    )


async def node_names(doors: Doors, jobs: Iterable[JobReading]) -> dict[NodeId, str]:
    """Names for the sentence on why a job waits; none where none waits."""
    if all(job.waiting is None for job in jobs):
        return {}
    nodes = expect(await doors.ask(ListNodes()), tuple)
    return {one.reading.node: one.reading.name for one in nodes}


def _is_full_id(job: str) -> bool:
    return len(job) == FULL_JOB_ID_CHARS and job.startswith("j-")


def expect(reply: object, kind: type[Answer]) -> Answer:
    """The answer, or Refused with the problem that came in its place."""
    if isinstance(reply, Problem):
        raise Refused(reply)
    assert isinstance(reply, kind), f"the node answered {type(reply).__name__}"
    return reply
