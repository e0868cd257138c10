from __future__ import annotations

import pytest

from sim.faults import Crash, Fault, Split, Stop, Submit, draw

SEEDS = range(200)


def test_a_seed_draws_one_plan() -> None:
    assert draw(7) == draw(7)
    assert len({str(draw(seed).actions) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_is_in_some_runs_and_not_in_others(fault: Fault) -> None:
    count = sum(fault in draw(seed).faults for seed in SEEDS)
    assert 100 < count < 190
    assert all(fault in draw(seed, require=[fault]).faults for seed in SEEDS[:20])


def test_required_faults_are_planned() -> None:
    required = (Fault.LOSS, Fault.SPLIT, Fault.CRASH)
    for seed in SEEDS:
        plan = draw(seed, require=required)
        assert plan.world.network.loss > 0
        assert sum(isinstance(one, Split) for one in plan.actions) == 1
        assert sum(isinstance(one, Crash) and one.boundary is not None for one in plan.actions) == 1


def test_plans_are_in_order_and_name_machines_that_exist() -> None:
    for seed in SEEDS:
        plan = draw(seed, machines=4)
        names = set(plan.world.machines)
        times_s = [one.at_s for one in plan.actions]
        assert times_s == sorted(times_s)
        assert len(plan.world.wall_errors_ms) in (0, 4)
        for action in plan.actions:
            match action:
                case Submit(machine=machine) | Stop(machine=machine) | Crash(machine=machine):
                    assert machine in names
                case Split(sides=sides):
                    assert {name for side in sides for name in side} == names
                    assert len(sides) > 1


def test_every_option_stands_in_its_lines() -> None:
    plan = draw(3)
    lines = list(plan.lines())
    assert lines[0] == "seed 3"
    assert sum(line.startswith("plan ") for line in lines) == len(plan.actions)
    assert all(any(fault.value in line for line in lines) for fault in Fault)
