"""What happens to an attempt, and what its core asks for: values, no behaviour.

Events are past-tense facts that the executor saw, effects are imperatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.ids import AttemptId, Digest, JobId
from scheduler.jobs import Failure, JobSpec, Observation


@dataclass(frozen=True, slots=True)
class Order:
    """What the node was asked to run."""

    attempt: AttemptId
    job: JobId
    version_number: int
    index: int
    count: int
    spec: JobSpec
    holders: Mapping[Digest, tuple[str, ...]]
    """Blobs that the spec names, and nodes known to hold them."""
    here: frozenset[Digest] = frozenset()
    """Blobs that this node keeps and has said so."""


# --- events (past tense): what the executor saw ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputsReady:
    """Every input is here."""


@dataclass(frozen=True, slots=True)
class InputsFailed:
    """An input cannot be had. `reason` is a Refusal (`input_missing`: costs no retry) or a
    Failure."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class EnginePreparing:
    """The engine must bring something before the program can begin: what, in a sentence."""

    message: str


@dataclass(frozen=True, slots=True)
class EngineStarted:
    """The program runs; since so many seconds when it was adopted."""

    ran_s: float = 0.0


@dataclass(frozen=True, slots=True)
class NothingToAdopt:
    """An earlier process of this node had begun nothing that goes on, or it is gone."""


@dataclass(frozen=True, slots=True)
class EngineEnded:
    """How the program ended. `failure` is "" for one that ended by itself or was ended at our
    asking (then `exit_code` is None), else a Failure value; or a Refusal where nothing has begun
    because this node lacks what another may have (`image_unavailable`): it costs no retry."""

    exit_code: int | None
    failure: str
    message: str
    stdout_tail: str
    stderr_tail: str
    stdout_bytes: int
    stderr_bytes: int


@dataclass(frozen=True, slots=True)
class ResultsStored:
    """The result is on disk under its digest, but for its `small` blobs: the member writes these
    with the record that names the manifest, in one flush."""

    manifest: Digest
    size_bytes: int
    small: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultsFailed:
    """The result could not be stored; `reason` is a Failure."""

    message: str
    reason: str = Failure.RESULTS.value


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the attempt ended; `reason` is what people are told."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The time of a `WakeAt` has come."""


AttemptEvent = (
    InputsReady
    | InputsFailed
    | EnginePreparing
    | EngineStarted
    | NothingToAdopt
    | EngineEnded
    | ResultsStored
    | ResultsFailed
    | StopAsked
    | DeadlinePassed
)

# --- effects (imperative) -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PrepareInputs:
    """Bring every input of the order here."""

    order: Order


@dataclass(frozen=True, slots=True)
class RunEngine:
    """Start the program."""

    order: Order


@dataclass(frozen=True, slots=True)
class AdoptProgram:
    """Go on with what an earlier process of this node may have begun."""

    order: Order


@dataclass(frozen=True, slots=True)
class StopEngine:
    """End what runs for the attempt, a fetch too: by force after the grace."""

    grace_s: float


@dataclass(frozen=True, slots=True)
class StoreResults:
    """Keep what the program left."""

    order: Order
    outcome: EngineEnded


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Feed `DeadlinePassed` at this monotonic time; a later `WakeAt` replaces an earlier one."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """Write `attempt_observed`; what follows in the list waits for the flush."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Remove working folders, after the terminal record is durable."""


AttemptEffect = (
    PrepareInputs | RunEngine | AdoptProgram | StopEngine | StoreResults | WakeAt | Report | CleanUp
)
