"""What the live feed asks of a member, and the frozen readings that it answers with.

As in `mesh.member.commands`: commands are values, each answered once, by what is named beside it or
by a `Problem`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.member.commands import AttemptReading, JobReading, NodeDetail
from scheduler.ids import AttemptId, JobId, NodeId

FINISHED_ATTEMPTS = 200
"""Of a snapshot: more than anybody scrolls through, and a tenth of a second to send."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened in the mesh, as a sentence for people."""

    seq: int
    """From 1 at the node's start, in the order in which this node learned of it."""
    time_ms: int
    level: str
    """`info`, `warning` or `error`."""
    kind: str
    """`node`, `job`, `execution` or `mesh`."""
    sentence: str
    node: str = ""
    job: str = ""
    attempt: str = ""


@dataclass(frozen=True, slots=True)
class WatchedJob:
    """A job, and what only those who watch the whole mesh are told of it."""

    reading: JobReading
    type: str
    """`batch`, `ops`, `service` or `daemon`; "" while no version is known."""
    count: int
    priority: int
    where: tuple[str, ...]
    """Names of the nodes that run it, else of those that ran it; the busiest first."""
    owner_name: str
    duplicates: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over all jobs, kept up to date as records are folded."""

    jobs: Mapping[str, int]
    """By state."""
    provisional: int
    """Ended, and not yet settled."""
    duplicates: int
    """Results of slots that have another, accepted one."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a snapshot of the mesh has to hold, to be read in pieces."""

    jobs: tuple[JobId, ...]
    """Newest first."""
    attempts: tuple[AttemptId, ...]
    """Those not finished, and the newest of the finished."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was asked for and is known here; what is missing is no more."""

    boot: int
    """Of this life of the node: positions in its happenings count from its start."""
    jobs: tuple[WatchedJob, ...]
    attempts: tuple[AttemptReading, ...]
    nodes: tuple[NodeDetail, ...]
    happenings: tuple[Happening, ...]
    seq: int
    """Of the last thing that happened."""
    tally: Tally


@dataclass(frozen=True, slots=True)
class ReadOutline:
    """Answer: Outline, of jobs first those that are not over. `jobs_max` of 0 is no limit."""

    jobs_max: int = 0
    finished_max: int = FINISHED_ATTEMPTS
    of_job: JobId | None = None
    """Only this one, in its winning version."""


@dataclass(frozen=True, slots=True)
class ReadWatched:
    """Answer: Watched, of what is named; `nodes` is None for every node."""

    jobs: tuple[JobId, ...] = ()
    attempts: tuple[AttemptId, ...] = ()
    nodes: tuple[NodeId, ...] | None = ()
    happenings_after: int | None = None
    """Those with a greater seq; None for none."""
    of_job: JobId | None = None
    """Only executions of this one in its winning version, and no nodes with them."""


WatchCommand = ReadOutline | ReadWatched
