"""Rows of the live feed (pure): what a screen shows of a mesh, from readings, as plain JSON.

Times are integer milliseconds since 1970, 0 for never or unknown; ids are full ids. A row replaces
the row of the same id whole. `docs/feed.md` has each field.
"""

from __future__ import annotations

from typing import TypedDict


class UnreachableRow(TypedDict):
    """One member that cannot be heard here."""

    ID: str
    Name: str
    State: str
    Since: int


class MeshRow(TypedDict):
    """The whole, as the node that is asked sees it."""

    NodeID: str
    Name: str
    Cluster: str
    Version: str
    StartTime: int
    Time: int
    Members: int
    Reachable: int
    Unreachable: list[UnreachableRow]
    Split: bool
    Jobs: dict[str, int]
    Provisional: int
    Duplicates: int


class AmountsRow(TypedDict):
    """CPU in thousandths of a core, memory and disk in bytes, GPUs as a count."""

    CPU: int
    Memory: int
    Disk: int
    GPU: int


class DataRow(TypedDict):
    """A file or folder that a node offers to jobs."""

    Path: str
    Size: int


class NodeRow(TypedDict):
    """One member."""

    ID: str
    Name: str
    State: str
    IsSelf: bool
    Since: int
    RoundTripMs: float
    Linked: bool
    Roles: list[str]
    Intent: str
    Engines: dict[str, str]
    Version: str
    Running: int
    Queued: int
    Capacity: AmountsRow
    Free: AmountsRow
    Load: float | None
    Addresses: list[str]
    Labels: dict[str, str]
    Data: list[DataRow]
    Images: int


class JobRow(TypedDict):
    """One job, in its winning version."""

    ID: str
    Name: str
    Namespace: str
    Type: str
    State: str
    Message: str
    Version: int
    Priority: int
    Count: int
    Done: int
    Running: int
    Waiting: int
    Failed: int
    Where: list[str]
    WhereMore: int
    Owner: str
    Settled: bool
    Duplicates: int
    Created: int
    Modified: int
    Labels: dict[str, str]


class ExecutionRow(TypedDict):
    """One execution."""

    ID: str
    JobID: str
    Index: int
    Attempt: int
    NodeID: str
    NodeName: str
    State: str
    Message: str
    ExitCode: int | None
    Accepted: bool
    Duplicate: bool
    Created: int
    Started: int
    Modified: int
    ElapsedMs: int


class EventRow(TypedDict):
    """One thing that happened, as a sentence for people."""

    Seq: int
    Time: int
    Level: str
    Kind: str
    Sentence: str
    NodeID: str
    JobID: str
    ExecutionID: str
