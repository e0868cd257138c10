from __future__ import annotations

import pytest

from mesh.ledger.envelope import StoredEnvelope
from mesh.member.events import Persist
from scheduler.ids import Dot, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState
from scheduler.records import Kind, Record
from sim.clock import WALL_START_MS
from sim.judges.decisions import WRITES_S, Placements, Stops, Takeovers, _reached
from sim.judges.oracle import Oracle
from sim.judges.ownership import Fences
from sim.trust import issue
from sim.watcher import Watchers, Wrong
from sim.world import Machine, World, WorldSettings, script


class Rig:
    """Three machines, one long job of `a`, and judges that saw it; then words put in its mouth."""

    def __init__(self) -> None:
        self.oracle = Oracle(issue(name, not_before_ms=WALL_START_MS) for name in "abc")
        self.stops, self.takeovers = Stops(self.oracle), Takeovers(self.oracle)
        self.placements, self.fences = Placements(self.oracle), Fences(self.oracle)
        self.watchers = Watchers(
            self.oracle, self.stops, self.takeovers, self.placements, self.fences
        )
        self.world = World(WorldSettings(1, ("a", "b", "c")), self.watchers)
        self.world.start()
        self.world.advance(2.0)
        self.watchers.looked(self.world)
        self.world.wait(self.world.submit("a", script("one", duration_ms=60_000)), 5.0)
        self.world.advance(WRITES_S + 1.0)
        self.watchers.looked(self.world)
        (self.attempt,) = self.machine("a").running.facts.view.attempts.values()

    def machine(self, name: str) -> Machine:
        return self.world.machines[name]

    def says(self, name: str, kind: Kind, **body: object) -> Persist:
        """A write of one record by this machine about the job."""
        machine, job = self.machine(name), self.attempt.job
        birth = machine.running.facts.view.jobs[job].birth
        record = Record(kind, Hlc(1), None, {"job": job, "birth": birth, **body})
        epoch, digest = machine.running.boot, repr(body).encode()
        envelope = StoredEnvelope(machine.node, epoch, 900, 1, digest, b"")
        self.oracle._read[digest] = ((Dot(machine.node, epoch, 900), record),)
        return Persist(1, (envelope,))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_work_that_starts_on_a_machine_that_knew_a_stop(rig: Rig) -> None:
    runs = rig.says(
        "a", Kind.ATTEMPT_OBSERVED, attempt=rig.attempt.id, state=int(AttemptState.RUNNING)
    )
    rig.stops.written(rig.machine("a"), runs)
    rig.stops.written(rig.machine("a"), rig.says("a", Kind.STOP_REQUESTED, reason=""))
    with pytest.raises(Wrong, match="I11: a runs"):
        rig.stops.written(rig.machine("a"), runs)
    rig.stops.written(rig.machine("b"), runs)


def test_a_takeover_from_an_owner_that_lives(rig: Rig) -> None:
    claim, b, owner = rig.says("b", Kind.OWNER_CLAIMED, term=2), rig.machine("b"), ("b", _node("a"))
    with pytest.raises(Wrong, match=r"I13: b claims term 2 .* 0.0 s after it lost its owner"):
        rig.takeovers.written(b, claim)
    del rig.takeovers._reached_since_s[owner]
    rig.takeovers.written(b, claim)
    rig.takeovers._away_since_s[owner] = rig.world.now_s - 2.9
    with pytest.raises(Wrong, match=r"I13: b claims term 2 .* 2.9 s after it lost its owner"):
        rig.takeovers.written(b, claim)
    rig.takeovers._away_since_s[owner] = rig.world.now_s - 3.0
    rig.takeovers.written(b, claim)


def test_a_machine_that_stalled_may_have_lost_an_owner_between_two_looks(rig: Rig) -> None:
    claim, b = rig.says("b", Kind.OWNER_CLAIMED, term=2), rig.machine("b")
    b.stall()
    rig.watchers.looked(rig.world)
    rig.takeovers.written(b, claim)
    b.resume()
    rig.world.split([["a"], ["b", "c"]])
    for _ in range(100):
        if _node("a") not in _reached(b):
            break
        rig.world.advance(0.1)
    rig.watchers.looked(rig.world)
    assert ("b", _node("a")) in rig.takeovers._away_since_s
    rig.takeovers.written(b, claim)


def _node(name: str) -> NodeId:
    return issue(name, not_before_ms=WALL_START_MS).node


def test_a_slot_placed_twice(rig: Rig) -> None:
    again = rig.says(
        "a", Kind.ATTEMPT_PLACED, attempt="e-2", version=rig.attempt.version, index=0, term=1
    )
    with pytest.raises(Wrong, match=r"I14: a places slot 0 .* once more"):
        rig.placements.written(rig.machine("a"), again)
    rig.placements.started(rig.machine("a"))
    rig.placements.written(rig.machine("a"), again)


def test_work_accepted_below_the_fence(rig: Rig) -> None:
    accepts = rig.says(
        "a", Kind.ATTEMPT_OBSERVED, attempt=rig.attempt.id, state=int(AttemptState.ACCEPTED)
    )
    rig.fences.written(rig.machine("a"), accepts)
    rig.fences.written(rig.machine("a"), rig.says("a", Kind.OWNER_CLAIMED, term=2))
    with pytest.raises(Wrong, match=r"I12: a accepted .* of term 1 .* and knew term 2"):
        rig.fences.written(rig.machine("a"), accepts)
