"""The attempt lattice and the derived state of a slot and of a job, as tables that draw themselves.

Nothing here is stored: an attempt's state is the join of what its node said, the rest is computed
by every reader from the same records. `draw` gives `docs/lifecycle.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import NamedTuple

from scheduler.jobs import INFRASTRUCTURE_FAILURES, AttemptState, JobState, Observation, StopReason

_NOT_ITS_FAULT = frozenset({StopReason.DRAINED.value, StopReason.DUPLICATE.value})
_INFRASTRUCTURE = frozenset(failure.value for failure in INFRASTRUCTURE_FAILURES)


class AttemptRule(NamedTuple):
    """One state of the lattice: which states a node moves on from, and what has then happened."""

    state: AttemptState
    after: tuple[AttemptState, ...]
    entered_when: str


_A = AttemptState

ATTEMPT_RULES = (
    AttemptRule(_A.ASSIGNED, (), "an owner placed it; it waits in its node's bounded queue"),
    AttemptRule(
        _A.ACCEPTED, (_A.ASSIGNED,), "policy, fence and capacity passed; the intent is on disk"
    ),
    AttemptRule(_A.PREPARING, (_A.ACCEPTED,), "inputs, module or image are being fetched"),
    AttemptRule(_A.RUNNING, (_A.ACCEPTED, _A.PREPARING), "the program was started"),
    AttemptRule(_A.PUBLISHING, (_A.RUNNING,), "the program ended, its result is being stored"),
    AttemptRule(
        _A.REFUSED,
        (_A.ASSIGNED, _A.ACCEPTED, _A.PREPARING),
        "the node will not take it, for a named reason; no retry is spent",
    ),
    AttemptRule(
        _A.CANCELLED,
        (_A.ASSIGNED, _A.ACCEPTED, _A.PREPARING, _A.RUNNING, _A.PUBLISHING),
        "a stop was obeyed",
    ),
    AttemptRule(
        _A.FAILED,
        (_A.ACCEPTED, _A.PREPARING, _A.RUNNING, _A.PUBLISHING),
        "the program or the machinery failed, for a named reason",
    ),
    AttemptRule(_A.SUCCEEDED, (_A.PUBLISHING,), "the result is durable, then this record"),
)


def join_key(state: AttemptState, epoch: int, seq: int) -> tuple[int, int, int]:
    """What decides between two observations of one attempt: the greater key stays.

    Any terminal state beats any other, and among terminal ones the rank comes before the epoch: a
    node that lost its memory may write again about an attempt that it had finished (I7).
    """
    return (state if state.terminal else 0, epoch, seq)


class SlotState(IntEnum):
    """What a slot of one version has come to."""

    OPEN = 0
    """It wants a placement."""
    ASSIGNED = 1
    """Placed, not yet accepted by its node."""
    ACTIVE = 2
    """An attempt is at Accepted to Publishing."""
    FAILED = 3
    """Out of retries, nothing live but what was replaced."""
    DONE = 4
    """It has an accepted success."""


class Tried(NamedTuple):
    """One attempt, as far as its slot depends on it."""

    observation: Observation
    taken: bool = False
    """Its node had accepted it, whatever came of it."""
    replaced: bool = False
    """A later attempt of its slot was written, and neither sent back nor cancelled since."""
    given_up: bool = False
    """Its owner waits for it no more, and its node has said nothing of it since."""


def spends_retry(observation: Observation, *, taken: bool) -> bool:
    """Whether an attempt uses up one of those that `Retry` allows, once it has ended or is given up
    for lost (P17).

    What its node never took costs nothing, nor does what had to leave a drained node or was one too
    many after a heal.
    """
    state = observation.state
    if state in (AttemptState.REFUSED, AttemptState.SUCCEEDED):
        return False
    if state is AttemptState.CANCELLED:
        return taken and observation.reason not in _NOT_ITS_FAULT
    return taken or state is AttemptState.FAILED


def slot_state(attempts: Iterable[Tried], *, retry_attempts: int, retry_program: bool) -> SlotState:
    """The state of a slot, from what is known of its attempts, in any order.

    Each attempt that `spends_retry` uses up one of `retry_attempts`, one that lives as soon as it
    was replaced or given up; a program's own failure ends the slot, unless `retry_program` lets it
    be retried likewise. An attempt that was replaced does not keep a slot without retries from
    having failed: its node may never come back. One that was given up ends its slot until its node
    speaks again: nothing is placed beside it.
    """
    spent, ended = 0, False
    live = left = SlotState.OPEN
    for seen, taken, replaced, given_up in attempts:
        if seen.state is AttemptState.SUCCEEDED:
            return SlotState.DONE
        if seen.state.terminal or replaced or given_up:
            spent += spends_retry(seen, taken=taken)
        if seen.state is AttemptState.FAILED:
            ended = ended or not (retry_program or seen.reason in _INFRASTRUCTURE)
        elif given_up:
            ended = True
        elif not seen.state.terminal:
            waits = seen.state is AttemptState.ASSIGNED
            here = SlotState.ASSIGNED if waits else SlotState.ACTIVE
            left = max(left, here)
            live = live if replaced else max(live, here)
    if live is not SlotState.OPEN:
        return live
    return SlotState.FAILED if ended or (spent and spent >= retry_attempts) else left


class JobFacts(NamedTuple):
    """What a job's state is derived from: counts of slots of its winning version."""

    versioned: bool
    """A version is known."""
    owned: bool
    """An owner is known."""
    stopped: bool
    """There is a stop that the winning version had not seen."""
    slots: int = 0
    done: int = 0
    failed: int = 0
    active: int = 0
    assigned: int = 0
    expired: bool = False
    """One of its timeouts ran out, and all that is live of it was asked to stop."""


