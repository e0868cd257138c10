"""Jobs, attempts and nodes as a member reads them, made up for tests of what doors show."""

from __future__ import annotations

import dataclasses
from typing import Any

from mesh.gossip.events import PeerState
from mesh.member.commands import AttemptReading, HistoryItem, JobReading, NodeDetail
from mesh.member.watched import WatchedJob
from scheduler.ids import AttemptId, Digest, Dot, JobId, NodeId
from scheduler.jobs import AttemptState, DataEntry, JobState, NodeReading, Observation, Resources
from scheduler.spec import parse_job_untrusted

HERE = NodeId("n-" + "a" * 26)
THERE = NodeId("n-" + "b" * 26)
START_MS = 1_795_475_800_000
RECORD = Dot(HERE, 1, 1)
JOB: dict[str, Any] = {
    "Type": "batch",
    "Count": 1,
    "Tasks": [{"Name": "main", "Engine": {"Type": "scripted", "Params": {"DurationMs": 1}}}],
}


def job_reading(**changes: Any) -> JobReading:
    spec = parse_job_untrusted(JOB)
    job = JobReading(
        id=JobId("j-00000000-0000-4000-8000-000000000001"),
        name="",
        namespace="default",
        spec=spec,
        state=JobState.PENDING,
        message="",
        settled=False,
        version_number=1,
        revision=1,
        created_ms=START_MS,
        modified_ms=START_MS,
        owner=HERE,
        accepting_node=HERE,
        counts={"done": 0, "running": 0, "waiting": 1, "failed": 0},
        history=(
            HistoryItem(1, "JobLevel", None, "Submission", "Job submitted", {}, START_MS, RECORD),
        ),
    )
    return dataclasses.replace(job, **changes)


def attempt_reading(job: JobId, **changes: Any) -> AttemptReading:
    attempt = AttemptReading(
        id=AttemptId("e-00000000-0000-4000-8000-000000000002"),
        job=job,
        version_number=1,
        index=0,
        number=1,
        node=THERE,
        node_name="there",
        owner=HERE,
        term=1,
        score=70,
        observation=Observation(AttemptState.RUNNING),
        accepted=False,
        stop_reason="",
        created_ms=START_MS + 5,
        started_ms=START_MS + 6,
        modified_ms=START_MS + 7,
        revision=2,
        next_best=((HERE, 20),),
        refusals={"capacity": 1},
        reasons={"locality": 50, "fit": 20},
    )
    return dataclasses.replace(attempt, **changes)


def finished(job: JobReading, result: Digest | None = None, **outcome: Any) -> JobReading:
    """The job completed by one attempt there."""
    observation = Observation(
        AttemptState.SUCCEEDED,
        exit_code=0,
        result=result,
        stdout_tail="printed\n",
        stdout_bytes=8,
        elapsed_ms=1500,
    )
    observation = dataclasses.replace(observation, **outcome)
    attempt = attempt_reading(job.id, observation=observation, accepted=True, revision=4)
    happened: list[tuple[str, AttemptId | None, str, str, dict[str, str]]] = [
        ("ExecutionLevel", attempt.id, "Scheduling", "Requested execution", {"NodeID": THERE}),
        ("JobLevel", None, "State Update", "Running", {"NewState": "Running"}),
        ("ExecutionLevel", attempt.id, "Execution", "Running", {}),
        ("ExecutionLevel", attempt.id, "Execution", "Completed successfully", {}),
        ("JobLevel", None, "State Update", "Completed", {"NewState": "Completed"}),
    ]
    items = [
        HistoryItem(
            *(number, level, one, topic, message, details, START_MS + number),
            dot=Dot(HERE, 1, number),
        )
        for number, (level, one, topic, message, details) in enumerate(happened, 2)
    ]
    succeeded = observation.state is AttemptState.SUCCEEDED
    attempt = dataclasses.replace(attempt, accepted=succeeded)
    return dataclasses.replace(
        job,
        state=JobState.COMPLETED if succeeded else JobState.FAILED,
        message="" if succeeded else observation.message,
        revision=5,
        attempts=(attempt,),
        history=(*job.history[:1], *items),
        counts={"done": 1, "running": 0, "waiting": 0, "failed": 0},
        modified_ms=START_MS + 2000,
    )


def node_detail(node: NodeId, name: str, **changes: Any) -> NodeDetail:
    reading = NodeReading(
        node,
        name,
        True,
        roles=("orchestrate", "compute"),
        capacity=Resources(2000, 8_000_000_000, 100_000_000_000),
        engines=("scripted", "wasm"),
        sources=("inline", "local", "mesh"),
        publishers=("mesh",),
        labels={"os": "linux", "site": name},
        data=(DataEntry("/data/readings", 20_000_000, START_MS),),
    )
    detail = NodeDetail(
        reading,
        PeerState.ALIVE,
        is_self=node == HERE,
        boot=1,
        addresses=("127.0.0.1:1235",),
        version="0.1.0",
        engine_versions={"wasm": "45"},
        used=Resources(500, 512_000_000, 0),
        running=1,
        queued=0,
        since_ms=START_MS,
        linked=True,
    )
    return dataclasses.replace(detail, **changes)


def watched_job(job: JobReading) -> WatchedJob:
    spec = job.spec
    return WatchedJob(
        reading=job,
        type="batch",
        count=1 if spec is None else spec.count,
        priority=0,
        where=tuple(one.node_name for one in job.attempts),
        owner_name="here",
        duplicates=0,
    )
