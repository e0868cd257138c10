"""What a member knows, and the one hand with which it writes: ledger, view, specs, nodes.

Own records are folded the moment they are written; what they cause outside waits for their flush.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from mesh.ledger.ledger import Ledger
from mesh.trust import Certificate
from scheduler.attempts import AttemptView
from scheduler.capacity import CapacityIndex
from scheduler.errors import SpecError
from scheduler.ids import AttemptId, Digest, Dot, JobId, NodeId, blob_digest
from scheduler.instant import HybridClock, Instant
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, JobSpec, NodeReading
from scheduler.ownership import ORCHESTRATE
from scheduler.records import Kind, Record
from scheduler.spec import decode_spec_untrusted, named_blobs
from scheduler.view import View

STEPS = (AttemptState.PREPARING, AttemptState.RUNNING, AttemptState.PUBLISHING)
"""Between intent and end: nothing rests on them but what people see."""
ABOUT_ONE_ATTEMPT = frozenset(
    {Kind.ATTEMPT_PLACED, Kind.ATTEMPT_STOP_REQUESTED, Kind.ATTEMPT_OBSERVED}
)
"""Records that change nothing but their attempt, and what counts in its slot."""


class Facts:
    """State shared by what an owner does, what a target does, and what doors are told."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        own: Certificate,
        random: Random,
        stored_blobs: Mapping[Digest, bytes],
    ) -> None:
        self.own = own
        self.node = own.node
        self.ledger = ledger
        self.random = random
        self.clock = HybridClock()
        self.view = View()
        self.index = CapacityIndex()
        self.readings: dict[NodeId, NodeReading] = {}
        """Every member heard of, ourselves included."""
        self.specs: dict[Digest, JobSpec] = {}
        self.dirty: dict[JobId, None] = {}
        """Jobs to look at again, in the order in which they changed."""
        self._moved: dict[JobId, dict[AttemptId, AttemptView] | None] = {}
        """What of them; None where it is not attempts alone."""
        self.changed: dict[JobId, None] = {}
        """Jobs whose readers are to be told."""
        self.changed_attempts: dict[AttemptId, None] = {}
        """Attempts whose readers are to be told."""
        self.news: list[tuple[Dot, Record]] = []
        """Records about jobs that were folded since the last tick, for the chronicle."""
        self.active: dict[JobId, None] = {}
        """Jobs that have not ended, as far as is known here."""
        self.intents: dict[NodeId, None] = {}
        """Nodes of which an operator's word has come since this was last looked at."""
        self.only_steps = False
        """All that was written since the last seal are steps that may be lost with the process."""
        self.wait_for_it: set[NodeId] | None = None
        """Nodes that wait for what was written since the last seal, where all of it tells of
        attempts here: who owns or took their jobs, once they have ended; None where any may."""
        self.capacity_freed = False
        """Something changed that could let a waiting job run."""
        self.missing_specs: dict[Digest, dict[JobId, None]] = {}
        self.named_blobs: dict[Digest, None] = {}
        """Modules and inputs that known specs name by digest."""
        self._stored_blobs = stored_blobs

    # --- writing ----------------------------------------------------------------------------------

    def write(
        self, kind: Kind, body: Mapping[str, Any], now: Instant, *, cause: Dot | None = None
    ) -> Dot:
        """Write one record of our own and fold it; its flush is the member's to ask for."""
        state = body["state"] if kind == Kind.ATTEMPT_OBSERVED else None
        first = not self.ledger.has_unsealed()
        self.only_steps = state in STEPS and (first or self.only_steps)
        self._note_who_waits(state, JobId(body.get("job", "")), first=first)
        record = Record(kind, self.clock.tick(now), cause, body)
        dot = self.ledger.write(record)
        self.fold([(dot, record)])
        return dot

    def _note_who_waits(self, state: int | None, job: JobId, *, first: bool) -> None:
        if first:
            self.wait_for_it = set()
        if state is None:
            self.wait_for_it = None
        elif self.wait_for_it is not None and state != AttemptState.ACCEPTED:
            self.wait_for_it |= self._job_homes(job)

    def _job_homes(self, job_id: JobId) -> set[NodeId]:
        job = self.view.jobs[job_id]
        owner = set() if job.owner is None else {job.owner[1]}
        return {job.birth.author} | owner

    # --- folding ----------------------------------------------------------------------------------

    def fold(self, records: Iterable[tuple[Dot, Record]]) -> None:
        """Take records into the view, and note what changed by it."""
        for dot, record in records:
            job = self.view.apply(dot, record)
            if record.kind == Kind.NODE_INTENT:
                self.intents[record.body["node"]] = None
            if job is None:
                continue
            if record.kind in ABOUT_ONE_ATTEMPT:
                self.dirty[job] = self.changed[job] = None
                self._moved.setdefault(job, {})
            else:
                if record.kind in (Kind.VERSION_ADDED, Kind.JOB_CREATED):
                    self._learn_versions(self.view.jobs[job])
                self.touch(job)
            self.news.append((dot, record))
        self._follow_attempts()

    def refold(self) -> None:
        """Fold every log again, births first, when records had to be dropped for want of theirs.

        A node that catches up may pull a busy author's records long before the birth they are
        about; the view holds only so many of them.
        """
        sealed = list(self.ledger.records())
        self.view, self.index = View(), CapacityIndex()
        for reading in self.readings.values():
            self.index.set_reading(reading, heard=self.clock.last)
        self.fold(one for one in sealed if one[1].kind == Kind.JOB_CREATED)
        self.fold(one for one in sealed if one[1].kind != Kind.JOB_CREATED)
        self.news.clear()

    def touch(self, job: JobId) -> None:
        """Look at this job again at the end of the tick, and tell its readers."""
        self.look_at(job)
        self.changed[job] = None

    def look_at(self, job: JobId) -> None:
        """Look at all of this job again at the end of the tick."""
        self.dirty[job] = None
        self._moved[job] = None

    def take_moved(self, job: JobId) -> Mapping[AttemptId, AttemptView] | None:
        """Attempts that have changed since this was last asked; None where more may have."""
        return self._moved.pop(job, {})

    def follow_clock(self, records: Iterable[tuple[Dot, Record]], now: Instant) -> None:
        """Let our clock pass what a peer wrote (P22)."""
        greatest = max((record.hlc for _, record in records), default=None)
        if greatest is not None:
            self.clock.follow(greatest, now)

    # --- specs ------------------------------------------------------------------------------------

    def add_blob(self, data: bytes) -> Digest:
        """Note a spec or a small module that arrived; jobs that lacked it are looked at again."""
        digest = blob_digest(data)
        if digest not in self.specs:
            self._learn_spec(digest, data)
        return digest

    def add_spec(self, digest: Digest, spec: JobSpec) -> None:
        """Note a spec that was not known."""
        self.specs[digest] = spec
        self.named_blobs.update(dict.fromkeys(named_blobs(spec)))
        for job in self.missing_specs.pop(digest, {}):
            self._learn_versions(self.view.jobs[job])
            self.touch(job)

    def spec_of(self, job: JobView) -> JobSpec | None:
        """The spec of the winning version; None while it has not arrived."""
        return None if job.version is None else self.specs.get(job.version.spec)

    def _learn_spec(self, digest: Digest, data: bytes) -> None:
        try:
            spec = decode_spec_untrusted(data)
        except SpecError:
            return
        self.add_spec(digest, spec)

    def _learn_versions(self, job: JobView) -> None:
        for version in job.versions.values():
            spec = self.specs.get(version.spec)
            if spec is None and (stored := self._stored_blobs.get(version.spec)) is not None:
                self._learn_spec(version.spec, stored)
                spec = self.specs.get(version.spec)
            if spec is None:
                self.missing_specs.setdefault(version.spec, {})[job.id] = None
            else:
                self.view.set_resources(version.dot, spec.task.resources)
                self._follow_attempts()

    # --- nodes ------------------------------------------------------------------------------------

    def set_reading(self, reading: NodeReading) -> None:
        """A node's registers or its reachability changed."""
        if self.readings.get(reading.node) == reading:
            return
        self.readings[reading.node] = reading
        self.index.set_reading(reading, heard=self.clock.last)
        self.capacity_freed = True

    def is_everywhere(self, digest: Digest) -> bool:
        """Every member in reach that orchestrates, we included, has said that it keeps a blob."""
        return all(
            digest in one.blobs
            for one in self.readings.values()
            if one.reachable and ORCHESTRATE in one.roles
        )

    def intent_of(self, node: NodeId) -> str:
        """`cordoned`, `draining`, or "" where nobody wants anything but work of a node."""
        told = self.view.intents.of(node)
        return "" if told is None else told.standing

    def name_of(self, node: NodeId) -> str:
        """The node's name for people; its id while no name was heard."""
        reading = self.readings.get(node)
        return reading.name if reading is not None and reading.name else node

    def _follow_attempts(self) -> None:
        for attempt in self.view.take_touched():
            self.index.follow(attempt, self.view.resources(attempt.version))
            self.changed_attempts[attempt.id] = None
            moved = self._moved.get(attempt.job)
            if moved is not None:
                moved[attempt.id] = attempt
            self.capacity_freed |= not attempt.live