class JobRule(NamedTuple):
    """One derived state; the first rule that holds names the state."""

    state: JobState
    holds_when: str
    holds: Callable[[JobFacts], bool]


class SlotRule(NamedTuple):
    """One state of a slot, for the page; the first that holds names it."""

    state: SlotState
    holds_when: str


SLOT_RULES = (
    SlotRule(SlotState.DONE, "an attempt succeeded"),
    SlotRule(SlotState.ACTIVE, "an attempt that was not replaced is at Accepted to Publishing"),
    SlotRule(SlotState.ASSIGNED, "an attempt that was not replaced waits at its node"),
    SlotRule(
        SlotState.FAILED,
        "the program failed and `Retry` does not name it, or as many attempts as `Retry` allows "
        "failed, or had begun and were cancelled (but for a drain or as a duplicate), replaced or "
        "given up for lost",
    ),
    SlotRule(SlotState.ACTIVE, "an attempt that was replaced is at Accepted to Publishing"),
    SlotRule(SlotState.ASSIGNED, "an attempt that was replaced waits at its node"),
    SlotRule(SlotState.OPEN, "none of the above: it wants a placement"),
)


JOB_RULES = (
    JobRule(
        JobState.COMPLETED,
        "every slot of the winning version has an accepted success",
        lambda facts: facts.versioned and facts.done >= facts.slots,
    ),
    JobRule(
        JobState.STOPPED,
        "a stop that the winning version had not seen",
        lambda facts: facts.stopped,
    ),
    JobRule(
        JobState.FAILED,
        "a slot is out of retries and nothing is live, or a timeout ran out and all that is live "
        "was asked to stop",
        lambda facts: (
            facts.expired or (facts.failed > 0 and not facts.active and not facts.assigned)
        ),
    ),
    JobRule(
        JobState.RUNNING,
        "an attempt is at Accepted to Publishing, or some slot is done",
        lambda facts: facts.active > 0 or facts.done > 0,
    ),
    JobRule(
        JobState.QUEUED,
        "an owner is known, nothing live is past Assigned",
        lambda facts: facts.owned,
    ),
    JobRule(JobState.PENDING, "none of the above", lambda _: True),
)


def job_state(facts: JobFacts) -> JobState:
    """The state that the facts give; P6: Completed beats Stopped, P15 and P16: it beats Failed."""
    return next(rule.state for rule in JOB_RULES if rule.holds(facts))


def draw() -> str:
    """The page `docs/lifecycle.md`, from the tables above."""
    attempts = [
        f"| {rule.state.value} | {_shown(rule.state)} | {'yes' if rule.state.terminal else ''} "
        f"| {rule.entered_when} |"
        for rule in ATTEMPT_RULES
    ]
    moves = [
        f"    {_shown(before)} --> {_shown(rule.state)}"
        for rule in ATTEMPT_RULES
        for before in rule.after
    ]
    slots = [f"| {_shown(rule.state)} | {rule.holds_when} |" for rule in SLOT_RULES]
    jobs = [f"| {rule.state.value} | {rule.holds_when} |" for rule in JOB_RULES]
    page = [*_HEAD, *attempts, *_MOVES, *moves, *_SLOTS, *slots, *_JOBS, *jobs, ""]
    return "\n".join(page)


def _shown(state: AttemptState | SlotState) -> str:
    return state.name.capitalize()


_HEAD = (
    "# Lifecycle",
    "",
    "This page is drawn by `scheduler.lifecycle.draw`; a test fails when it is not current.",
    "",
    "## An attempt",
    "",
    "Only the node that an attempt was placed on says what became of it. Between two of its",
    "records the greater key stays: `(0, epoch, seq)` for a state that is not terminal,",
    "`(rank, epoch, seq)` for one that is. So a terminal state sticks, and Succeeded beats Failed.",
    "",
    "| rank | state | terminal | entered when |",
    "| --- | --- | --- | --- |",
)
_MOVES = ("", "```mermaid", "stateDiagram-v2", "    [*] --> Assigned")
_SLOTS = (
    "```",
    "",
    "A stop that withdraws an attempt means nothing once its node has accepted it; its node ends",
    "a withdrawn one as Refused.",
    "",
    "## A slot",
    "",
    "One part of the winning version, derived from its attempts. An attempt was replaced when one",
    "with a greater number stands in its slot that was neither refused nor cancelled. One that its",
    "owner gave up for lost counts as not there until its node speaks of it again. The first line",
    "that holds names the state.",
    "",
    "| state | holds when |",
    "| --- | --- |",
)
_JOBS = (
    "",
    "## A job",
    "",
    "Derived by every reader from the same records, never stored. The first line that holds names",
    "the state.",
    "",
    "| state | holds when |",
    "| --- | --- |",
)
