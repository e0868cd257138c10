"""Rows of the live feed from readings (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mesh.edge.documents import COMPUTE_SENTENCES, job_message
from mesh.edge.feed_rows import AmountsRow, EventRow, ExecutionRow, JobRow, MeshRow, NodeRow
from mesh.edge.node_documents import STATE_WORDS, ordered_labels
from mesh.gossip.events import PeerState
from mesh.member.commands import AttemptReading, NodeDetail
from mesh.member.watched import Happening, Tally, WatchedJob
from scheduler.ids import NodeId
from scheduler.jobs import AttemptState, Resources

NAMED_NODES = 3
"""Of those that run a job; the others are counted."""
RTT_MOVES_MS, RTT_MOVES_SHARE = 1.0, 0.5
"""Less is what a busy processor does to a round trip."""
SINCE_MOVES_MS = 1_000


@dataclass(frozen=True, slots=True)
class Here:
    """The node that is asked."""

    node: str
    name: str
    cluster: str
    version: str
    started_ms: int


def mesh_row(here: Here, nodes: Iterable[NodeRow], tally: Tally, now_ms: int) -> MeshRow:
    """The whole, from the rows of all nodes and the counts over all jobs."""
    members = [one for one in nodes if one["State"] != STATE_WORDS[PeerState.LEFT]]
    unreachable = [one for one in members if one["State"] == STATE_WORDS[PeerState.UNREACHABLE]]
    return {
        "NodeID": here.node,
        "Name": here.name,
        "Cluster": here.cluster,
        "Version": here.version,
        "StartTime": here.started_ms,
        "Time": now_ms,
        "Members": len(members),
        "Reachable": len(members) - len(unreachable),
        "Unreachable": [
            {"ID": one["ID"], "Name": one["Name"], "State": one["State"], "Since": one["Since"]}
            for one in unreachable
        ],
        "Split": bool(unreachable),
        "Jobs": dict(tally.jobs),
        "Provisional": tally.provisional,
        "Duplicates": tally.duplicates,
    }


def node_row(detail: NodeDetail) -> NodeRow:
    """One member."""
    reading = detail.reading
    return {
        "ID": reading.node,
        "Name": reading.name,
        "State": STATE_WORDS[detail.state],
        "IsSelf": detail.is_self,
        "Since": detail.since_ms,
        "RoundTripMs": round(detail.rtt_ms, 2),
        "Linked": detail.linked,
        "Roles": list(reading.roles),
        "Intent": detail.intent,
        "Engines": dict(detail.engine_versions),
        "Version": detail.version,
        "Running": detail.running,
        "Queued": detail.queued,
        "Capacity": _amounts(reading.capacity),
        "Free": _amounts(reading.capacity.minus(detail.used)),
        "Load": detail.load,
        "Addresses": list(detail.addresses),
        "Labels": ordered_labels(reading.labels),
        "Data": [{"Path": one.path, "Size": one.size_bytes} for one in reading.data],
        "Images": len(reading.images),
    }


def is_news(before: NodeRow | None, now: NodeRow) -> bool:
    """Whether a node's row says more than the one before: round trips differ all the time, and
    since when a state holds is told by clocks that are corrected."""
    if before is None:
        return True
    was, rtt_ms = before["RoundTripMs"], now["RoundTripMs"]
    if abs(rtt_ms - was) > max(RTT_MOVES_MS, was * RTT_MOVES_SHARE) or (was == 0) != (rtt_ms == 0):
        return True
    since = now["Since"] if abs(now["Since"] - before["Since"]) > SINCE_MOVES_MS else None
    told = {"RoundTripMs": was, "Since": before["Since"] if since is None else since}
    return before != {**now, **told}


def job_row(job: WatchedJob, names: Mapping[NodeId, str]) -> JobRow:
    """One job; `names` of nodes are for the reason why it waits."""
    reading, counts = job.reading, job.reading.counts
    return {
        "ID": reading.id,
        "Name": "" if reading.name == reading.id else reading.name,
        "Namespace": reading.namespace,
        "Type": job.type,
        "State": reading.state.value,
        "Message": job_message(reading, names),
        "Version": reading.version_number,
        "Priority": job.priority,
        "Count": job.count,
        "Done": counts["done"],
        "Running": counts["running"],
        # What a stop left undone waits for nothing.
        "Waiting": 0 if reading.state.terminal else counts["waiting"],
        "Failed": counts["failed"],
        "Where": list(job.where[:NAMED_NODES]),
        "WhereMore": max(0, len(job.where) - NAMED_NODES),
        "Owner": job.owner_name,
        "Settled": reading.settled,
        "Duplicates": job.duplicates,
        "Created": reading.created_ms,
        "Modified": reading.modified_ms,
        "Labels": {} if reading.spec is None else dict(reading.spec.labels),
    }


def execution_row(attempt: AttemptReading) -> ExecutionRow:
    """One execution. A success that is not the accepted one of its slot is a duplicate."""
    observation = attempt.observation
    succeeded = observation.state is AttemptState.SUCCEEDED
    return {
        "ID": attempt.id,
        "JobID": attempt.job,
        "Index": attempt.index,
        "Attempt": attempt.number,
        "NodeID": attempt.node,
        "NodeName": attempt.node_name,
        "State": observation.state.name.capitalize(),
        "Message": observation.message or COMPUTE_SENTENCES[observation.state],
        "ExitCode": observation.exit_code,
        "Accepted": attempt.accepted,
        "Duplicate": succeeded and not attempt.accepted,
        "Created": attempt.created_ms,
        "Started": attempt.started_ms,
        "Modified": attempt.modified_ms,
        "ElapsedMs": observation.elapsed_ms,
    }


def event_row(happening: Happening) -> EventRow:
    """One thing that happened."""
    return {
        "Seq": happening.seq,
        "Time": happening.time_ms,
        "Level": happening.level,
        "Kind": happening.kind,
        "Sentence": happening.sentence,
        "NodeID": happening.node,
        "JobID": happening.job,
        "ExecutionID": happening.attempt,
    }


def _amounts(resources: Resources) -> AmountsRow:
    cpu_milli, memory_bytes, disk_bytes, gpu = (max(0, amount) for amount in resources)
    return {"CPU": cpu_milli, "Memory": memory_bytes, "Disk": disk_bytes, "GPU": gpu}
