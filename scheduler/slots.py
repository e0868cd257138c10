"""Attempts and the slots of one version, kept up to date attempt by attempt.

A version may have 5,000 slots and change 20,000 times: nothing here walks over all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.ids import AttemptId, Digest, Dot, JobId, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Observation, StopReason
from scheduler.lifecycle import SlotState, Tried, join_key, slot_state
from scheduler.records import Record

_ASSIGNED = Observation(AttemptState.ASSIGNED)
_SENT_BACK = (AttemptState.REFUSED, AttemptState.CANCELLED)
_ENDED_WELL = (AttemptState.SUCCEEDED, AttemptState.CANCELLED)
_NEVER_TAKEN = (AttemptState.ASSIGNED, AttemptState.REFUSED, AttemptState.CANCELLED)


@dataclass(slots=True)
class Told:
    """The join of what one node said of one attempt."""

    observation: Observation = _ASSIGNED
    observed: Dot | None = None
    observed_hlc: Hlc = Hlc(0)
    """Of the observation that stands; 0 while there is none."""
    started_hlc: Hlc = Hlc(0)
    """Of the earliest Running record; 0 while there is none."""
    completed_hlc: Hlc = Hlc(0)
    """Of the earliest Succeeded record; 0 while there is none. The earliest, so that a node which
    lost its memory and publishes again cannot make an accepted result worse (I6)."""
    completed: Dot | None = None
    """That record."""
    taken: bool = False
    """The node had accepted it, whatever came of it."""

    def join(self, observation: Observation, dot: Dot, hlc: Hlc) -> None:
        """Take one record in; any order of the same records ends the same."""
        state = observation.state
        known = Hlc(max(hlc, 1))
        self.taken = self.taken or state not in _NEVER_TAKEN
        if state is AttemptState.RUNNING:
            self.started_hlc = min(self.started_hlc or known, known)
        elif state is AttemptState.SUCCEEDED:
            before = (
                (known, dot) if self.completed is None else (self.completed_hlc, self.completed)
            )
            self.completed_hlc, self.completed = min(before, (known, dot))
        stands = self.observed
        if stands is not None:
            have = join_key(self.observation.state, stands.epoch, stands.seq)
            if join_key(state, dot.epoch, dot.seq) <= have:
                return
        self.observation, self.observed, self.observed_hlc = observation, dot, hlc


@dataclass(slots=True)
class AttemptView:
    """One attempt: the placement as written, and what its node and its owner said since."""

    id: AttemptId
    job: JobId
    placed: Dot
    owner: NodeId
    """The author of the placement."""
    version: Dot
    index: int
    number: int
    term: int
    node: NodeId
    score: int
    placed_hlc: Hlc
    next_best: tuple[tuple[NodeId, int], ...]
    refusals: Mapping[str, int]
    reasons: Mapping[str, int]
    told: Told = field(default_factory=Told)
    stop_reason: str = ""
    """Empty until the owner asks for a stop; a withdrawal gives way to any other reason."""

    @classmethod
    def of_record(cls, dot: Dot, record: Record) -> AttemptView:
        """The attempt that an `attempt_placed` makes."""
        body = record.body
        return cls(
            id=body["attempt"],
            job=body["job"],
            placed=dot,
            owner=dot.author,
            version=body["version"],
            index=body["index"],
            number=body["number"],
            term=body["term"],
            node=body["node"],
            score=body["score"],
            placed_hlc=record.hlc,
            next_best=tuple(body["next_best"]),
            refusals=body["refusals"],
            reasons=body["reasons"],
        )

    @property
    def ending(self) -> str:
        """The stop that it must obey, "" for none: a withdrawal ends only what has not begun."""
        withdrawn = self.stop_reason == StopReason.WITHDRAWN.value
        return "" if withdrawn and self.state is not AttemptState.ASSIGNED else self.stop_reason

    @property
    def observation(self) -> Observation:
        """What stands of the node's word; Assigned until it says something."""
        return self.told.observation

    @property
    def observed(self) -> Dot | None:
        return self.told.observed

    @property
    def observed_hlc(self) -> Hlc:
        return self.told.observed_hlc

    @property
    def started_hlc(self) -> Hlc:
        return self.told.started_hlc

    @property
    def completed_hlc(self) -> Hlc:
        return self.told.completed_hlc

    @property
    def completed(self) -> Dot | None:
        """The earliest record of its success."""
        return self.told.completed

    @property
    def taken(self) -> bool:
        """Its node had accepted it, whatever came of it."""
        return self.told.taken

    @property
    def state(self) -> AttemptState:
        return self.told.observation.state

    @property
    def live(self) -> bool:
        """Not terminal, as far as is known here."""
        return not self.told.observation.state.terminal

    @property
    def refused(self) -> bool:
        """Its node sent it back, which costs nothing, even if it had accepted it first."""
        return self.told.observation.state is AttemptState.REFUSED

    @property
    def holds_capacity(self) -> bool:
        """At Accepted to Publishing."""
        return AttemptState.ACCEPTED <= self.told.observation.state <= AttemptState.PUBLISHING


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of a job: all that the fold and the decision read of it but the spec."""

    dot: Dot
    number: int
    type: str
    count: int
    priority: int
    spec: Digest
    retry_attempts: int
    retry_program: bool
    seen_stops: frozenset[Dot]
    queue_timeout_s: int
    """0 for none, as the next."""
    total_timeout_s: int
    hlc: Hlc
    author: NodeId

    @classmethod
    def of_record(cls, dot: Dot, record: Record) -> VersionView:
        """The version that a `version_added` makes."""
        body = record.body
        return cls(
            dot=dot,
            number=body["number"],
            type=body["type"],
            count=body["count"],
            priority=body["priority"],
            spec=body["spec"],
            retry_attempts=body["retry_attempts"],
            retry_program=bool(body["retry_program"]),
            seen_stops=frozenset(body["seen_stops"]),
            queue_timeout_s=body["queue_timeout_s"],
            total_timeout_s=body["total_timeout_s"],
            hlc=record.hlc,
            author=dot.author,
        )


_OPTIONAL = (
    "reason",
    "message",
    "exit_code",
    "result",
    "result_bytes",
    "stdout_tail",
    "stderr_tail",
    "stdout_bytes",
    "stderr_bytes",
    "elapsed_ms",
)


def observation_of(body: Mapping[str, Any]) -> Observation:
    """What an `attempt_observed` says."""
    told = {name: body[name] for name in _OPTIONAL if body.get(name) is not None}
    return Observation(AttemptState(body["state"]), **told)


class SlotTable:
    """The slots of one version, which may be known later than attempts of it."""

    def __init__(self) -> None:
        self._version: VersionView | None = None
        self._attempts: dict[int, list[AttemptView]] = {}
        self._states: dict[int, SlotState] = {}
        self._members: dict[SlotState, dict[int, None]] = {state: {} for state in SlotState}
        self._tried_again: dict[int, None] = {}
        """Slots that have had more than one attempt."""
        self._crowded: dict[int, None] = {}
        """Of those, the ones with more live attempts than they want."""
        self._untouched_from = 0

    def know(self, version: VersionView) -> None:
        """The version's own record is here: from now on its slots have states."""
        self._version = version
        for index in self._attempts:
            self._derive(index)

    def place(self, attempt: AttemptView) -> None:
        """One more attempt of a slot."""
        attempts = self._attempts.setdefault(attempt.index, [])
        attempts.append(attempt)
        if len(attempts) > 1:
            self._tried_again[attempt.index] = None
        self._derive(attempt.index)

    def remove(self, attempt: AttemptView) -> None:
        """An attempt gave way to another placement under the same id."""
        self._attempts[attempt.index].remove(attempt)
        self._derive(attempt.index)

    def moved(self, attempt: AttemptView) -> None:
        """What is known of an attempt has changed."""
        self._derive(attempt.index)

    # --- readings ---------------------------------------------------------------------------------

    def count(self, state: SlotState) -> int:
        """Slots in this state, those never placed among the open ones."""
        known = len(self._members[state])
        if state is not SlotState.OPEN or self._version is None:
            return known
        return known + self._version.count - len(self._states)

    def state(self, index: int) -> SlotState | None:
        """The state of a slot that was placed; None of any other, and beyond the count."""
        return self._states.get(index)

    def placed(self) -> list[int]:
        """Slots that were ever placed, in order."""
        return sorted(self._states)

    def attempts(self, index: int) -> list[AttemptView]:
        """Attempts of a slot by (number, id)."""
        return sorted(self._attempts.get(index, ()), key=lambda one: (one.number, one.id))

    def successes(self, index: int) -> list[AttemptView]:
        """Attempts that succeeded, the accepted one first: `first_complete` (P1, P4)."""
        done = [one for one in self._attempts.get(index, ()) if one.completed_hlc]
        return sorted(done, key=_acceptance)

    def accepted(self, index: int) -> AttemptView | None:
        """The slot's accepted result: an arg-min over its successes (P1, P4)."""
        done = [one for one in self._attempts.get(index, ()) if one.completed_hlc]
        return min(done, key=_acceptance, default=None)

    def open_indexes(self) -> Iterator[int]:
        """Open slots: those that were placed before, then those that never were, in order."""
        yield from sorted(self._members[SlotState.OPEN])
        if self._version is None:
            return
        while self._untouched_from in self._attempts:
            self._untouched_from += 1
        for index in range(self._untouched_from, self._version.count):
            if index not in self._attempts:
                yield index

    def waiting(self) -> Iterator[AttemptView]:
        """Attempts that wait at their nodes and are the only live ones of their slots."""
        for index in self._members[SlotState.ASSIGNED]:
            if index not in self._crowded:
                yield next(one for one in self._attempts[index] if one.live)

    def crowded(self) -> Iterator[list[AttemptView]]:
        """The live attempts, by id, of each slot that has more than one and no result."""
        for index in sorted(self._crowded):
            if self._states[index] is not SlotState.DONE:
                yield self._live(index)

    def duplicates(self) -> list[AttemptView]:
        """Live attempts of slots that have an accepted result, by id."""
        done = [index for index in self._crowded if self._states[index] is SlotState.DONE]
        return sorted((one for index in done for one in self._live(index)), key=lambda one: one.id)

    def duplicate_ms(self) -> int:
        """Run time of attempts that ended for nothing because another one of their slot counts."""
        lost = 0
        for index in self._tried_again:
            accepted = self.accepted(index)
            for one in self._attempts[index]:
                beaten = accepted is not None or one.stop_reason == StopReason.DUPLICATE.value
                if one is not accepted and one.state in _ENDED_WELL and beaten:
                    lost += one.observation.elapsed_ms
        return lost

    def first_failed(self) -> AttemptView | None:
        """The last attempt of the first slot that is out of retries; rather one that failed."""
        failed = self._members[SlotState.FAILED]
        if not failed:
            return None
        return max(
            self.attempts(min(failed)),
            key=lambda one: (one.state is AttemptState.FAILED, one.number, one.id),
        )

    def _live(self, index: int) -> list[AttemptView]:
        return sorted((one for one in self._attempts[index] if one.live), key=lambda one: one.id)

    def _derive(self, index: int) -> None:
        version = self._version
        if version is None or index >= version.count:
            return
        attempts = self._attempts[index]
        now = slot_state(
            _tried(attempts),
            retry_attempts=version.retry_attempts,
            retry_program=version.retry_program,
        )
        before = self._states.get(index)
        if before is not now:
            if before is not None:
                del self._members[before][index]
            self._states[index] = now
            self._members[now][index] = None
        if index in self._tried_again:
            wanted = 0 if now is SlotState.DONE else 1
            if sum(one.live for one in attempts) > wanted:
                self._crowded[index] = None
            else:
                self._crowded.pop(index, None)


def _acceptance(one: AttemptView) -> tuple[Hlc, int, AttemptId]:
    return (one.completed_hlc, one.term, one.id)


def _tried(attempts: list[AttemptView]) -> list[Tried]:
    if len(attempts) == 1:  # nearly every slot
        told = attempts[0].told
        return [Tried(told.observation, told.taken)]
    newest = max((one.number for one in attempts if one.state not in _SENT_BACK), default=0)
    return [Tried(one.observation, one.taken, replaced=one.number < newest) for one in attempts]
