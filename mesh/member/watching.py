"""Answers for the live feed: what changed, what a snapshot has to hold, in frozen readings."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Sequence

from mesh.member.chronicle import Chronicle
from mesh.member.commands import JobReading, NodeDetail
from mesh.member.facts import Facts
from mesh.member.readings import read_attempt
from mesh.member.seen import Seen
from mesh.member.watched import (
    Outline,
    ReadOutline,
    ReadWatched,
    Tally,
    WatchCommand,
    Watched,
    WatchedJob,
)
from scheduler.attempts import AttemptView
from scheduler.ids import AttemptId, JobId, NodeId
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState

LOOKED_AT_MAX = 2_000
"""Executions, the latest heard of, among which the newest finished ones are looked for: to look at
all of ten thousand would hold the node up for 30 ms."""


class Watching:
    """Reads for the live feed."""

    def __init__(
        self,
        facts: Facts,
        chronicle: Chronicle,
        seen: Seen,
        *,
        boot: int,
        read_job: Callable[[JobView], JobReading],
    ) -> None:
        self._facts = facts
        self._chronicle = chronicle
        self._seen = seen
        self._boot = boot
        self._read_job = read_job

    def answer(
        self,
        command: WatchCommand,
        nodes: Callable[[tuple[NodeId, ...] | None], Sequence[NodeDetail]],
    ) -> Outline | Watched:
        """The answer; `nodes` reads these nodes, or all of them."""
        if isinstance(command, ReadOutline):
            return self._outline(command)
        return self._read(command, nodes(self._nodes_to_read(command)))

    def _nodes_to_read(self, command: ReadWatched) -> tuple[NodeId, ...] | None:
        """With those that the executions are on: what is free there has changed by them."""
        if command.nodes is None or command.of_job is not None:
            return command.nodes
        known = self._facts.view.attempts
        busy = (known[one].node for one in command.attempts if one in known)
        return tuple(dict.fromkeys((*command.nodes, *busy)))

    def _outline(self, command: ReadOutline) -> Outline:
        view = self._facts.view
        if command.of_job is not None:
            return self._outline_of(command.of_job, command.finished_max)
        newest = sorted(view.jobs.values(), key=_open_and_new, reverse=True)
        kept = newest[: command.jobs_max] if command.jobs_max else newest
        live = list(view.live())
        looked_at = itertools.islice(reversed(view.attempts.values()), LOOKED_AT_MAX)
        finished = (one for one in looked_at if not one.live)
        attempts = [*live, *heapq.nlargest(command.finished_max, finished, key=_last_told)]
        return Outline(tuple(one.id for one in kept), tuple(one.id for one in attempts))

    def _outline_of(self, job_id: JobId, finished_max: int) -> Outline:
        job = self._facts.view.jobs.get(job_id)
        if job is None:
            return Outline((), ())
        attempts = [one for one in job.attempts.values() if _is_current(job, one)]
        finished = (one for one in attempts if not one.live)
        kept = {one.id for one in heapq.nlargest(finished_max, finished, key=_last_told)}
        shown = tuple(one.id for one in attempts if one.live or one.id in kept)
        return Outline((job_id,), shown)

    def _read(self, command: ReadWatched, nodes: Sequence[NodeDetail]) -> Watched:
        view, chronicle = self._facts.view, self._chronicle
        attempts: list[AttemptView] = [
            view.attempts[one] for one in command.attempts if one in view.attempts
        ]
        if command.of_job is not None:
            of = view.jobs.get(command.of_job)
            attempts = [
                one for one in attempts if one.job == command.of_job and _is_current(of, one)
            ]
        after = command.happenings_after
        return Watched(
            boot=self._boot,
            jobs=tuple(self._job(view.jobs[one]) for one in command.jobs if one in view.jobs),
            attempts=tuple(
                read_attempt(self._facts, view.jobs[one.job], one)
                for one in self._with_rivals(attempts)
            ),
            nodes=tuple(nodes),
            happenings=() if after is None else chronicle.happenings(after),
            seq=chronicle.seq,
            tally=Tally(
                {state: count for state, count in sorted(chronicle.states.items()) if count},
                self._seen.unsettled_count,
                chronicle.duplicates,
            ),
        )

    def _with_rivals(self, attempts: list[AttemptView]) -> list[AttemptView]:
        """With those of the same slots: which of them is accepted may have changed by it."""
        found: dict[AttemptId, AttemptView] = {}
        for one in attempts:
            found[one.id] = one
            if one.state is AttemptState.SUCCEEDED:
                slots = self._facts.view.jobs[one.job].slots_of(one.version)
                found |= {other.id: other for other in slots.attempts(one.index)}
        return list(found.values())

    def _job(self, job: JobView) -> WatchedJob:
        version = job.version
        owner = job.owner
        return WatchedJob(
            reading=self._read_job(job),
            type="" if version is None else version.type,
            count=0 if version is None else version.count,
            priority=0 if version is None else version.priority,
            where=self._where(job),
            owner_name="" if owner is None else self._facts.name_of(owner[1]),
            duplicates=job.slots.duplicate_count(),
        )

    def _where(self, job: JobView) -> tuple[str, ...]:
        busy: Counter[NodeId] = Counter()
        if job.live_count and not job.state().terminal:
            busy.update({node: count for node, count in job.live_by_node.items() if count})
        elif job.version is not None:
            busy.update(
                one.node
                for one in job.attempts.values()
                if one.version == job.version.dot and not one.refused
            )
        names = sorted((-count, self._facts.name_of(node)) for node, count in busy.items())
        return tuple(name for _, name in names)


def _is_current(job: JobView | None, attempt: AttemptView) -> bool:
    version = None if job is None else job.version
    return version is not None and attempt.version == version.dot


def _open_and_new(job: JobView) -> tuple[bool, int]:
    """Who looks at a few jobs wants those that are not over, however old they are."""
    return not job.state().terminal, job.created_hlc


def _last_told(attempt: AttemptView) -> tuple[int, str]:
    return (max(attempt.observed_hlc, attempt.placed_hlc), attempt.id)
