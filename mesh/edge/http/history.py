"""A job's history in pages, as clients poll it until the job is over."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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


MAX_LOGS = 500
"""Logs that a cursor names, 15 characters each: an address must stay well below 16 KiB."""
CURSOR_HEAD = struct.Struct(">BIQ")
CURSOR_LOG = struct.Struct(">6sI")
LOG_NAME_BYTES = 6
FORM = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a client has been told, in words that any node understands.

    A node holds a log without gaps, so one number for each log tells all that was told of it. No
    place in the order could: a record from the other side of a split may sort before it.
    """

    told: Mapping[bytes, int] = field(default_factory=dict)
    """The last seq of each log, (author, epoch), by the beginning of a hash of its name."""
    floor_ms: int = 0
    """Of logs that are not named, everything up to then: where there are too many to name all."""
    waiting: int = 0
    """A checksum of the last reason for waiting that was told: that is no record, so it has no seq
    of its own, and a new reason is news."""

    def has_told(self, item: HistoryItem) -> bool:
        """Whether this line was told, or was passed over because nobody asked for its kind."""
        seq = self.told.get(_log_name(item))
        return item.time_ms <= self.floor_ms if seq is None else item.dot.seq <= seq

    def after(self, items: Iterable[HistoryItem], waiting: int) -> Cursor:
        """The cursor once these, and every earlier line of the same logs, were told too."""
        told, last_ms = dict(self.told), dict[bytes, int]()
        for item in items:
            name = _log_name(item)
            told[name] = max(told.get(name, 0), item.dot.seq)
            last_ms[name] = max(last_ms.get(name, 0), item.time_ms)
        floor_ms = self.floor_ms
        if len(told) > MAX_LOGS:
            newest = sorted(told, key=lambda name: last_ms.get(name, 0), reverse=True)
            floor_ms = max(floor_ms, last_ms.get(newest[MAX_LOGS], 0))
            told = {name: told[name] for name in newest[:MAX_LOGS]}
        return Cursor(told, floor_ms, waiting)


def _log_name(item: HistoryItem) -> bytes:
    text = f"{item.dot.author}/{item.dot.epoch}"
    return hashlib.sha256(text.encode()).digest()[:LOG_NAME_BYTES]


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
        if item.time_ms >= since_s * 1000
        and (events == "all" or item.level.lower().startswith(events))
        and (item.attempt or "").startswith(attempt)
        and not cursor.has_told(item)
    ]
    told = wanted[:limit]
    items = [documents.history_document(item, job.id) for item in told]
    waits = documents.waiting_item(job, await node_names(doors_of(request), (job,)))
    waiting = cursor.waiting
    if waits is not None and events != "execution" and not attempt and len(told) < limit:
        waiting = zlib.crc32(waits.message.encode())
        if waiting != cursor.waiting:
            items.append(documents.history_document(waits, job.id))
    finished = job.state.terminal and len(told) == len(wanted)
    passed = job.history if len(told) == len(wanted) else job.history[: told[-1].seq]
    token = "" if finished else _write_token(cursor.after(passed, waiting))
    return JSONResponse(documents.page(items, token))


def _write_token(cursor: Cursor) -> str:
    logs = b"".join(CURSOR_LOG.pack(name, seq) for name, seq in sorted(cursor.told.items()))
    data = CURSOR_HEAD.pack(FORM, cursor.waiting, cursor.floor_ms) + logs
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _read_token_untrusted(token: str) -> Cursor:
    if not token:
        return Cursor()
    try:
        padded = token + "=" * (-len(token) % 4)
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
        form, waiting, floor_ms = CURSOR_HEAD.unpack_from(data)
        told = dict(CURSOR_LOG.iter_unpack(data[CURSOR_HEAD.size :]))
        if form == FORM and len(told) <= MAX_LOGS:
            return Cursor(told, floor_ms, waiting)
    except (ValueError, struct.error):
        pass
    raise bad_request(
        f"next_token {token[:40]!r} is not one of this call's",
        hint="Use the NextToken of the page before, or none to begin again",
    )


ROUTES = [Route(f"{JOBS}/{{id}}/history", history)]
