from __future__ import annotations

from dataclasses import replace

import pytest

from mesh.member.commands import GetJob, JobReading
from scheduler.attempts import AttemptView
from scheduler.ids import AttemptId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Observation
from sim.clock import WALL_START_MS
from sim.judges.accepted import Accepted
from sim.judges.oracle import Oracle
from sim.trust import issue
from sim.watcher import Watchers, Wrong
from sim.world import Ask, Machine, World, WorldSettings, script


class Rig:
    """Two machines at rest after one job, and the judge that saw it."""

    def __init__(self) -> None:
        self.oracle = Oracle(issue(name, not_before_ms=WALL_START_MS) for name in "ab")
        self.judge = Accepted(self.oracle)
        self.world = World(WorldSettings(1, ("a", "b")), Watchers(self.oracle, self.judge))
        self.world.start()
        self.world.advance(2.0)
        self.world.wait(self.world.submit("a", script("one", duration_ms=10)), 5.0)
        self.world.advance(5.0)
        self.machine: Machine = self.world.machines["a"]
        (self.attempt,) = self.machine.running.facts.view.attempts.values()

    def changed(self) -> None:
        self.judge.changed(self.machine, (self.attempt.job,))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def _now_is(attempt: AttemptView, state: AttemptState) -> None:
    attempt.told.observation = Observation(state)


def test_a_right_run_is_right(rig: Rig) -> None:
    rig.changed()
    rig.judge.at_rest(rig.world)
    assert list(rig.judge.completed) == [rig.attempt.job]


@pytest.mark.parametrize("state", [AttemptState.RUNNING, AttemptState.FAILED])
def test_what_has_ended_does_not_go_back(rig: Rig, state: AttemptState) -> None:
    _now_is(rig.attempt, state)
    with pytest.raises(Wrong, match=rf"I7: .* was SUCCEEDED at a, now {state.name}"):
        rig.changed()


def test_what_has_ended_has_ended_after_a_restart(rig: Rig) -> None:
    rig.judge.started(rig.machine)
    rig.changed()
    _now_is(rig.attempt, AttemptState.RUNNING)
    with pytest.raises(Wrong, match=r"I7: a started, and .* runs again"):
        rig.judge.started(rig.machine)


def test_another_result_than_the_first(rig: Rig) -> None:
    first = AttemptId("e-first")
    rig.oracle.placed[first] = rig.oracle.placed[rig.attempt.id]
    rig.oracle.succeeded[first, rig.attempt.node] = Hlc(1)
    with pytest.raises(Wrong, match=r"I5: a accepts .* the first success on any disk is e-first"):
        rig.judge.at_rest(rig.world)


def test_two_results_of_one_slot_in_one_answer(rig: Rig) -> None:
    ask = rig.world.read("a", "one")
    rig.world.wait(ask, 5.0)
    assert isinstance(ask.answer, JobReading)
    twice = replace(ask.answer, attempts=ask.answer.attempts * 2)
    with pytest.raises(Wrong, match="I5: a answers with two accepted results"):
        rig.judge.answered(rig.machine, Ask("a", GetJob("one"), 0.0, twice))


def test_an_attempt_begun_twice(rig: Rig) -> None:
    ((attempt, node),) = rig.judge._begun
    machine = next(one for one in rig.world.up() if one.node == node)
    dot = rig.judge._begun[attempt, node]
    rig.judge._begin(machine, attempt, dot)
    with pytest.raises(Wrong, match=r"I16: . accepted .* twice"):
        rig.judge._begin(machine, attempt, dot._replace(epoch=dot.epoch + 1))
