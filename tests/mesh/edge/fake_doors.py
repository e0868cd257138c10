"""Doors over a dictionary: what HTTP tests talk to instead of a node."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from random import Random

import trio

from mesh.member.commands import (
    Command,
    DescribeNode,
    ExplainJob,
    Explanation,
    GetJob,
    IntentTaken,
    JobReading,
    JobsPage,
    ListJobs,
    ListNodes,
    NodeDetail,
    NodeWork,
    Problem,
    Reply,
    SetIntent,
    StopJob,
    StopTaken,
    Story,
    SubmitJob,
    Submitted,
    TellStory,
)
from mesh.member.events import Changed
from mesh.member.story import StoryItem
from mesh.member.watched import Outline, ReadOutline, Tally, WatchCommand, Watched
from mesh.node.doors import BlobUnavailable, Doors, NodeStatus
from scheduler.errors import SpecError
from scheduler.ids import AttemptId, Digest, JobId, NodeId, named_job_id, random_job_id
from scheduler.jobs import AttemptState, JobState, Observation, Refusal, Verdict, Waiting
from scheduler.spec import parse_job_untrusted
from tests.mesh.edge.readings import (
    HERE,
    START_MS,
    THERE,
    attempt_reading,
    job_reading,
    node_detail,
    watched_job,
)

STORY_LINE = StoryItem(
    seq=1,
    kind="job_created",
    time_ms=START_MS,
    node=HERE,
    node_name="here",
    sentence="here took the job",
    because="",
    cause_seq=0,
    depth=0,
    attempt=None,
)


REFUSED = Observation(AttemptState.REFUSED, reason="capacity", message="It is busy.")


def node_status(node: NodeId, name: str, folder: Path) -> NodeStatus:
    """What a node says of itself."""
    return NodeStatus(
        node=node,
        name=name,
        cluster="c" * 64,
        version="0.1.0",
        data_dir=folder,
        mesh_addresses=("127.0.0.1:1235",),
        api_addresses=("127.0.0.1:1234",),
        started_ms=START_MS,
    )


class FakeDoors(Doors):
    """Jobs in a dictionary; `change` is news about one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[JobId, JobReading] = {}
        self.keys: dict[str, JobId] = {}
        self.submits: list[SubmitJob] = []
        self.stops: list[StopJob] = []
        self.remote: dict[Digest, bytes] = {}
        self.logs: list[tuple[Sequence[tuple[int, bytes]], int, bool]] = []
        self.nodes: tuple[NodeDetail, ...] = (
            node_detail(HERE, "here"),
            node_detail(THERE, "there"),
        )
        self.log_questions: list[tuple[AttemptId, int, int]] = []
        self.away: set[AttemptId] = set()
        """Attempts whose node cannot be reached."""
        self.facts: dict[NodeId, dict[str, int]] = {HERE: {"sent_per_hour_bytes": 1_500_000}}
        self.intents: list[SetIntent] = []
        self.cuts: list[list[NodeId]] = []
        self.cut_off = None
        self.feed = None
        self.listeners = []
        self.broken = False
        self.outcome: Callable[[JobReading], JobReading] = lambda job: job
        """What becomes of a job the moment it is submitted."""
        self._changed = trio.Event()
        self.waiting = 0
        """Those who wait for news of a job."""
        self._random = Random(1)
        self.status = node_status(HERE, "here", folder)

    def change(self, job: JobReading) -> None:
        self.jobs[job.id] = job
        self._changed.set()
        self._changed = trio.Event()
        for tell in tuple(self.listeners):
            tell(Changed((job.id,), (), tuple(one.id for one in job.attempts)))

    async def read_watched(self, command: WatchCommand) -> Outline | Watched | Problem:
        await trio.lowlevel.checkpoint()
        of_job = command.of_job
        jobs = [one for one in self.jobs.values() if of_job in (None, one.id)]
        attempts = [one for job in jobs for one in job.attempts]
        if isinstance(command, ReadOutline):
            return Outline(tuple(one.id for one in jobs), tuple(one.id for one in attempts))
        wanted = command.nodes
        nodes = tuple(one for one in self.nodes if wanted is None or one.reading.node in wanted)
        shown = tuple(watched_job(one) for one in jobs if one.id in command.jobs)
        found = tuple(one for one in attempts if one.id in command.attempts)
        return Watched(1, shown, found, nodes, (), 0, Tally({}, 0, 0))

    async def ask(self, command: Command) -> Reply:
        await trio.lowlevel.checkpoint()
        if self.broken:
            raise RuntimeError("a secret detail of this node")
        match command:
            case SubmitJob():
                return self._submit(command)
            case GetJob(job, namespace, version_number=number):
                found = self._find(job, namespace)
                if isinstance(found, JobReading) and number > found.version_number:
                    return Problem("NotFound", f"job {job} has no version {number}", status=404)
                return found
            case StopJob(job, namespace):
                self.stops.append(command)
                found = self._find(job, namespace)
                if isinstance(found, Problem):
                    return found
                if found.state in (JobState.COMPLETED, JobState.FAILED):
                    return Problem("ResourceInUse", f"{job} is already over", status=409)
                already = found.state is JobState.STOPPED
                self.change(dataclasses.replace(found, state=JobState.STOPPED))
                return StopTaken(found.id, already)
            case ListJobs():
                if command.next_token and command.next_token != "next":
                    return Problem("BadRequest", "next_token is not one of this call's")
                jobs = tuple(self.jobs.values())
                return JobsPage(jobs[: command.limit or None], "")
            case DescribeNode(node):
                attempts = [one for job in self.jobs.values() for one in job.attempts]
                live = tuple(one for one in attempts if one.node == node)
                refused = (attempt_reading(JobId("j-refused"), observation=REFUSED),)
                return NodeWork(live, refused, {"capacity": 3})
            case ListNodes():
                return self.nodes
            case SetIntent(node, intent):
                self.intents.append(command)
                return IntentTaken(node, intent)
            case TellStory(job, namespace):
                found = self._find(job, namespace)
                return found if isinstance(found, Problem) else Story(found, (STORY_LINE,))
            case ExplainJob(job, namespace):
                found = self._find(job, namespace)
                if isinstance(found, Problem):
                    return found
                verdicts = (
                    Verdict(HERE, Refusal.CAPACITY, "2 cores are in use"),
                    Verdict(THERE, None, score=70, reasons={"locality": 50}),
                )
                waiting = Waiting(1, verdicts[:1], possible=True)
                waits = dataclasses.replace(found, waiting=waiting)
                return Explanation(waits, verdicts, {HERE: "here", THERE: "there"})
        raise AssertionError(command)

    def _submit(self, command: SubmitJob) -> Reply:
        self.submits.append(command)
        try:
            spec = command.parsed[0] if command.parsed else parse_job_untrusted(command.document)
        except SpecError as error:
            return Problem("ValidationError", str(error), component="APIServer")
        if command.key in self.keys:
            return Submitted(self.keys[command.key], created=False)
        job_id = random_job_id(self._random)
        if spec.name:
            job_id = named_job_id(spec.namespace, spec.name)
            if job_id in self.jobs:
                return Problem("ResourceInUse", f"there is a job {spec.name!r} already", status=409)
        if command.key:
            self.keys[command.key] = job_id
        job = job_reading(id=job_id, name=spec.name, spec=spec, namespace=spec.namespace)
        self.change(self.outcome(job))
        return Submitted(job_id)

    def _find(self, job: str, namespace: str) -> JobReading | Problem:
        for one in self.jobs.values():
            if one.name == job and one.namespace == (namespace or "default"):
                return one
        found = [one for one in self.jobs.values() if one.id.startswith(job)]
        if len(found) == 1:
            return found[0]
        if found:
            return Problem("MultipleJobsFound", f"{len(found)} jobs begin with {job}", status=409)
        return Problem("NotFound", f"job not found: {job}", status=404)

    async def wait_job_changed(self, job: JobId, revision: int) -> None:
        self.waiting += 1
        try:
            while (self.jobs[job].revision if job in self.jobs else 0) == revision:
                await self._changed.wait()
        finally:
            self.waiting -= 1

    async def nobody_waits(self) -> None:
        """Returns once no feed waits for news any more."""
        while self.waiting or self.listeners:  # noqa: ASYNC110
            await trio.sleep(0.001)

    def keep(self, content: bytes) -> Digest:
        digest = Digest(hashlib.sha256(content).hexdigest())
        (self.folder / digest).write_bytes(content)
        return digest

    def drop(self, digest: Digest) -> None:
        (self.folder / digest).unlink()

    def blob_path(self, digest: Digest) -> Path | None:
        path = self.folder / digest
        return path if path.exists() else None

    async def fetch_blob(self, digest: Digest, holders: Sequence[NodeId]) -> Path:
        await trio.lowlevel.checkpoint()
        self.asked_holders = tuple(holders)
        if digest in self.remote:
            self.keep(self.remote[digest])
        path = self.blob_path(digest)
        if path is None:
            raise BlobUnavailable(f"Nobody has {digest[:12]}.")
        return path

    async def keep_blob(
        self, digest: Digest, chunks: AsyncIterator[bytes], *, limit_bytes: int
    ) -> int:
        content = b"".join([chunk async for chunk in chunks])
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("The bytes are not those of the digest.")
        self.keep(content)
        return len(content)

    async def read_facts(self, node: NodeId) -> dict[str, int] | None:
        await trio.lowlevel.checkpoint()
        return self.facts.get(node)

    def _all_logged(self) -> bool:
        return bool(self.logs) and self.logs[-1][2]

    async def read_logs(
        self,
        attempt: AttemptId,
        node: NodeId,
        *,
        offset: int,
        limit: int,
        wait_s: float = 0.0,
        since_ms: int = 0,
    ) -> tuple[Sequence[tuple[int, bytes]], int, bool]:
        await trio.lowlevel.checkpoint()
        self.log_questions.append((attempt, offset, since_ms))
        if attempt in self.away:
            raise BlobUnavailable(f"Node {node} cannot be reached now.")
        with trio.move_on_after(wait_s):
            while offset >= len(self.logs) and not self._all_logged():  # noqa: ASYNC110
                await trio.sleep(0.01)
        if offset < len(self.logs):
            parts, _, ended = self.logs[offset]
            return parts, offset + bool(parts), ended
        return (), offset, bool(self.logs) and self.logs[-1][2]
