"""Nouns of the work: what a user asks for, where it may run, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any, NamedTuple

from scheduler.ids import AttemptId, Digest, NodeId

FOLD_VERSION = 1
"""The rules by which this release folds a job; a birth names those it was made under."""


class JobType(str, Enum):
    """Bacalhau's job types; this release places batch, the others are refused by name."""

    BATCH = "batch"
    OPS = "ops"
    SERVICE = "service"
    DAEMON = "daemon"


class JobState(str, Enum):
    """Derived, never stored (the order is in `lifecycle`)."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    def __init__(self, name: str) -> None:
        self.terminal = name in ("Completed", "Failed", "Stopped")


_FIRST_TERMINAL = 5


class AttemptState(IntEnum):
    """Ranks of the attempt lattice; from REFUSED on they are terminal and sticky."""

    ASSIGNED = 0
    ACCEPTED = 1
    PREPARING = 2
    RUNNING = 3
    PUBLISHING = 4
    REFUSED = 5
    CANCELLED = 6
    FAILED = 7
    SUCCEEDED = 8

    def __init__(self, rank: int) -> None:
        self.terminal = rank >= _FIRST_TERMINAL


class Refusal(str, Enum):
    """Why a node will not take work: named, counted, shown; never a retry spent."""

    UNREACHABLE = "unreachable"
    NOT_COMPUTE = "not_compute"
    CORDONED = "cordoned"
    DRAINING = "draining"
    ENGINE_MISSING = "engine_missing"
    STORAGE_MISSING = "storage_missing"
    PUBLISHER_MISSING = "publisher_missing"
    CONSTRAINT = "constraint"
    TOO_LARGE = "too_large"
    """More than the node has in all: it can never run there."""
    CAPACITY = "capacity"
    """More than is free now, with the node's queue full."""
    INPUT_MISSING = "input_missing"
    IMAGE_UNAVAILABLE = "image_unavailable"
    """The node has no image that it can run, and cannot get it now: no registry answers."""
    IMAGE_MISSING = "image_missing"
    """The registry itself said that there is no such image, or none that this node may have or can
    run."""
    REFUSED_BEFORE = "refused_before"
    STALE_TERM = "stale_term"
    QUEUE_FULL = "queue_full"
    SPEC_MISSING = "spec_missing"
    ALREADY_DONE = "already_done"
    POLICY = "policy"
    WITHDRAWN = "withdrawn"
    JOB_STOPPED = "job_stopped"


class Failure(str, Enum):
    """Why an attempt failed. `INFRASTRUCTURE` below are retried within the slot's budget."""

    EXIT_CODE = "exit_code"
    DEADLINE = "deadline"
    TRAP = "trap"
    OUT_OF_MEMORY = "out_of_memory"
    MODULE_INVALID = "module_invalid"
    INPUT = "input"
    ENGINE = "engine"
    RESULTS = "results"
    RESULTS_REFUSED = "results_refused"  # they break a limit, and would anywhere
    NODE_RESTART = "node_restart"


class Expiry(str, Enum):
    """Why a job ends with slots that never got anywhere: which of its own time limits ran out, or
    what makes waiting useless."""

    QUEUE_TIMEOUT = "queue_timeout"
    """Some slot did not begin in time: nothing begins any more, what runs may end."""
    TOTAL_TIMEOUT = "total_timeout"
    """The whole was not done in time: what still runs is stopped too."""
    IMAGE_MISSING = "image_missing"
    """No node can get its image: nothing begins any more, what runs may end."""


class StopReason(str, Enum):
    """Why an owner asks an attempt to stop."""

    JOB_STOPPED = "job_stopped"
    SUPERSEDED = "superseded"
    """Its version did not win."""
    ALREADY_DONE = "already_done"
    """Its slot has an accepted result."""
    DUPLICATE = "duplicate"
    """Another attempt of its slot runs too, and is kept."""
    WITHDRAWN = "withdrawn"
    """It waits where another node could begin at once. Means nothing to one that has begun."""
    QUEUE_TIMEOUT = "queue_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    IMAGE_MISSING = "image_missing"
    LOST = "lost"
    """Its node cannot be heard, and no other attempt is allowed. Means nothing to one that has
    begun, whose result still counts; void once its node speaks of it again."""
    DRAINED = "drained"
    """Its node was drained: the node's own word, which costs no retry."""


INFRASTRUCTURE_FAILURES = frozenset(
    {Failure.INPUT, Failure.ENGINE, Failure.RESULTS, Failure.NODE_RESTART}
)
DEFAULT_ATTEMPTS = 3
"""Attempts a slot may use up for infrastructure reasons (P17)."""
TARGET_QUEUE_SLOTS = 8
"""Assigned attempts a node holds beyond what it can run at once."""


