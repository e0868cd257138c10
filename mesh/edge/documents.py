"""Readings of jobs as Bacalhau's JSON (pure): the shapes that its own client decodes.

Enumerations are a mixture there: job and node states are text, execution states are integers, and a
wrong kind aborts the client's command. What Bacalhau has no word for stands under a key `Mesh`,
which its client ignores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesh.edge.render_times import moment
from mesh.member.commands import AttemptReading, Explanation, HistoryItem, JobReading
from scheduler.explain import (
    Choice,
    explain_choice,
    explain_score,
    explain_verdict,
    explain_waiting,
)
from scheduler.ids import Dot, NodeId
from scheduler.jobs import AttemptState, JobState, Observation, Verdict
from scheduler.spec import job_document as spec_document

Document = dict[str, Any]

ZERO_TIME = "0001-01-01T00:00:00Z"
MAX_INT64 = (1 << 63) - 1

RUNNING, STOPPED = 1, 2
"""Desired states of an execution."""

COMPUTE_STATES: Mapping[AttemptState, int] = {
    AttemptState.ASSIGNED: 1,
    AttemptState.ACCEPTED: 5,
    AttemptState.PREPARING: 5,
    AttemptState.RUNNING: 6,
    AttemptState.PUBLISHING: 7,
    AttemptState.REFUSED: 4,
    AttemptState.CANCELLED: 11,
    AttemptState.FAILED: 10,
    AttemptState.SUCCEEDED: 9,
}
COMPUTE_SENTENCES: Mapping[AttemptState, str] = {
    AttemptState.ASSIGNED: "Waiting for the node to take it",
    AttemptState.ACCEPTED: "Accepted",
    AttemptState.PREPARING: "Preparing inputs",
    AttemptState.RUNNING: "Running",
    AttemptState.PUBLISHING: "Storing results",
    AttemptState.REFUSED: "Refused",
    AttemptState.CANCELLED: "Stopped",
    AttemptState.FAILED: "Failed",
    AttemptState.SUCCEEDED: "Completed successfully",
}


def rfc3339(wall_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 with a zone; 0 is Go's zero time."""
    if wall_ms <= 0:
        return ZERO_TIME
    return moment(wall_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def nanoseconds(wall_ms: int) -> int:
    """Milliseconds since 1970 as integer nanoseconds, which Bacalhau keeps in 64 bits."""
    return min(wall_ms * 1_000_000, MAX_INT64)


def state_document(state: str | int, message: str = "") -> Document:
    """Bacalhau's wrapper of a state; the message is left out when empty."""
    return {"StateType": state, "Message": message} if message else {"StateType": state}


# --- jobs -----------------------------------------------------------------------------------------


NO_NAMES: Mapping[NodeId, str] = {}


def job_document(reading: JobReading, names: Mapping[NodeId, str] = NO_NAMES) -> Document:
    """One job as Bacalhau stores it, in its order of keys; `names` of nodes are for people."""
    spec = spec_document(reading.spec) if reading.spec is not None else _spec_not_here(reading)
    meta = {
        "bacalhau.org/orchestrator.id": reading.accepting_node,
        "bacalhau.org/requester.id": reading.accepting_node,
        **({"bacalhau.org/client.instance.id": reading.submitter} if reading.submitter else {}),
        **spec["Meta"],
    }
    return {
        "ID": reading.id,
        **spec,
        "Name": reading.name or reading.id,
        "Namespace": reading.namespace,
        "Meta": meta,
        "State": state_document(reading.state.value, job_message(reading, names)),
        "Version": reading.version_number,
        "Revision": reading.revision,
        "CreateTime": nanoseconds(reading.created_ms),
        "ModifyTime": nanoseconds(reading.modified_ms),
    }


def job_message(reading: JobReading, names: Mapping[NodeId, str] = NO_NAMES) -> str:
    """The job's own message, else why it waits."""
    if reading.message or reading.waiting is None or reading.state.terminal:
        return reading.message
    return explain_waiting(reading.waiting, names)


def _spec_not_here(reading: JobReading) -> Document:
    """Bacalhau's client crashes on a job without a task that has an engine."""
    task = {
        "Name": "main",
        "Engine": {"Type": "unknown"},
        "Publisher": {"Type": ""},
        "Resources": {},
        "Network": {"Type": "Default"},
        "Timeouts": {},
    }
    return {
        "Name": reading.name,
        "Namespace": reading.namespace,
        "Type": "batch",
        "Priority": 0,
        "Count": sum(reading.counts.values()),
        "Constraints": [],
        "Meta": {},
        "Labels": {},
        "Tasks": [task],
    }


def job_mesh_document(reading: JobReading) -> Document:
    """What a mesh knows of a job beyond Bacalhau's shape."""
    return {
        "Settled": reading.settled,
        "Owner": reading.owner or "",
        "AcceptingNode": reading.accepting_node,
        "Counts": dict(reading.counts),
    }


def execution_document(
    attempt: AttemptReading, *, namespace: str, base_url: str, job: Document | None = None
) -> Document:
    """One execution; `base_url` is where the asker reaches this API (for the result's address)."""
    observation = attempt.observation
    document: Document = {
        "ID": attempt.id,
        "Namespace": namespace,
        "EvalID": evaluation_id(attempt.id),
        "Name": "",
        "NodeID": attempt.node,
        "JobID": attempt.job,
    }
    if job is not None:
        document["Job"] = job
    document |= {
        "JobVersion": attempt.version_number,
        "AllocatedResources": {"Tasks": {}},
        "DesiredState": _desired_state(attempt),
        "ComputeState": state_document(
            COMPUTE_STATES[observation.state],
            observation.message or COMPUTE_SENTENCES[observation.state],
        ),
        "PublishedResult": published_result(attempt, base_url) or {"Type": ""},
        "RunOutput": _run_output(observation),
        "PreviousExecution": "",
        "NextExecution": "",
        "FollowupEvalID": "",
    }
    if attempt.index:
        document["PartitionIndex"] = attempt.index
    return document | {
        "Revision": attempt.revision,
        "CreateTime": nanoseconds(attempt.created_ms),
        "ModifyTime": nanoseconds(attempt.modified_ms),
        "Mesh": _execution_mesh_document(attempt),
    }


def evaluation_id(identifier: str) -> str:
    """There are no evaluations here; Bacalhau's client prints a UUID, so it gets the id's own."""
    return identifier[2:]


def published_result(attempt: AttemptReading, base_url: str) -> Document | None:
    """Where a succeeded attempt's result can be fetched as an archive; None if there is none."""
    if attempt.observation.state is not AttemptState.SUCCEEDED or not attempt.observation.result:
        return None
    path = f"/api/v1/mesh/jobs/{attempt.job}/results/{attempt.id}.tar.gz"
    return {"Type": "urlDownload", "Params": {"URL": base_url + path}}


def _desired_state(attempt: AttemptReading) -> Document:
    if attempt.stop_reason:
        return state_document(STOPPED, attempt.stop_reason)
    if attempt.observation.state.terminal:
        return state_document(STOPPED, "execution completed")
    return state_document(RUNNING, "Running")


def _run_output(observation: Observation) -> Document:
    failed = observation.state is AttemptState.FAILED
    return {
        "Stdout": observation.stdout_tail,
        "StdoutTruncated": observation.stdout_bytes > len(observation.stdout_tail.encode()),
        "stderr": observation.stderr_tail,
        "StderrTruncated": observation.stderr_bytes > len(observation.stderr_tail.encode()),
        "ExitCode": observation.exit_code or 0,
        "ErrorMsg": observation.message if failed else "",
    }


def _execution_mesh_document(attempt: AttemptReading) -> Document:
    observation = attempt.observation
    return {
        "NodeName": attempt.node_name,
        "State": observation.state.name.capitalize(),
        "Reason": observation.reason,
        "ExitCode": observation.exit_code,
        "Accepted": attempt.accepted,
        "Attempt": attempt.number,
        "Score": attempt.score,
        "Why": explain_score(attempt.reasons),
        "Owner": attempt.owner,
        "Term": attempt.term,
        "Result": observation.result or "",
        "ResultBytes": observation.result_bytes,
        "ElapsedMs": observation.elapsed_ms,
        "StartTime": rfc3339(attempt.started_ms),
    }


def history_document(item: HistoryItem, job: str) -> Document:
    """One line of history."""
    event: Document = {
        "Message": item.message,
        "Topic": item.topic,
        "Timestamp": rfc3339(item.time_ms),
    }
    if item.details:
        event["Details"] = dict(item.details)
    document: Document = {
        "SeqNum": item.seq,
        "Type": item.level,
        "JobID": job,
        "JobVersion": item.version_number,
    }
    if item.attempt:
        document["ExecutionID"] = item.attempt
    return document | {"Event": event, "Time": rfc3339(item.time_ms)}


_WAITS = "It starts as soon as a node can take it."


def waiting_item(reading: JobReading, names: Mapping[NodeId, str] = NO_NAMES) -> HistoryItem | None:
    """Why nothing of a job runs yet, as the last line of its history; an error to Bacalhau's
    client, which shows no other lines about jobs: so nobody waits in silence."""
    if reading.waiting is None or reading.state not in (JobState.PENDING, JobState.QUEUED):
        return None
    return HistoryItem(
        seq=max((one.seq for one in reading.history), default=0),
        level="JobLevel",
        attempt=None,
        topic="Queueing",
        message=f"Job queued. {explain_waiting(reading.waiting, names)}",
        details={"IsError": "true"} | ({"Hint": _WAITS} if reading.waiting.possible else {}),
        time_ms=reading.modified_ms,
        dot=Dot(reading.accepting_node, 0, 0),
        version_number=reading.version_number,
    )


def page(items: Sequence[Document], next_token: str = "") -> Document:
    """Bacalhau's list answer."""
    return {"NextToken": next_token, "Items": list(items)}


def explanation_document(explanation: Explanation) -> Document:
    """Why a job runs where it runs, or why it waits."""
    reading, names = explanation.job, explanation.node_names
    waiting = reading.waiting
    return {
        "JobID": reading.id,
        "State": state_document(reading.state.value, reading.message),
        "Waiting": explain_waiting(waiting, names) if waiting is not None else "",
        "Placements": [_placement_document(one, explanation) for one in reading.attempts],
        "Nodes": [_verdict_document(one, names) for one in explanation.verdicts],
    }


def _placement_document(attempt: AttemptReading, explanation: Explanation) -> Document:
    names, there = explanation.node_names, explanation.bytes_there.get(attempt.node, 0)
    parts = sum(explanation.job.counts.values())
    choice = Choice(attempt.node_name, attempt.reasons, parts, there)
    return {
        "ExecutionID": attempt.id,
        "Index": attempt.index,
        "Attempt": attempt.number,
        "NodeID": attempt.node,
        "NodeName": attempt.node_name,
        "State": attempt.observation.state.name.capitalize(),
        "Message": attempt.observation.message,
        "Because": explain_choice(choice, explanation.verdicts, names),
        "Score": attempt.score,
        "Why": explain_score(attempt.reasons),
        "Reasons": dict(attempt.reasons),
        "NextBest": [
            {"NodeID": node, "NodeName": names.get(node, node), "Score": score}
            for node, score in attempt.next_best
        ],
        "Refusals": dict(attempt.refusals),
    }


def _verdict_document(verdict: Verdict, names: Mapping[NodeId, str]) -> Document:
    name = names.get(verdict.node, verdict.node)
    return {
        "NodeID": verdict.node,
        "NodeName": name,
        "Refusal": verdict.refusal.value if verdict.refusal is not None else "",
        "Sentence": explain_verdict(verdict, name),
        "Score": verdict.score,
        "Reasons": dict(verdict.reasons),
    }
