"""A job's history in pages, as clients poll it until the job is over."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesh.edge import documents
from mesh.edge.http.errors import bad_request
from mesh.edge.http.reading import (
    JOBS,
    doors_of,
    job_of,
    node_names,
    query_choice,
    query_number,
    query_seconds,
    query_text,
)
from mesh.member.commands import HistoryItem

HISTORY_PAGE = 100
"""Bacalhau's page of history when no limit is given."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a client has been told."""

    after: int = 0
    """The last line's seq: what was filtered out before it is not looked at again."""
    waiting: int = 0
    """A checksum of the last reason for waiting that it was told: that is no record, so it has no
    seq of its own, and a new reason is news."""


async def history(request: Request) -> Response:
    """GET orchestrator/jobs/{id}/history.

    The token is empty only when everything was told and the job is over: clients wait for that.
    """
    limit = query_number(request, "limit") or HISTORY_PAGE
    since_s = query_seconds(request, "since")
    events = query_choice(request, "event_type", ("all", "job", "execution")) or "all"
    attempt = query_text(request, "execution_id")
    cursor = _read_token_untrusted(query_text(request, "next_token"))
    job = await job_of(request, attempts=False, history=True)
    wanted = [
        item
        for item in job.history
        if item.seq > cursor.after
        and item.time_ms >= since_s * 1000
        and (events == "all" or item.level.lower().startswith(events))
        and (item.attempt or "").startswith(attempt)
    ]
    told = wanted[:limit]
    items = [documents.history_document(item, job.id) for item in told]
    after = _told_to(told, wanted, job.history, cursor.after)
    waits = documents.waiting_item(job, await node_names(doors_of(request), (job,)))
    waiting = cursor.waiting
    if waits is not None and events != "execution" and not attempt and len(told) < limit:
        waiting = zlib.crc32(waits.message.encode())
        if waiting != cursor.waiting:
            items.append(documents.history_document(waits, job.id))
    finished = job.state.terminal and len(told) == len(wanted)
    token = "" if finished else _write_token(Cursor(after, waiting))
    return JSONResponse(documents.page(items, token))


def _told_to(
    told: Sequence[HistoryItem],
    wanted: Sequence[HistoryItem],
    everything: Sequence[HistoryItem],
    after: int,
) -> int:
    if len(told) < len(wanted):
        return told[-1].seq
    return max((item.seq for item in everything), default=after)


def _write_token(cursor: Cursor) -> str:
    text = f"h:{cursor.after}:{cursor.waiting}"
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def _read_token_untrusted(token: str) -> Cursor:
    if not token:
        return Cursor()
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
        kind, after, waiting = text.split(":")
        if kind == "h" and all(one.isdigit() and len(one) <= 15 for one in (after, waiting)):
            return Cursor(int(after), int(waiting))
    except (binascii.Error, ValueError):
        pass
    raise bad_request(
        f"next_token {token[:40]!r} is not one of this call's",
        hint="Use the NextToken of the page before, or none to begin again",
    )


ROUTES = [Route(f"{JOBS}/{{id}}/history", history)]
