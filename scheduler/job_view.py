"""One job as folded: births, versions, stops, owners, attempts, and the answers derived from them.

Joins only: whatever the order of the same records, the job ends the same (I2). Every answer costs
what has changed, not what the job has grown to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from scheduler.attempts import AttemptView, Told, observation_of
from scheduler.claims import Claims
from scheduler.dots import Dots
from scheduler.explain import expiry_sentence, lost_sentence
from scheduler.ids import AttemptId, Dot, JobId, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Expiry, JobState
from scheduler.lifecycle import JobFacts, SlotState, job_state
from scheduler.policy import FREE_TO_ASK_AGAIN, Barred, last_word
from scheduler.records import Kind, Record
from scheduler.slots import SlotTable
from scheduler.versions import VersionView

_NOTHING: Sequence[AttemptView] = ()
_RETRIES_USED_UP = "Its attempts were cut off, and no more are allowed."


class JobView:
    """One job: births, versions, stops, ownership, attempts; derived state."""

    def __init__(self, job: JobId) -> None:
        self.id = job
        self.births: dict[Dot, Record] = {}
        self.versions: dict[Dot, VersionView] = {}
        self.version: VersionView | None = None
        """The winning one: greatest (number, HLC, dot) (P9)."""
        self.stops: dict[Dot, str] = {}
        """Every stop asked for, with its reason."""
        self.attempts: dict[AttemptId, AttemptView] = {}
        """Those whose author had claimed the job at the placement's term."""
        self.dots = Dots()
        """Every record about this job that was folded: what its history is made of."""
        self.modified_hlc = Hlc(0)
        self.live_by_node: Counter[NodeId] = Counter()
        """Live attempts of any version."""
        self.refusals_by_node: Counter[NodeId] = Counter()
        """Attempts that ended refused."""
        self.resting: tuple[int, Mapping[tuple[NodeId, int], int]] | None = None
        """Kept by `settled` between questions: the revision, and (author, epoch) -> seq."""
        self._first: tuple[Hlc, Dot] | None = None
        self._live: dict[AttemptId, AttemptView] = {}
        self._tables: dict[Dot, SlotTable] = {}
        self._barred: dict[tuple[Dot, NodeId], Barred] = {}
        self._state: JobState | None = None
        """Kept between records: it is asked for many times for each."""
        self._claims = Claims()
        self._unclaimed: dict[tuple[int, NodeId], list[tuple[Dot, Record]]] = {}
        self._unplaced: dict[tuple[AttemptId, NodeId], Told] = {}

    # --- readings ---------------------------------------------------------------------------------

    @property
    def birth(self) -> Dot:
        """The first birth by (HLC, dot) (P18)."""
        assert self._first is not None, "a job is made by its birth"
        return self._first[1]

    @property
    def created_hlc(self) -> Hlc:
        assert self._first is not None, "a job is made by its birth"
        return self._first[0]

    @property
    def namespace(self) -> str:
        return str(self.births[self.birth].body["namespace"])

    @property
    def name(self) -> str:
        """Of the first birth; the id when it has none of its own."""
        return str(self.births[self.birth].body["name"]) or self.id

    @property
    def owner(self) -> tuple[int, NodeId] | None:
        """The greatest (term, owner id): the fence."""
        return self._claims.greatest

    @property
    def revision(self) -> int:
        """How many records were folded about it; the same on every node that holds the same."""
        return len(self.dots)

    @property
    def slots(self) -> SlotTable:
        """The slots of the winning version, an empty table while none is known."""
        return SlotTable() if self.version is None else self._tables[self.version.dot]

    def slots_of(self, version: Dot) -> SlotTable:
        """The slots of one version, an empty table while it is not known."""
        return self._tables.get(version, SlotTable())

    def version_numbered(self, number: int) -> VersionView | None:
        """The version of this number, the greatest by (number, HLC, dot) of several; the winning
        one for 0; None while none is known."""
        latest_first = reversed(self.versions_in_order())
        return next((one for one in latest_first if number in (0, one.number)), None)

    def versions_in_order(self) -> list[VersionView]:
        """Every version, the winning one last."""
        return sorted(self.versions.values(), key=VersionView.order)

    def state_of(self, version: VersionView) -> JobState:
        """What became of a version: one that another replaced was stopped by that, unless it had
        ended before."""
        if version == self.version:
            return self.state()
        slots = self.slots_of(version.dot)
        failed = slots.count(SlotState.FAILED) > 0 or self._claims.expired(version.dot) is not None
        done = slots.count(SlotState.DONE)
        return job_state(JobFacts(True, True, not failed, version.count, done, int(failed)))

    def state(self) -> JobState:
        """Derived, by the rules of `lifecycle`."""
        if self._state is None:
            self._state = self._derived_state()
        return self._state

    def _derived_state(self) -> JobState:
        slots, version = self.slots, self.version
        facts = JobFacts(
            versioned=version is not None,
            owned=self.owner is not None,
            stopped=self.stopped(),
            slots=0 if version is None else version.count,
            done=slots.count(SlotState.DONE),
            failed=slots.count(SlotState.FAILED),
            active=slots.count(SlotState.ACTIVE),
            assigned=slots.count(SlotState.ASSIGNED),
            expired=self.expired() is not None and all(one.ending for one in self._live_now()),
        )
        return job_state(facts)

    def message(self, name_of: Callable[[NodeId], str] = str) -> str:
        """One sentence on why the job stands where it stands; empty when its state says it all.

        `name_of` gives what people call a node; its id without it.
        """
        state = self.state()
        stop = self.first_stop()
        if state is JobState.STOPPED and stop is not None:
            return self.stops[stop]
        if state is JobState.COMPLETED and stop is not None:
            return "A stop was asked for, after the last result or without its node hearing of it."
        if state is not JobState.FAILED:
            return ""
        failed = self.slots.first_failed()
        if failed is not None:
            if failed.given_up:
                return lost_sentence(name_of(failed.node))
            return failed.observation.message or failed.observation.reason or _RETRIES_USED_UP
        found, version = self.expired(), self.version
        if found is None or version is None:
            return ""
        refused = (one for (dot, _), one in self._barred.items() if dot == version.dot)
        return last_word(found[1], refused) or expiry_sentence(found[1], version.limit_s(found[1]))

    def stopped(self) -> bool:
        """There is a stop that the winning version had not seen (P8)."""
        return bool(self._unseen_stops())

    def expired(self) -> tuple[Dot, Expiry] | None:
        """The record that says that a timeout of the winning version ran out, and which one."""
        return None if self.version is None else self._claims.expired(self.version.dot)

    def accepted(self, index: int) -> AttemptView | None:
        """The accepted result of a slot of the winning version (I5)."""
        return self.slots.accepted(index)

    def slot_attempts(self, version: Dot, index: int) -> list[AttemptView]:
        """Attempts of a slot by (number, id)."""
        table = self._tables.get(version)
        return [] if table is None else table.attempts(index)

    def open_indexes(self) -> Iterator[int]:
        """Slots that want a placement now: nothing live, no success, retries left.

        None once a slot is out of retries: a job that will fail starts no more work, though what
        runs may end.
        """
        if self.placing():
            yield from self.slots.open_indexes()

    def open_count(self) -> int:
        """How many indexes `open_indexes` would give."""
        return self.slots.count(SlotState.OPEN) if self.placing() else 0

    def placing(self) -> bool:
        """Work may still be placed: it was not stopped, is not failing, and has time left."""
        return not (
            self.version is None or self.stopped() or self.failing() or self.expired() is not None
        )

    def failing(self) -> bool:
        """A slot of the winning version is out of retries."""
        return self.slots.count(SlotState.FAILED) > 0

    def rumoured(self) -> bool:
        """A node was heard about an attempt whose placement is not known here, which it runs or
        has finished."""
        return any(
            attempt not in self.attempts and _may_count(told.observation.state)
            for (attempt, _), told in self._unplaced.items()
        )

    @property
    def live_count(self) -> int:
        """Attempts of any version that are not terminal."""
        return len(self._live)

    def live_attempts(self) -> Iterator[AttemptView]:
        """Attempts of any version that are not terminal, by id."""
        return iter(sorted(self._live.values(), key=lambda one: one.id))

    def live_on(self, node: NodeId) -> list[AttemptView]:
        """Attempts of any version on one node that are not terminal, by id."""
        if not self.live_by_node.get(node):
            return []
        return sorted(
            (one for one in self._live.values() if one.node == node), key=lambda one: one.id
        )

    def barred(self, node: NodeId) -> Barred | None:
        """The latest refusal by this node that holds for the winning version."""
        return None if self.version is None else self._barred.get((self.version.dot, node))

    def summary(self, version: VersionView | None = None) -> Mapping[str, int]:
        """Slots of a version, the winning one if none is named, by what became of them: done,
        running, waiting, failed."""
        return (self.slots if version is None else self.slots_of(version.dot)).summary()

    def first_stop(self) -> Dot | None:
        """The earliest stop that the winning version had not seen."""
        return min(
            self._unseen_stops(), key=lambda dot: (self.dots.hlc(dot) or 0, dot), default=None
        )

    def _live_now(self) -> Iterator[AttemptView]:
        """Live attempts of the winning version, in no order that means anything."""
        wins = None if self.version is None else self.version.dot
        return (one for one in self._live.values() if one.version == wins)

    def _unseen_stops(self) -> list[Dot]:
        if not self.stops:
            return []
        seen = frozenset() if self.version is None else self.version.seen_stops
        return [dot for dot in self.stops if dot not in seen]

    # --- the fold ---------------------------------------------------------------------------------

    def fold(self, dot: Dot, record: Record) -> Sequence[AttemptView] | None:
        """Take one record in: the attempts that it changed, or None when it was here already."""
        if not self.dots.add(dot, record.hlc):
            return None
        self._state = None
        if record.hlc > self.modified_hlc:
            self.modified_hlc = record.hlc
        return _FOLDS[record.kind](self, dot, record)

    def _create(self, dot: Dot, record: Record) -> Sequence[AttemptView]:
        self.births[dot] = record
        here = (record.hlc, dot)
        self._first = here if self._first is None else min(self._first, here)
        return _NOTHING

    def _add_version(self, dot: Dot, record: Record) -> Sequence[AttemptView]:
        version = VersionView.of_record(dot, record)
        self.versions[dot] = version
        self._table(dot).know(version)
        self.version = max(self.versions.values(), key=VersionView.order)
        return _NOTHING

    def _request_stop(self, dot: Dot, record: Record) -> Sequence[AttemptView]:
        self.stops[dot] = record.body["reason"]
        return _NOTHING

    def _claim(self, dot: Dot, record: Record) -> Sequence[AttemptView]:
        claim = (record.body["term"], dot.author)
        asked = self._claims.add(claim)
        placed = [self._count(*held) for held in self._unclaimed.pop(claim, ())]
        stopped = [self.attempts[one] for one in asked if one in self.attempts]
        for attempt in stopped:
            self._tell_stops(attempt)
        return [one for one in placed if one is not None] + stopped

    def _place(self, dot: Dot, record: Record) -> Sequence[AttemptView]:
        claim = (record.body["term"], dot.author)
        if claim not in self._claims:
            self._unclaimed.setdefault(claim, []).append((dot, record))
            return _NOTHING
        attempt = self._count(dot, record)
        return _NOTHING if attempt is None else (attempt,)

    def _count(self, dot: Dot, record: Record) -> AttemptView | None:
        """Let a claimed placement count; of two under one id the least dot stands, everywhere."""
        attempt = AttemptView.of_record(dot, record)
        rival = self.attempts.get(attempt.id)
        if rival is not None:
            if rival.placed < dot:
                return None
            self._unplaced[rival.id, rival.node] = rival.told
            self._tables[rival.version].remove(rival)
            self._leave(rival, rival.state)
        attempt.told = self._unplaced.pop((attempt.id, attempt.node), attempt.told)
        attempt.stop_reason = self._claims.stop_reason(attempt.id)
        attempt.given_up_at = self._claims.given_up(attempt.id)
        self.attempts[attempt.id] = attempt
        self._table(attempt.version).place(attempt)
        self._enter(attempt)
        return attempt

    def _observe(self, dot: Dot, record: Record) -> Sequence[AttemptView]:
        """Only the placement's own target is heard (I8); who speaks before it is known waits."""
        attempt = self.attempts.get(record.body["attempt"])
        observation = observation_of(record.body)
        if attempt is None or attempt.node != dot.author:
            key = (record.body["attempt"], dot.author)
            self._unplaced.setdefault(key, Told()).join(observation, dot, record.hlc)
            return _NOTHING
        told = attempt.told
        before, stood, taken = attempt.state, told.observed, told.taken
        told.join(observation, dot, record.hlc)
        if told.observed is not stood or told.taken is not taken:
            if before.terminal or not attempt.live:
                self._leave(attempt, before)
                self._enter(attempt)
            self._tables[attempt.version].moved(attempt)
        return (attempt,)

    def _ask_stop(self, dot: Dot, record: Record) -> Sequence[AttemptView]:
        body = record.body
        self._claims.ask_stop(body["attempt"], record.hlc, dot, body["reason"], cause=record.cause)
        attempt = self.attempts.get(body["attempt"])
        if attempt is None:
            return _NOTHING
        self._tell_stops(attempt)
        return (attempt,)

    def _tell_stops(self, attempt: AttemptView) -> None:
        attempt.stop_reason = self._claims.stop_reason(attempt.id)
        given_up_at = self._claims.given_up(attempt.id)
        if given_up_at != attempt.given_up_at:
            attempt.given_up_at = given_up_at
            self._tables[attempt.version].moved(attempt)

    def _expire(self, dot: Dot, record: Record) -> Sequence[AttemptView]:
        self._claims.expire(record.body["version"], record.hlc, dot, record.body["reason"])
        return _NOTHING

    def _table(self, version: Dot) -> SlotTable:
        return self._tables.setdefault(version, SlotTable())

    def _enter(self, attempt: AttemptView) -> None:
        if attempt.live:
            self._live[attempt.id] = attempt
            self.live_by_node[attempt.node] += 1
        elif attempt.state is AttemptState.REFUSED:
            self.refusals_by_node[attempt.node] += 1
            if attempt.observation.reason not in FREE_TO_ASK_AGAIN:
                key = (attempt.version, attempt.node)
                told = attempt.observation
                refused = Barred(attempt.observed_hlc, told.reason, told.message.rstrip("."))
                self._barred[key] = max(self._barred.get(key, refused), refused)

    def _leave(self, attempt: AttemptView, before: AttemptState) -> None:
        if not before.terminal:
            del self._live[attempt.id]
            self.live_by_node[attempt.node] -= 1
            if not self._live:  # an empty one that was in use keeps the room of what it held
                self._live, self.live_by_node = {}, Counter()
        elif before is AttemptState.REFUSED:
            self.refusals_by_node[attempt.node] -= 1


_FOLDS: Mapping[int, Callable[[JobView, Dot, Record], Sequence[AttemptView]]] = {
    Kind.JOB_CREATED: JobView._create,
    Kind.VERSION_ADDED: JobView._add_version,
    Kind.STOP_REQUESTED: JobView._request_stop,
    Kind.OWNER_CLAIMED: JobView._claim,
    Kind.ATTEMPT_PLACED: JobView._place,
    Kind.ATTEMPT_STOP_REQUESTED: JobView._ask_stop,
    Kind.ATTEMPT_OBSERVED: JobView._observe,
    Kind.JOB_EXPIRED: JobView._expire,
}
FOLDED_KINDS = frozenset(_FOLDS)
"""Kinds that are about one job; the others are no business of this fold."""


def _may_count(state: AttemptState) -> bool:
    return not state.terminal or state is AttemptState.SUCCEEDED