class Resources(NamedTuple):
    """Concrete amounts: thousandths of a core, bytes, bytes, whole devices."""

    cpu_milli: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0
    gpu: int = 0

    def fits(self, free: Resources) -> bool:
        cpu_milli, memory_bytes, disk_bytes, gpu = free
        return (
            self.cpu_milli <= cpu_milli
            and self.memory_bytes <= memory_bytes
            and self.disk_bytes <= disk_bytes
            and self.gpu <= gpu
        )

    def plus(self, other: Resources) -> Resources:
        cpu_milli, memory_bytes, disk_bytes, gpu = other
        return Resources(
            self.cpu_milli + cpu_milli,
            self.memory_bytes + memory_bytes,
            self.disk_bytes + disk_bytes,
            self.gpu + gpu,
        )

    def minus(self, other: Resources) -> Resources:
        cpu_milli, memory_bytes, disk_bytes, gpu = other
        return Resources(
            self.cpu_milli - cpu_milli,
            self.memory_bytes - memory_bytes,
            self.disk_bytes - disk_bytes,
            self.gpu - gpu,
        )


@dataclass(frozen=True, slots=True)
class Constraint:
    """One requirement on a node's labels; `soft` ones (key starting `favour_`) only rank."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    @property
    def soft(self) -> bool:
        return self.key.startswith("favour_")


@dataclass(frozen=True, slots=True)
class Source:
    """An engine, a storage source or a publisher: its type in lower case, and its parameters."""

    type: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Input:
    """Data put at `target` (absolute) before the program starts."""

    source: Source
    target: str
    alias: str = ""


@dataclass(frozen=True, slots=True)
class ResultPath:
    """What is kept of what the program wrote: everything below `path`, under `name`."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; 0 means none."""

    execution_s: int = 0
    queue_s: int = 0
    total_s: int = 0


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the program, as in Bacalhau's `Network.Ports`."""

    name: str
    static: int = 0
    target: int = 0
    host_network: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """Bacalhau's network types, spelled as it does; domains only for HTTP."""

    type: str = "Default"
    domains: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """The one task of a job."""

    name: str
    engine: Source
    publisher: Source | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    result_paths: tuple[ResultPath, ...] = ()
    resources: Resources = Resources()
    resource_texts: Mapping[str, str] = field(default_factory=dict)
    """CPU, Memory, Disk, GPU as the user wrote them, in lower case, defaults filled in."""
    network: Network = field(default_factory=Network)
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job as submitted, every level checked, defaults filled in (see `spec`)."""

    type: JobType
    task: Task
    name: str = ""
    """Empty when the user gave none: the job is then shown under its id."""
    namespace: str = "default"
    priority: int = 0
    count: int = 1
    constraints: tuple[Constraint, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    success_codes: tuple[int, ...] = (0,)
    retry_attempts: int = DEFAULT_ATTEMPTS
    retry_program: bool = False
    """`Retry.On` names program failures too."""
    disconnect: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """What the target says of an attempt: the body of one `attempt_observed`."""

    state: AttemptState
    reason: str = ""
    """A `Refusal`, a `Failure`, or who asked for the stop."""
    message: str = ""
    """One sentence for people."""
    exit_code: int | None = None
    result: Digest | None = None
    """Digest of the result manifest."""
    result_bytes: int = 0
    stdout_tail: str = ""
    stderr_tail: str = ""
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    elapsed_ms: int = 0


@dataclass(frozen=True, slots=True)
class DataEntry:
    """One thing a node offers below an allowed root: absolute path, bytes, newest change."""

    path: str
    size_bytes: int
    newest_ms: int = 0


@dataclass(frozen=True, slots=True)
class NodeReading:
    """What a decision knows of one node: its registers and what this node hears of it."""

    node: NodeId
    name: str
    reachable: bool
    roles: tuple[str, ...] = ()
    capacity: Resources = Resources()
    engines: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    blobs: frozenset[Digest] = frozenset()
    """Cached modules and inputs."""
    images: tuple[str, ...] = ()
    """Of containers that its engine has, as that names them."""
    data: tuple[DataEntry, ...] = ()
    writable: tuple[str, ...] = ()
    """Allowed roots that may be written."""
    intent: str = ""
    """What an operator wants of it: `cordoned`, `draining`, or "" where it takes work."""
    rtt_ms: float = 0.0
    boot: int = 0
    """Its present run: epochs of its log below this are of earlier ones; 0 where not known."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One `attempt_placed` to be written."""

    attempt: AttemptId
    index: int
    number: int
    """Counts the attempts of this slot, from 1."""
    node: NodeId
    score: int
    next_best: tuple[tuple[NodeId, int], ...] = ()
    refusals: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    """The parts of the score by name, for `job explain`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one node would answer to one job now."""

    node: NodeId
    refusal: Refusal | None
    detail: str = ""
    """A sentence naming the resource, label or input."""
    score: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why slots stay unplaced: verdicts of the nodes, and if any member could ever take them."""

    slots: int
    verdicts: tuple[Verdict, ...]
    possible: bool
    """False when no known member could ever meet the request."""
    position: int = 0
    """Place in its owner's queue, from 1; 0 where that was not asked for."""
    again_ms: int | None = None
    """Wall time at which a node that refused may be asked again; None where that is no help."""
    spec_holder: NodeId | None = None
    """The spec is not here and is asked for; the node that brought it, for all that is known."""
    holder_reachable: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What an owner does now about one job: records to write, nothing performed yet."""

    placements: tuple[Placement, ...] = ()
    stops: tuple[tuple[AttemptId, str], ...] = ()
    """Attempts to stop, each with the reason."""
    waiting: Waiting | None = None
    ends: Expiry | None = None
    """Why the job is over instead of waiting; None where it is not."""
