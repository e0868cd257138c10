"""A job's history: a view over its records, as lines that people and Bacalhau's client read.

Topics and messages are Bacalhau's where it has them; the order is (HLC, dot) of the records, the
same on every node that holds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mesh.member.commands import HistoryItem
from mesh.member.facts import Facts
from scheduler.explain import EXPIRIES, explain_score
from scheduler.ids import AttemptId, Dot
from scheduler.instant import hlc_wall_ms
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, Expiry, StopReason
from scheduler.records import Kind, Record

_Line = tuple[str, str, Mapping[str, str], AttemptId | None]
"""Topic, message, details, attempt."""


def history_of(facts: Facts, job: JobView) -> tuple[HistoryItem, ...]:
    """Every line, first to last; read from the logs, which hold the records."""
    items: list[HistoryItem] = []
    version_number = 1
    for dot in job.dots.in_order():
        record = facts.ledger.record(dot)
        if record is None:
            continue
        if record.kind == Kind.VERSION_ADDED:
            version_number = record.body["number"]
        line = _LINES[Kind(record.kind)](facts, job, dot, record)
        if line is None:
            continue
        topic, message, details, attempt = line
        items.append(
            HistoryItem(
                seq=len(items) + 1,
                level="JobLevel" if attempt is None else "ExecutionLevel",
                attempt=attempt,
                topic=topic,
                message=message,
                details=details,
                time_ms=hlc_wall_ms(record.hlc),
                dot=dot,
                version_number=_version_of(job, attempt) or version_number,
            )
        )
    return tuple(items)


def _version_of(job: JobView, attempt: AttemptId | None) -> int:
    """The version that an attempt was placed for; 0 when that is not known."""
    view = None if attempt is None else job.attempts.get(attempt)
    version = None if view is None else job.versions.get(view.version)
    return 0 if version is None else version.number


def _created(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Line | None:
    if dot != job.birth:
        return "Submission", "Job submitted on another side too", {}, None
    return "Submission", "Job submitted", {"AcceptedBy": facts.name_of(dot.author)}, None


def _version_added(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Line | None:
    if record.body["number"] == 1:
        return None
    reason = record.body.get("reason", "")
    if reason:
        return "Submission", "Job rerun requested", {"Reason": reason}, None
    return "Submission", "Job updated", {"AcceptedBy": facts.name_of(dot.author)}, None


def _stopped(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Line | None:
    message = "Job requested to stop before completion"
    return "Scheduling", message, {"Reason": record.body["reason"]}, None


def _claimed(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Line | None:
    term = record.body["term"]
    if term == 1 and dot.author == job.birth.author:
        return None
    return "Scheduling", f"{facts.name_of(dot.author)} owns the job now (term {term})", {}, None


def _placed(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Line | None:
    body = record.body
    details = {"NodeID": body["node"], "Score": str(body["score"])}
    if body["reasons"]:
        details["Reason"] = explain_score(body["reasons"])
    if body["number"] > 1:
        details["Attempt"] = str(body["number"])
    message = f"Requested execution on {facts.name_of(body['node'])}"
    return "Scheduling", message, details, body["attempt"]


def _attempt_stopped(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Line | None:
    reason = record.body["reason"]
    because = _STOPPED_BECAUSE.get(reason, reason)
    return "Scheduling", f"Execution stop requested because {because}", {}, record.body["attempt"]


def _expired(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Line | None:
    reason = record.body["reason"]
    details = {"Reason": reason, "IsError": "true"}
    hopeless = reason == Expiry.IMAGE_MISSING
    message = EXPIRIES[Expiry.IMAGE_MISSING] if hopeless else "Job ran out of time"
    return "Scheduling", message, details, None


_STOPPED_BECAUSE: Mapping[str, str] = {
    StopReason.JOB_STOPPED.value: "job has been stopped",
    StopReason.SUPERSEDED.value: "a newer version of the job replaced it",
    StopReason.ALREADY_DONE.value: "another execution has done its part already",
    StopReason.DUPLICATE.value: "another execution does the same part",
    StopReason.WITHDRAWN.value: "another node can begin at once",
    StopReason.QUEUE_TIMEOUT.value: "the job waited longer than its QueueTimeout",
    StopReason.IMAGE_MISSING.value: "no node can get the image",
    StopReason.LOST.value: "its node cannot be heard and no other execution is allowed",
    StopReason.TOTAL_TIMEOUT.value: "the job took longer than its TotalTimeout",
}

_STATES: Mapping[AttemptState, tuple[str, str]] = {
    AttemptState.ACCEPTED: ("Execution", "Accepted"),
    AttemptState.PREPARING: ("Downloading Inputs", "Preparing inputs"),
    AttemptState.RUNNING: ("Execution", "Running"),
    AttemptState.PUBLISHING: ("Publishing Results", "Publishing results"),
    AttemptState.REFUSED: ("Execution", "Refused"),
    AttemptState.CANCELLED: ("Execution", "Stopped"),
    AttemptState.FAILED: ("Execution", "Failed"),
    AttemptState.SUCCEEDED: ("Execution", "Completed successfully"),
}


def _observed(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Line | None:
    body = record.body
    state = AttemptState(body["state"])
    if state not in _STATES:
        return None
    topic, message = _STATES[state]
    details: dict[str, str] = {"NodeID": dot.author}
    if state in (AttemptState.FAILED, AttemptState.REFUSED, AttemptState.CANCELLED):
        message = body.get("message") or message
        details["Reason"] = body.get("reason", "")
    if state is AttemptState.FAILED:
        details["IsError"] = "true"
    if body.get("exit_code") is not None:
        details["ExitCode"] = str(body["exit_code"])
    return topic, message, details, body["attempt"]


_LINES: Mapping[Kind, Callable[[Facts, JobView, Dot, Record], _Line | None]] = {
    Kind.JOB_CREATED: _created,
    Kind.VERSION_ADDED: _version_added,
    Kind.STOP_REQUESTED: _stopped,
    Kind.OWNER_CLAIMED: _claimed,
    Kind.ATTEMPT_PLACED: _placed,
    Kind.ATTEMPT_STOP_REQUESTED: _attempt_stopped,
    Kind.ATTEMPT_OBSERVED: _observed,
    Kind.JOB_EXPIRED: _expired,
}
