from __future__ import annotations

import pytest

from scheduler.jobs import JobState
from sim.judges.settled import Settled
from sim.watcher import Wrong
from tests.sim.judges.judged import Judged


class Rig(Judged[Settled]):
    def __init__(self) -> None:
        super().__init__(Settled)
        self.run_one(rest_s=10.0)


def test_what_every_disk_holds_is_settled_and_stays() -> None:
    rig = Rig()
    assert len(rig.judge.answers) == 1
    rig.judge.at_rest(rig.world)


def test_settled_without_a_disk() -> None:
    rig = Rig()
    (job,) = rig.judge.answers
    rig.judge.answers.clear()
    rig.oracle.held["b"].succeeded.clear()
    with pytest.raises(Wrong, match="I20: a calls one settled, b lacks the result of slot 0"):
        rig.judge.changed(rig.world.machines["a"], (job,))


def test_a_settled_answer_that_changes() -> None:
    rig = Rig()
    ((job, (answer, teller)),) = rig.judge.answers.items()
    rig.judge.answers[job] = ((answer[0], answer[1], (None,)), teller)
    with pytest.raises(Wrong, match=r"I20: . called Completed .* settled, a says Completed or"):
        rig.judge.at_rest(rig.world)


def test_a_machine_that_an_older_disk_made_forget_the_end_may_have_taken_a_stop() -> None:
    rig = Rig()
    (job,) = rig.judge.answers
    for machine in rig.world.machines.values():
        machine.running.facts.view.jobs[job].state = lambda: JobState.STOPPED  # type: ignore[method-assign]
    with pytest.raises(Wrong, match=r"I20: . called Completed .* settled, a says Stopped or"):
        rig.judge.at_rest(rig.world)
    rig.judge.rolled_back(rig.world.machines["b"])
    rig.judge.at_rest(rig.world)
