from __future__ import annotations

import pytest

from mesh.member.events import Persist
from scheduler.ids import AttemptId
from sim.clock import WALL_START_MS
from sim.judges.oracle import Oracle
from sim.judges.progress import Duplicates, Progress
from sim.quiet import Quiet
from sim.trust import issue
from sim.watcher import Watchers, Wrong
from sim.world import World, WorldSettings, script


class Rig:
    def __init__(self, *, faultless: bool = False) -> None:
        self.oracle = Oracle(issue(name, not_before_ms=WALL_START_MS) for name in "ab")
        self.quiet = Quiet()
        self.duplicates = Duplicates(self.oracle, self.quiet, faultless=faultless)
        watchers = Watchers(self.oracle, self.quiet, self.duplicates, Progress(self.quiet))
        self.world = World(WorldSettings(1, ("a", "b")), watchers)
        self.world.start()
        self.world.advance(2.0)

    def submit(self, duration_ms: int) -> None:
        self.world.wait(self.world.submit("a", script("one", duration_ms=duration_ms)), 5.0)

    def look(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.advance(1.0)
            self.world.watcher.looked(self.world)


def test_work_that_runs_is_progress() -> None:
    rig = Rig()
    rig.submit(200_000)
    rig.look(90)


def test_work_that_waits_beside_a_free_place(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    monkeypatch.setattr("mesh.member.orchestrate.Orchestrate.consider", lambda *_: False)
    rig.submit(10)
    with pytest.raises(Wrong, match=r"I18: .* waits among a b, where there is room"):
        rig.look(90)


@pytest.mark.parametrize(("faultless", "bound"), [(True, 1), (False, 3)])
def test_a_slot_that_was_begun_too_often(faultless: bool, bound: int) -> None:
    rig = Rig(faultless=faultless)
    rig.submit(10)
    rig.look(5)
    rig.duplicates.at_rest(rig.world)
    ((attempt, placed),) = rig.oracle.placed.items()
    for number in range(bound):
        again = AttemptId(f"{attempt}{number}")
        rig.oracle.placed[again] = placed
        rig.duplicates._accepted[again] = None
    with pytest.raises(Wrong, match=rf"I16: slot 0 of one was begun {bound + 1} times"):
        rig.duplicates.at_rest(rig.world)


def test_a_job_that_failed_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.submit(10)
    rig.look(5)
    rig.duplicates.written(rig.world.machines["a"], Persist(1))
    (job,) = rig.world.machines["a"].running.facts.view.jobs.values()
    with pytest.raises(Wrong, match="I16: one failed, and no slot of it was tried more than 1"):
        rig.duplicates._check_failed(job, rig.duplicates.begun())
