"""What a run has reached: kinds of fault that really happened, and paths that members really took.

A suite of many seeds sums these up; what stays at nothing was never tested.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum

from mesh.member.commands import JobReading
from mesh.member.events import Persist
from scheduler.ids import AttemptId, Dot, JobId, NodeId
from scheduler.jobs import Failure, Refusal, StopReason
from scheduler.records import Kind, Record
from sim.faults import Action
from sim.judges.oracle import Oracle
from sim.watcher import Watcher
from sim.world import Ask, Machine, World


class Path(Enum):
    """Ways through a member that only faults lead to."""

    TAKEOVER = "a job got another owner"
    TWO_OWNERS = "two machines claimed one term of a job"
    REPLACEMENT = "an attempt was placed while another of its slot was live"
    RETRY = "an attempt was placed after another one had failed"
    DUPLICATE = "a slot had two results"
    WITHDRAWAL = "an attempt that waited was moved to another machine"
    RECONCILED = "one of two live attempts was stopped"
    STALE_TERM = "a placement by an owner of the past was sent back"
    NODE_RESTART = "an attempt ended with its machine's process"
    SETTLED = "an answer was settled"
    CLOSED = "a placement was sent back by a machine that takes no new work"
    DRAINED = "what ran on a machine was ended to empty it"
    TWO_WORDS = "two machines said different things of a third at one time"
    REFOLD = "records were dropped, and folded again later"


_CLOSED = (Refusal.CORDONED.value, Refusal.DRAINING.value)


class Sometimes(Watcher):
    """Counts, in one run, each fault by its class and each path."""

    def __init__(self, oracle: Oracle) -> None:
        self.paths: Counter[Path] = Counter()
        self._oracle = oracle
        self._terms: dict[tuple[JobId, int], NodeId] = {}
        self._slots: dict[tuple[Dot, int], list[AttemptId]] = {}
        self._words: dict[tuple[NodeId, int], str] = {}

    def counts(self, done: list[Action]) -> Counter[str]:
        """What was done, by the name of its class, and the paths by theirs."""
        acts = Counter(type(action).__name__ for action in done)
        return acts + Counter({path.name: times for path, times in self.paths.items()})

    def written(self, machine: Machine, persist: Persist) -> None:
        for dot, record in self._oracle.own_records(machine, persist):
            self._own(machine, dot, record)

    def _own(self, machine: Machine, dot: Dot, record: Record) -> None:
        body = record.body
        match record.kind:
            case Kind.OWNER_CLAIMED:
                before = self._terms.setdefault((body["job"], body["term"]), dot.author)
                self.paths[Path.TWO_OWNERS] += before != dot.author
                self.paths[Path.TAKEOVER] += body["term"] > 1
            case Kind.ATTEMPT_PLACED:
                self._placed(machine, body["attempt"], (body["version"], body["index"]))
            case Kind.ATTEMPT_STOP_REQUESTED:
                self.paths[Path.RECONCILED] += body["reason"] == "duplicate"
            case Kind.ATTEMPT_OBSERVED:
                reason = body.get("reason")
                self.paths[Path.WITHDRAWAL] += reason == Refusal.WITHDRAWN.value
                self.paths[Path.STALE_TERM] += reason == Refusal.STALE_TERM.value
                self.paths[Path.NODE_RESTART] += reason == Failure.NODE_RESTART.value
                self.paths[Path.CLOSED] += reason in _CLOSED
                self.paths[Path.DRAINED] += reason == StopReason.DRAINED.value
            case Kind.NODE_INTENT:
                word = self._words.setdefault((body["node"], body["number"]), body["intent"])
                self.paths[Path.TWO_WORDS] += word != body["intent"]

    def _placed(self, machine: Machine, attempt: AttemptId, slot: tuple[Dot, int]) -> None:
        ended = self._oracle.on(machine).ended
        before = self._slots.setdefault(slot, [])
        known = [one for one in before if one in self._oracle.on(machine).placed]
        self.paths[Path.REPLACEMENT] += any(one not in ended for one in known)
        self.paths[Path.RETRY] += bool(known) and all(one in ended for one in known)
        before.append(attempt)

    def answered(self, machine: Machine, ask: Ask) -> None:
        if isinstance(ask.answer, JobReading):
            self.paths[Path.SETTLED] += ask.answer.settled

    def looked(self, world: World) -> None:
        for machine in world.at_work():
            self.paths[Path.REFOLD] += machine.running.facts.view.dropped > 0

    def at_rest(self, world: World) -> None:
        slots = Counter(
            (self._oracle.placed[attempt].version, self._oracle.placed[attempt].index)
            for attempt, author in self._oracle.succeeded
            if attempt in self._oracle.placed and self._oracle.placed[attempt].node == author
        )
        self.paths[Path.DUPLICATE] += sum(count > 1 for count in slots.values())
