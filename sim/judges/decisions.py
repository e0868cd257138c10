"""What a member decided, held against what it knew: I11 for stops, I13 for takeovers, I14 for
placements of a slot that runs already.

All of it is read from what a member wrote: its own records in one write are younger than all that
its earlier writes held.
"""

from __future__ import annotations

from mesh.member.absence import TAKEOVER_AFTER_S
from mesh.member.events import Persist
from scheduler.ids import AttemptId, Dot, JobId, NodeId
from scheduler.jobs import AttemptState
from scheduler.ownership import takeover_wait_s
from scheduler.records import Kind, Record
from sim.judges.oracle import Oracle
from sim.watcher import Watcher, Wrong
from sim.world import Machine, World

LOOKS_S = 1.0
"""Opinions of members are looked at so often: between two looks they may have changed."""
WRITES_S = 3.0
"""From a decision to its record on a slow disk, which may be busy with a write before."""
DIED_LATELY_S = 60.0
"""The owner's process may have been known dead: then nobody waits."""


class Stops(Watcher):
    """No attempt enters Running on a machine that knew a stop which its version had not seen."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._stops: dict[tuple[str, JobId], dict[Dot, Dot]] = {}
        """By machine and job: stops, each with the birth under which it was asked for."""
        self._births: dict[str, dict[Dot, None]] = {}

    def written(self, machine: Machine, persist: Persist) -> None:
        for _, record in self._oracle.own_records(machine, persist):
            self._check(machine, record)
        for envelope in persist.envelopes:
            for dot, record in self._oracle.records(envelope):
                self._learn(machine, dot, record)

    def rolled_back(self, machine: Machine) -> None:
        self._births.pop(machine.name, None)
        for key in [one for one in self._stops if one[0] == machine.name]:
            del self._stops[key]

    def _learn(self, machine: Machine, dot: Dot, record: Record) -> None:
        if record.kind == Kind.JOB_CREATED:
            self._births.setdefault(machine.name, {})[dot] = None
        elif record.kind == Kind.STOP_REQUESTED:
            stops = self._stops.setdefault((machine.name, record.body["job"]), {})
            stops[dot] = record.body["birth"]
        elif record.kind == Kind.VERSION_ADDED:
            for seen in record.body["seen_stops"]:
                self._stops.get((machine.name, record.body["job"]), {}).pop(seen, None)

    def _check(self, machine: Machine, record: Record) -> None:
        runs = record.kind == Kind.ATTEMPT_OBSERVED
        if runs and record.body["state"] == AttemptState.RUNNING:
            job = record.body["job"]
            births = self._births.get(machine.name, {})
            if any(birth in births for birth in self._stops.get((machine.name, job), {}).values()):
                raise Wrong("I11", f"{machine.name} runs {job}, and knew that it was stopped")


class Takeovers(Watcher):
    """Nobody takes over from an owner that lives before it was out of reach for the wait."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._away_since_s: dict[tuple[str, NodeId], float] = {}
        self._reached_since_s: dict[tuple[str, NodeId], float] = {}
        self._looked_s: dict[str, float] = {}
        """By machine: when it was looked at last; not while it stalls."""
        self._died_s: dict[NodeId, float] = {}
        self._owners: dict[tuple[JobId, int], dict[NodeId, None]] = {}

    def started(self, machine: Machine) -> None:
        self._looked_s.pop(machine.name, None)
        for since_s in (self._away_since_s, self._reached_since_s):
            for key in [one for one in since_s if one[0] == machine.name]:
                del since_s[key]

    def crashed(self, machine: Machine, why: str) -> None:
        self._died_s[machine.node] = machine.world_clock.now_s

    def looked(self, world: World) -> None:
        for machine in world.machines.values():
            if machine.stalled:
                # It may have lost anybody since the last look, and not written what follows.
                for key in [one for one in self._reached_since_s if one[0] == machine.name]:
                    del self._reached_since_s[key]
        for machine in world.at_work():
            reached = _reached(machine)
            looked_s = self._looked_s.get(machine.name, world.now_s - LOOKS_S)
            self._looked_s[machine.name] = world.now_s
            for other in world.machines.values():
                key = (machine.name, other.node)
                if other.node in reached:
                    self._away_since_s.pop(key, None)
                    self._reached_since_s.setdefault(key, world.now_s)
                else:
                    self._reached_since_s.pop(key, None)
                    self._away_since_s.setdefault(key, looked_s)

    def written(self, machine: Machine, persist: Persist) -> None:
        for dot, record in self._oracle.own_records(machine, persist):
            if record.kind == Kind.OWNER_CLAIMED:
                self._claimed(machine, dot, record)

    def _claimed(self, machine: Machine, dot: Dot, record: Record) -> None:
        job, term = record.body["job"], record.body["term"]
        self._owners.setdefault((job, term), {})[dot.author] = None
        before = [one for one in self._owners.get((job, term - 1), {}) if one != machine.node]
        if len(before) != 1:
            return  # Of two owners of one term it may know one alone.
        waited_s = self._waited_s(machine, before[0])
        wait_s = takeover_wait_s(TAKEOVER_AFTER_S, term - 1)
        if waited_s is not None and waited_s < wait_s:
            raise Wrong(
                "I13",
                f"{machine.name} claims term {term} of {job} {waited_s:.1f} s after it lost "
                f"its owner, and was to wait {wait_s:.1f} s",
            )

    def _waited_s(self, machine: Machine, owner: NodeId) -> float | None:
        """How long the owner has been out of its reach, at most; None when that cannot be told."""
        now_s, key = machine.world_clock.now_s, (machine.name, owner)
        if now_s < self._died_s.get(owner, -DIED_LATELY_S) + DIED_LATELY_S:
            return None
        if key in self._away_since_s:
            return now_s - self._away_since_s[key]
        # It may have come back while the claim was written.
        lasting = now_s - self._reached_since_s.get(key, now_s) > WRITES_S
        return 0.0 if lasting else None


