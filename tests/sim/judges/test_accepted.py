from __future__ import annotations

from dataclasses import replace

import pytest

from mesh.member.commands import GetJob, JobReading
from scheduler.attempts import AttemptView
from scheduler.ids import AttemptId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Observation
from sim.judges.accepted import Accepted
from sim.watcher import Wrong
from sim.world import Ask
from tests.sim.judges.judged import Judged


class Rig(Judged[Accepted]):
    """Two machines at rest after one job, and the judge that saw it."""

    def __init__(self) -> None:
        super().__init__(Accepted)
        self.run_one()
        self.a = self.machine("a")
        (self.attempt,) = self.a.running.facts.view.attempts.values()

    def changed(self) -> None:
        self.judge.changed(self.a, (self.attempt.job,))


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
    rig.judge.started(rig.a)
    rig.changed()
    _now_is(rig.attempt, AttemptState.RUNNING)
    with pytest.raises(Wrong, match=r"I7: a started, and .* runs again"):
        rig.judge.started(rig.a)


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
        rig.judge.answered(rig.a, Ask("a", GetJob("one"), 0.0, twice))


def test_an_attempt_begun_twice(rig: Rig) -> None:
    ((attempt, node),) = rig.judge._begun
    machine = next(one for one in rig.world.up() if one.node == node)
    dot = rig.judge._begun[attempt, node]
    rig.judge._begin(machine, attempt, dot)
    with pytest.raises(Wrong, match=r"I16: . accepted .* twice"):
        rig.judge._begin(machine, attempt, dot._replace(epoch=dot.epoch + 1))
