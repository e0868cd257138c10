"""The fold of records: every job, every attempt, and who runs what.

Any order of the same records gives the same view (joins: max of rank, union, add-once). Records
about a birth not yet known are held, within a bound, and applied when it comes.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from scheduler import cbor
from scheduler.attempts import AttemptView, Told
from scheduler.ids import AttemptId, Dot, JobId, NodeId, named_job_id
from scheduler.instant import Hlc
from scheduler.intents import Intents
from scheduler.job_view import FOLDED_KINDS, JobView
from scheduler.jobs import Resources
from scheduler.records import Kind, Record, encode_record
from scheduler.versions import VersionView

__all__ = ["AttemptView", "JobView", "VersionView", "View"]

MAX_HELD_RECORDS = 4096
"""Per author, about births not known here: some 600 KiB of records of usual size (P34)."""


class View:
    """The whole fold."""

    def __init__(self) -> None:
        self.jobs: dict[JobId, JobView] = {}
        self.attempts: dict[AttemptId, AttemptView] = {}
        """By id; should two jobs claim one id, the placement with the least dot."""
        self.intents = Intents()
        self.dropped = 0
        """Records about unknown births that were beyond the bound. While this is not 0 the view may
        lack facts that the logs hold: fold them again into a new view, births first."""
        self._births: dict[Dot, JobId] = {}
        self._versions: dict[Dot, JobId] = {}
        self._held: dict[Dot, dict[Dot, Record]] = {}
        self._held_by: Counter[NodeId] = Counter()
        self._live: dict[NodeId, dict[AttemptId, AttemptView]] = {}
        self._resources: dict[Dot, Resources] = {}
        self._touched: dict[AttemptId, AttemptView] = {}
        self._created: list[tuple[Hlc, JobId]] = []
        """In order, also of births that an earlier one replaced, and of jobs no longer here."""

    def apply(self, dot: Dot, record: Record) -> JobId | None:
        """Fold one record; the job that changed, if any.

        Idempotent: a record that was folded before changes nothing. Of kinds that are not about
        one job, known or not, `node_intent` alone changes something: `intents`.
        """
        if record.kind == Kind.JOB_CREATED:
            return self._create(dot, record)
        if record.kind == Kind.NODE_INTENT:
            self.intents.add(dot, record)
            return None
        if record.kind not in FOLDED_KINDS:
            return None
        birth = record.body["birth"]
        job = self._births.get(birth)
        if job is None:
            self._hold(birth, dot, record)
            return None
        return self._fold(job, dot, record)

    def set_resources(self, version: Dot, resources: Resources) -> None:
        """What one attempt of a version takes, known once its spec is here."""
        if self._resources.get(version) == resources:
            return
        self._resources[version] = resources
        job = self._versions.get(version)
        if job is not None:
            self._touched |= {one.id: one for one in self.jobs[job].live_attempts()}

    def resources(self, version: Dot) -> Resources:
        """What one attempt of a version takes; nothing while its spec is not here."""
        return self._resources.get(version, Resources())

    def take_touched(self) -> Sequence[AttemptView]:
        """Attempts changed since this was last asked: what an index of capacity must follow."""
        touched, self._touched = self._touched, {}
        return tuple(touched.values())

    def job_by_name(self, namespace: str, name: str) -> JobView | None:
        """The job of that name of its own; its id follows from the name (P19)."""
        job = self.jobs.get(named_job_id(namespace, name))
        return job if job is not None and job.name == name else None

    def by_creation(
        self, *, after: tuple[int, str] | None = None, reverse: bool = False
    ) -> Iterator[JobView]:
        """Jobs by (first birth's HLC, id), those beyond `after` in that direction: as many steps
        as jobs are taken, however many there are."""
        places = self._created
        if reverse:
            end = len(places) if after is None else bisect_left(places, after)
            steps = range(end - 1, -1, -1)
        else:
            steps = range(0 if after is None else bisect_right(places, after), len(places))
        for step in steps:
            hlc, identifier = places[step]
            job = self.jobs.get(identifier)
            if job is not None and job.created_hlc == hlc:
                yield job

    def live_on(self, node: NodeId) -> Iterator[AttemptView]:
        """Attempts placed on a node that are not terminal, by (placement's HLC, id)."""
        return iter(
            sorted(self._live.get(node, {}).values(), key=lambda one: (one.placed_hlc, one.id))
        )

    def live(self) -> Iterator[AttemptView]:
        """Attempts on any node that are not terminal, in no order that means anything."""
        return (one for attempts in self._live.values() for one in attempts.values())

    def used(self, node: NodeId) -> Resources:
        """What attempts at Accepted to Publishing take on a node."""
        total = Resources()
        for one in self._live.get(node, {}).values():
            if one.holds_capacity:
                total = total.plus(self.resources(one.version))
        return total

    def digest(self) -> bytes:
        """SHA-256 over all that is folded and derived: equal on nodes that converged (I1)."""
        digest = hashlib.sha256()
        for job in sorted(self.jobs):
            digest.update(cbor.encode(_canonical_job(self.jobs[job])))
        digest.update(cbor.encode(self.intents.canonical()))
        return digest.digest()

    def _create(self, dot: Dot, record: Record) -> JobId | None:
        if dot in self._births:
            return None
        job: JobId = record.body["job"]
        self._births[dot] = job
        self.jobs.setdefault(job, JobView(job))
        self._fold(job, dot, record)
        self._keep_place(self.jobs[job])
        for held_dot, held in self._held.pop(dot, {}).items():
            self._held_by[held_dot.author] -= 1
            self._fold(job, held_dot, held)
        return job

    def _keep_place(self, job: JobView) -> None:
        place = (job.created_hlc, job.id)
        at = bisect_left(self._created, place)
        if self._created[at : at + 1] != [place]:
            self._created.insert(at, place)
        if len(self._created) > 2 * len(self.jobs):
            self._created = sorted((one.created_hlc, one.id) for one in self.jobs.values())

    def _hold(self, birth: Dot, dot: Dot, record: Record) -> None:
        if dot in self._held.get(birth, {}):
            return
        if self._held_by[dot.author] >= MAX_HELD_RECORDS:
            self.dropped += 1
            return
        self._held_by[dot.author] += 1
        self._held.setdefault(birth, {})[dot] = record

    def _fold(self, job: JobId, dot: Dot, record: Record) -> JobId | None:
        if record.body["job"] != job:
            return None
        changed = self.jobs[job].fold(dot, record)
        if changed is None:
            return None
        if record.kind == Kind.VERSION_ADDED:
            self._versions[dot] = job
        for attempt in changed:
            self._follow(attempt)
        return job

    def _follow(self, attempt: AttemptView) -> None:
        known = self.attempts.get(attempt.id)
        if known is not None and known is not attempt:
            if known.placed < attempt.placed:
                return
            self._live.get(known.node, {}).pop(known.id, None)
        self.attempts[attempt.id] = attempt
        self._touched[attempt.id] = attempt
        if attempt.live:
            self._live.setdefault(attempt.node, {})[attempt.id] = attempt
        else:
            self._live.get(attempt.node, {}).pop(attempt.id, None)


def _canonical_job(job: JobView) -> list[object]:
    version = job.version
    attempts = [_canonical_attempt(job.attempts[one]) for one in sorted(job.attempts)]
    accepted = [] if version is None else _accepted(job, version.dot)
    records = [[*dot, hlc] for dot, hlc in sorted((dot, hlc) for hlc, dot in job.dots.items())]
    owner = None if job.owner is None else list(job.owner)
    births = [[*dot, encode_record(job.births[dot])] for dot in sorted(job.births)]
    return [
        job.id,
        births,
        records,
        None if version is None else list(version.dot),
        sorted([*dot, reason] for dot, reason in job.stops.items()),
        owner,
        job.state().value,
        job.message(),
        dict(job.summary()),
        attempts,
        accepted,
    ]


def _accepted(job: JobView, version: Dot) -> list[list[object]]:
    indexes = sorted({one.index for one in job.attempts.values() if one.version == version})
    pairs = [(index, job.accepted(index)) for index in indexes]
    return [[index, one.id] for index, one in pairs if one is not None]


def _canonical_attempt(attempt: AttemptView) -> list[object]:
    return [
        attempt.id,
        list(attempt.placed),
        attempt.stop_reason,
        *_canonical_told(attempt.told),
    ]


def _canonical_told(told: Told) -> list[object]:
    observed = None if told.observed is None else list(told.observed)
    said = told.observation
    return [
        observed,
        int(said.state),
        said.reason,
        said.result,
        told.observed_hlc,
        told.started_hlc,
        told.completed_hlc,
    ]
