"""What doors ask of a member, and the frozen readings that it answers with.

Commands are values; every one is answered exactly once, by one of the answers named beside it or by
a `Problem`. A reading is a snapshot: it was made from records that were on disk when it was given
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mesh.gossip.events import PeerState
from scheduler.ids import AttemptId, Digest, Dot, JobId, NodeId
from scheduler.jobs import JobSpec, JobState, NodeReading, Observation, Resources, Verdict, Waiting

if TYPE_CHECKING:
    from mesh.member.story import StoryItem

# --- answers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """A named no. `code` is Bacalhau's error code, `status` the HTTP status that goes with it."""

    code: str
    message: str
    """One clear sentence; for a spec, one line per problem."""
    hint: str = ""
    status: int = 400
    component: str = "JobStore"


@dataclass(frozen=True, slots=True)
class AttemptReading:
    """One attempt as folded here."""

    id: AttemptId
    job: JobId
    version_number: int
    index: int
    number: int
    node: NodeId
    node_name: str
    owner: NodeId
    term: int
    score: int
    observation: Observation
    accepted: bool
    """It is the accepted result of its slot."""
    stop_reason: str
    created_ms: int
    started_ms: int
    modified_ms: int
    revision: int
    next_best: tuple[tuple[NodeId, int], ...] = ()
    refusals: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One line of a job's history: a view over records, not a record."""

    seq: int
    """From 1, per job, in the order (HLC, dot)."""
    level: str
    """`JobLevel` or `ExecutionLevel`."""
    attempt: AttemptId | None
    topic: str
    message: str
    details: Mapping[str, str]
    time_ms: int
    dot: Dot
    """Of the record; seq 0 for a line that is none."""
    version_number: int = 1


@dataclass(frozen=True, slots=True)
class JobReading:
    """One job as folded here."""

    id: JobId
    name: str
    namespace: str
    spec: JobSpec | None
    """None while the spec has not arrived."""
    state: JobState
    message: str
    settled: bool
    version_number: int
    revision: int
    created_ms: int
    modified_ms: int
    owner: NodeId | None
    accepting_node: NodeId
    counts: Mapping[str, int]
    """Slots by what became of them: done, running, waiting, failed."""
    waiting: Waiting | None = None
    attempts: tuple[AttemptReading, ...] = ()
    history: tuple[HistoryItem, ...] = ()
    submitter: str = ""
    """The client's id, as it gave it."""


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Some jobs, and the token for more ("" at the end)."""

    jobs: tuple[JobReading, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """The job is on this node's disk."""

    job: JobId
    warnings: tuple[str, ...] = ()
    created: bool = True
    """False when the same idempotency key had made it before."""
    version_number: int = 1


@dataclass(frozen=True, slots=True)
class StopTaken:
    """The stop is on this node's disk; `already` when the job was stopped before."""

    job: JobId
    already: bool = False


@dataclass(frozen=True, slots=True)
class Reran:
    """The job's next version is on this node's disk."""

    job: JobId
    version_number: int


@dataclass(frozen=True, slots=True)
class JobDiff:
    """What a submission would change, a line for each place; none for no change."""

    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobVersions:
    """Every version of a job that is known here, the winning one last."""

    versions: tuple[JobReading, ...]


@dataclass(frozen=True, slots=True)
class NodeDetail:
    """One member as this node sees it."""

    reading: NodeReading
    state: PeerState
    is_self: bool
    boot: int
    addresses: tuple[str, ...]
    version: str
    engine_versions: Mapping[str, str]
    used: Resources
    running: int
    queued: int
    since_ms: int
    """Wall time of the last change of state, milliseconds since 1970."""
    linked: bool
    """There is a live stream between us and it."""
    rtt_ms: float = 0.0
    """Of direct pings, lately; 0 of ourselves and while none was answered."""
    load: float | None = None
    """Programs that want a processor, by processor, averaged over a minute; None if not told."""
    intent: str = ""
    """What an operator wants of it: `cordoned`, `draining`, or ""; the rest is about that."""
    intent_reason: str = ""
    intent_by: str = ""
    """The name of the node at which that was said."""
    intent_since_ms: int = 0
    intent_until_ms: int = 0
    """Of a drain: when what still runs is moved."""


