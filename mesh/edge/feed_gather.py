"""What the live feed has told and has yet to tell (pure): changed ids in, rows to send out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from mesh.edge.feed import Parts, encode_rows
from mesh.edge.feed_make import (
    Here,
    event_row,
    execution_row,
    is_news,
    job_row,
    mesh_row,
    node_row,
)
from mesh.edge.feed_rows import MeshRow, NodeRow
from mesh.member.events import Changed
from mesh.member.watched import Outline, ReadWatched, Watched
from scheduler.ids import AttemptId, JobId, NodeId

JOBS_PER_READ = 64
ATTEMPTS_PER_READ = 128
"""To read and encode so many takes some 5 ms, for which the node does nothing else."""
UNTOLD_MAX = 20_000
"""Changed ids that wait while nobody reads; beyond it readers begin anew."""


class Gathered:
    """Ids that changed and were not told, and the rows of nodes that were."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self._jobs: dict[JobId, None] = {}
        self._attempts: dict[AttemptId, None] = {}
        self._nodes: dict[NodeId, None] = {}
        self._rows: dict[str, NodeRow] = {}
        self._mesh: MeshRow | None = None
        self._seq = 0

    @property
    def waits(self) -> bool:
        """Something is to be told."""
        return bool(self._jobs or self._attempts or self._nodes)

    @property
    def overflows(self) -> bool:
        """More has changed than is worth telling change by change."""
        return len(self._jobs) + len(self._attempts) > UNTOLD_MAX

    @property
    def mesh(self) -> MeshRow | None:
        """The whole, as last told."""
        return self._mesh

    @property
    def seq(self) -> int:
        """Of the last event that was told."""
        return self._seq

    def note(self, changed: Changed) -> None:
        """These have changed."""
        self._jobs.update(dict.fromkeys(map(JobId, changed.jobs)))
        self._attempts.update(dict.fromkeys(map(AttemptId, changed.attempts)))
        self._nodes.update(dict.fromkeys(map(NodeId, changed.nodes)))

    def begin(self, watched: Watched, now_ms: int) -> None:
        """All nodes were read: changes are told from here on."""
        self._jobs.clear()
        self._attempts.clear()
        self._nodes.clear()
        self._rows = {one.reading.node: node_row(one) for one in watched.nodes}
        self._mesh = mesh_row(self._here, self._rows.values(), watched.tally, now_ms)
        self._seq = watched.seq

    def take(self, *, sweep: bool = False) -> ReadWatched:
        """What to read now; a sweep looks at every node."""
        jobs = tuple(itertools.islice(self._jobs, JOBS_PER_READ))
        attempts = tuple(itertools.islice(self._attempts, ATTEMPTS_PER_READ))
        nodes = None if sweep else tuple(self._nodes)
        for job in jobs:
            del self._jobs[job]
        for attempt in attempts:
            del self._attempts[attempt]
        self._nodes.clear()
        return ReadWatched(jobs, attempts, nodes, happenings_after=self._seq)

    def put_back(self, asked: ReadWatched) -> None:
        """What was taken could not be read now."""
        self.note(Changed(asked.jobs, asked.nodes or (), asked.attempts))

    def told(self, asked: ReadWatched, watched: Watched, now_ms: int) -> Parts | None:
        """What to tell of an answer; None when it is nothing new."""
        rows = [node_row(one) for one in watched.nodes]
        news = [row for row in rows if is_news(self._rows.get(row["ID"]), row)]
        self._rows.update((row["ID"], row) for row in news)
        gone = {
            "Jobs": _missing(asked.jobs, (one.reading.id for one in watched.jobs)),
            "Executions": _missing(asked.attempts, (one.id for one in watched.attempts)),
            "Nodes": _missing(asked.nodes or (), (row["ID"] for row in rows)),
        }
        for node in gone["Nodes"]:
            self._rows.pop(node, None)
        mesh = mesh_row(self._here, self._rows.values(), watched.tally, now_ms)
        known = mesh if self._mesh is None else {**self._mesh, "Time": now_ms}
        changed_mesh = mesh if self._mesh is None or mesh != known else None
        self._mesh, self._seq = mesh, watched.seq
        names = self._names()
        encoded = encode_rows(
            Mesh=changed_mesh,
            Nodes=news,
            Jobs=[job_row(one, names) for one in watched.jobs],
            Executions=[execution_row(one) for one in watched.attempts],
            Events=[event_row(one) for one in watched.happenings],
        )
        return Parts(encoded, gone) if encoded or any(gone.values()) else None

    def snapshot_head(self, watched: Watched) -> Parts:
        """The first piece: the whole, its nodes, and the latest events."""
        return Parts(
            encode_rows(
                Mesh=self._mesh,
                Nodes=list(self._rows.values()),
                Events=[event_row(one) for one in watched.happenings],
            )
        )

    def snapshot_piece(self, watched: Watched) -> Parts:
        """Some jobs and executions of a snapshot."""
        names = self._names()
        return Parts(
            encode_rows(
                Jobs=[job_row(one, names) for one in watched.jobs],
                Executions=[execution_row(one) for one in watched.attempts],
            )
        )

    def _names(self) -> dict[NodeId, str]:
        return {NodeId(row["ID"]): row["Name"] for row in self._rows.values()}


def snapshot_reads(outline: Outline) -> list[ReadWatched]:
    """How to read what a snapshot holds, some at a time."""
    return [
        *(
            ReadWatched(jobs=outline.jobs[first : first + JOBS_PER_READ])
            for first in range(0, len(outline.jobs), JOBS_PER_READ)
        ),
        *(
            ReadWatched(attempts=outline.attempts[first : first + ATTEMPTS_PER_READ])
            for first in range(0, len(outline.attempts), ATTEMPTS_PER_READ)
        ),
    ]


def _missing(asked: Iterable[str], found: Iterable[str]) -> list[str]:
    there = set(found)
    return [one for one in asked if one not in there]
