from __future__ import annotations

import pytest

from sim.drawing import swarm
from sim.faults import Fault, Plan, Submit
from sim.sometimes import Path
from sim.trial import Trial
from sim.world import WorldSettings, script


def test_a_calm_run_takes_no_path_but_to_be_settled() -> None:
    submit = Submit(1.0, "a", script("one", duration_ms=10))
    verdict = Trial(Plan(WorldSettings(1, ("a", "b")), 3.0, (), (submit,))).run()
    assert set(verdict.sometimes) == {"Submit", Path.SETTLED.name}


@pytest.mark.slow
def test_a_hurt_run_takes_many() -> None:
    plan = swarm(1)
    assert Fault.SPLIT in plan.faults
    assert {Path.DUPLICATE.name, Path.TAKEOVER.name} <= set(Trial(plan).run().sometimes)