@dataclass(frozen=True, slots=True)
class IntentTaken:
    """What an operator wants of a node is on this node's disk; `already` when it was before."""

    node: NodeId
    intent: str
    already: bool = False


@dataclass(frozen=True, slots=True)
class NodeWork:
    """What one node has in hand and what it would not take, as far as this node has heard."""

    live: tuple[AttemptReading, ...]
    refused: tuple[AttemptReading, ...]
    """The newest, newest first."""
    refusals: Mapping[str, int]
    """All of them by reason, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job runs where it runs, or why it waits: facts, made into sentences by `explain`."""

    job: JobReading
    verdicts: tuple[Verdict, ...]
    """What each member would answer now."""
    node_names: Mapping[NodeId, str]
    bytes_there: Mapping[NodeId, int] = field(default_factory=dict)
    """How much of the job's local inputs lies on each member."""


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is on record about a job."""

    job: JobReading
    items: tuple[StoryItem, ...]


# --- commands -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubmitJob:
    """`document` is Bacalhau's job document, parsed JSON or YAML. Answer: Submitted."""

    document: Any
    namespace: str = ""
    key: str = ""
    """Idempotency key, "" for none."""
    submitter: str = ""
    blobs: tuple[bytes, ...] = ()
    """Modules that the spec names, when they fit with it in 1 MiB."""
    force: bool = False
    """Make the next version of a named job also where nothing changed."""
    parsed: tuple[JobSpec, bytes] | None = None
    """The document's spec and its encoding, where the door has parsed it; None where the member is
    to parse it."""


@dataclass(frozen=True, slots=True)
class StopJob:
    """Answer: StopTaken."""

    job: str
    namespace: str = ""
    reason: str = "Stopped at user request"


@dataclass(frozen=True, slots=True)
class GetJob:
    """`job` is an id, a unique prefix of one, or a name. Answer: JobReading.

    State, attempts and history are those of one version: of the winning one for number 0.
    """

    job: str
    namespace: str = ""
    attempts: bool = True
    history: bool = False
    version_number: int = 0
    all_versions: bool = False
    """Attempts and history of every version, where no number is given."""


@dataclass(frozen=True, slots=True)
class ListVersions:
    """Answer: JobVersions."""

    job: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class RerunJob:
    """Run a version once more, as the next one; the latest for 0. Answer: Reran."""

    job: str
    namespace: str = ""
    version_number: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DiffJob:
    """Compare a document with the job of its name. Answer: JobDiff."""

    document: Any
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class ListJobs:
    """Answer: JobsPage. `labels` are requirements: (key, operator, values) as in a Constraint."""

    namespace: str = ""
    labels: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    limit: int = 0
    next_token: str = ""
    order_by: str = "created_at"
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class ListNodes:
    """Answer: tuple[NodeDetail, ...], ourselves included, in order of node id."""


@dataclass(frozen=True, slots=True)
class DescribeNode:
    """Answer: NodeWork."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class SetIntent:
    """What an operator wants of a node: `cordoned`, `draining`, or "" for work as before.

    A drain lets what runs go on for `deadline_s` at most. Answer: IntentTaken.
    """

    node: NodeId
    intent: str
    reason: str = ""
    deadline_s: int = 0


@dataclass(frozen=True, slots=True)
class ExplainJob:
    """Answer: Explanation."""

    job: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class TellStory:
    """Answer: Story."""

    job: str
    namespace: str = ""


Command = (
    SubmitJob
    | StopJob
    | RerunJob
    | DiffJob
    | GetJob
    | ListVersions
    | ListJobs
    | ListNodes
    | DescribeNode
    | SetIntent
    | ExplainJob
    | TellStory
)
READINGS = (GetJob, ListVersions, ListJobs, DescribeNode, DiffJob, ExplainJob, TellStory)
"""Commands that write nothing, and need no more than what is known of jobs and nodes."""
Reply = (
    Problem
    | Submitted
    | StopTaken
    | Reran
    | JobDiff
    | JobReading
    | JobVersions
    | JobsPage
    | tuple[NodeDetail, ...]
    | NodeWork
    | IntentTaken
    | Explanation
    | Story
)


def holders_of(reading: JobReading, manifest: Digest) -> tuple[NodeId, ...]:
    """Nodes that certainly stored a result manifest: those whose attempt reported it."""
    return tuple(one.node for one in reading.attempts if one.observation.result == manifest)