class Placements(Watcher):
    """No slot is placed while an attempt of it lives on a node that its owner reaches."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._reached_since_s: dict[str, dict[NodeId, float]] = {}
        """By machine: nodes that it reached at the last look, and since which one."""
        self._held: dict[str, dict[AttemptId, None]] = {}
        """By machine: live attempts on its disk."""

    def started(self, machine: Machine) -> None:
        self._reached_since_s.pop(machine.name, None)

    def rolled_back(self, machine: Machine) -> None:
        self._held.pop(machine.name, None)

    def looked(self, world: World) -> None:
        for machine in world.at_work():
            before = self._reached_since_s.get(machine.name, {})
            self._reached_since_s[machine.name] = {
                node: before.get(node, world.now_s) for node in _reached(machine)
            }

    def written(self, machine: Machine, persist: Persist) -> None:
        held = self._held.setdefault(machine.name, {})
        for _, record in self._oracle.own_records(machine, persist):
            if record.kind == Kind.ATTEMPT_PLACED:
                self._check(machine, record, held)
                held[record.body["attempt"]] = None
        for envelope in persist.envelopes:
            for _, record in self._oracle.records(envelope):
                if record.kind == Kind.ATTEMPT_PLACED:
                    held[record.body["attempt"]] = None

    def _check(self, machine: Machine, record: Record, held: dict[AttemptId, None]) -> None:
        body, view = record.body, machine.running.facts.view
        since_s = self._reached_since_s.get(machine.name, {})
        now_s = machine.world_clock.now_s
        reached = [one for one in _reached(machine) if now_s - since_s.get(one, now_s) > WRITES_S]
        for other in view.jobs[body["job"]].slot_attempts(body["version"], body["index"]):
            known = other.id in held and other.id != body["attempt"] and other.live
            if known and other.node in reached:
                raise Wrong(
                    "I14",
                    f"{machine.name} places slot {body['index']} of {body['job']} once more, and "
                    f"{other.id} lives where it can reach it",
                )


def _reached(machine: Machine) -> dict[NodeId, None]:
    readings = machine.running.facts.readings
    return {node: None for node in sorted(readings) if readings[node].reachable}
