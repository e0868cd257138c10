"""Attempts and the slots of one version, kept up to date attempt by attempt.

A version may have 5,000 slots and change 20,000 times: nothing here walks over all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from scheduler.ids import AttemptId, Digest, Dot, JobId, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Observation
from scheduler.lifecycle import SlotState, join_key, slot_state

_ASSIGNED = Observation(AttemptState.ASSIGNED)


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

    def join(self, observation: Observation, dot: Dot, hlc: Hlc) -> None:
        """Take one record in; any order of the same records ends the same."""
        state = observation.state
        known = Hlc(max(hlc, 1))
        if state is AttemptState.RUNNING:
            self.started_hlc = min(self.started_hlc or known, known)
        elif state is AttemptState.SUCCEEDED:
            self.completed_hlc = min(self.completed_hlc or known, known)
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
    """Empty until the owner asks for a stop."""

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
    def state(self) -> AttemptState:
        return self.told.observation.state

    @property
    def live(self) -> bool:
        """Not terminal, as far as is known here."""
        return not self.told.observation.state.terminal

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
    hlc: Hlc
    author: NodeId


class SlotTable:
    """The slots of one version, which may be known later than attempts of it."""

    def __init__(self) -> None:
        self._version: VersionView | None = None
        self._attempts: dict[int, list[AttemptView]] = {}
        self._states: dict[int, SlotState] = {}
        self._members: dict[SlotState, dict[int, None]] = {state: {} for state in SlotState}
        self._duplicates: dict[AttemptId, AttemptView] = {}
        self._untouched_from = 0

    def know(self, version: VersionView) -> None:
        """The version's own record is here: from now on its slots have states."""
        self._version = version
        for index in self._attempts:
            self._derive(index)

    def place(self, attempt: AttemptView) -> None:
        """One more attempt of a slot."""
        self._attempts.setdefault(attempt.index, []).append(attempt)
        self._derive(attempt.index)

    def remove(self, attempt: AttemptView) -> None:
        """An attempt gave way to another placement under the same id."""
        self._attempts[attempt.index].remove(attempt)
        self._duplicates.pop(attempt.id, None)
        self._derive(attempt.index)

    def moved(self, attempt: AttemptView) -> None:
        """What is known of an attempt has changed."""
        self._derive(attempt.index)

    def count(self, state: SlotState) -> int:
        """Slots in this state, those never placed among the open ones."""
        known = len(self._members[state])
        if state is not SlotState.OPEN or self._version is None:
            return known
        return known + self._version.count - len(self._states)

    def attempts(self, index: int) -> list[AttemptView]:
        """Attempts of a slot by (number, id)."""
        return sorted(self._attempts.get(index, ()), key=lambda one: (one.number, one.id))

    def accepted(self, index: int) -> AttemptView | None:
        """The slot's accepted result: `first_complete`, an arg-min over its successes (P1, P4)."""
        done = [one for one in self._attempts.get(index, ()) if one.completed_hlc]
        return min(done, key=lambda one: (one.completed_hlc, one.term, one.id), default=None)

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

    def first_failed(self) -> AttemptView | None:
        """The last attempt of the first slot that is out of retries."""
        failed = self._members[SlotState.FAILED]
        if not failed:
            return None
        attempts = self.attempts(min(failed))
        return next(one for one in reversed(attempts) if one.state is AttemptState.FAILED)

    def duplicates(self) -> list[AttemptView]:
        """Live attempts of slots that have an accepted result, by id."""
        return sorted(self._duplicates.values(), key=lambda one: one.id)

    def _derive(self, index: int) -> None:
        version = self._version
        if version is None or index >= version.count:
            return
        attempts = self._attempts[index]
        now = slot_state(
            [one.observation for one in attempts],
            retry_attempts=version.retry_attempts,
            retry_program=version.retry_program,
        )
        before = self._states.get(index)
        if before is not now:
            if before is not None:
                del self._members[before][index]
            self._states[index] = now
            self._members[now][index] = None
        if len(attempts) > 1 or self._duplicates:
            self._note_duplicates(attempts, done=now is SlotState.DONE)

    def _note_duplicates(self, attempts: list[AttemptView], *, done: bool) -> None:
        for one in attempts:
            if done and one.live:
                self._duplicates[one.id] = one
            else:
                self._duplicates.pop(one.id, None)
