"""One attempt of a slot: its placement as written, and the join of what was said of it since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from scheduler.claims import ONLY_BEFORE_IT_BEGINS
from scheduler.ids import AttemptId, Dot, JobId, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Observation
from scheduler.lifecycle import join_key
from scheduler.records import Record

_ASSIGNED = Observation(AttemptState.ASSIGNED)
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
        self.taken = self.taken or state not in _NEVER_TAKEN
        if state is AttemptState.RUNNING:
            known = Hlc(max(hlc, 1))
            self.started_hlc = min(self.started_hlc or known, known)
        elif state is AttemptState.SUCCEEDED:
            known = Hlc(max(hlc, 1))
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
    """Empty until the owner asks for a stop; `claims.stop_reason` decides between several."""
    given_up_at: frozenset[Dot] = frozenset()
    """Records that were the last known of it when an owner gave it up for lost."""

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
        """The stop that it must obey, "" for none: some end only what has not begun."""
        begun = self.state is not AttemptState.ASSIGNED
        return "" if begun and self.stop_reason in ONLY_BEFORE_IT_BEGINS else self.stop_reason

    @property
    def given_up(self) -> bool:
        """An owner waits for it no more, and its node has said nothing of it since."""
        return bool(self.given_up_at) and self.live and self.last_heard in self.given_up_at

    @property
    def last_heard(self) -> Dot:
        """The record that stands: what its node said, else its placement."""
        return self.told.observed or self.placed

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


_OPTIONAL = frozenset(one.name for one in fields(Observation)) - {"state"}
_PLAIN = {int(state): Observation(state) for state in AttemptState}
"""What most steps of an attempt say: nothing but that it came to them."""


def observation_of(body: Mapping[str, Any]) -> Observation:
    """What an `attempt_observed` says."""
    plain = _PLAIN[body["state"]]
    told = {name: value for name, value in body.items() if value is not None and name in _OPTIONAL}
    return Observation(plain.state, **told) if told else plain
