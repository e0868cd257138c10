from __future__ import annotations

from collections import Counter

import pytest

from sim.drawing import LASTING_SPLIT_S, draw, swarm
from sim.faults import (
    FOR_GOOD,
    Crash,
    Cut,
    Fault,
    Intend,
    Jump,
    Kill,
    OldDisk,
    Plan,
    Split,
    Stall,
    Stop,
    Submit,
)

SEEDS = range(200)


def test_a_seed_draws_one_plan() -> None:
    assert draw(7) == draw(7)
    assert len({str(draw(seed).actions) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_is_in_some_runs_and_not_in_others(fault: Fault) -> None:
    count = sum(fault in draw(seed).faults for seed in SEEDS)
    assert 30 < count < 180
    assert all(fault in draw(seed, require=[fault]).faults for seed in SEEDS[:20])
    assert not any(draw(seed, only=[]).faults for seed in SEEDS[:20])


@pytest.mark.parametrize(
    ("fault", "action"),
    [
        (Fault.SPLIT, Split),
        (Fault.FLAPS, Split),
        (Fault.ONE_WAY, Cut),
        (Fault.CRASH, Crash),
        (Fault.KILL, Crash),
        (Fault.OWNER, Kill),
        (Fault.TARGET, Kill),
        (Fault.OLD_DISK, OldDisk),
        (Fault.STALLS, Stall),
        (Fault.JUMPS, Jump),
        (Fault.STOPS, Stop),
        (Fault.CORDONS, Intend),
        (Fault.DRAINS, Intend),
    ],
)
def test_faults_are_planned(fault: Fault, action: type) -> None:
    plans = [draw(seed, jobs=40, require=[fault], only=[]) for seed in SEEDS[:20]]
    assert all(any(isinstance(one, action) for one in plan.actions) for plan in plans)


def test_at_most_one_stays_dead() -> None:
    for seed in SEEDS:
        deaths = [one.down_s for one in draw(seed).actions if isinstance(one, Crash | Kill)]
        assert deaths.count(FOR_GOOD) <= 1


def test_a_split_that_lasts_is_waited_for() -> None:
    plans = [draw(seed, require=[Fault.SPLIT]) for seed in SEEDS]
    lasting = [(plan, one) for plan in plans for one in _splits(plan) if _lasts(one)]
    assert lasting
    assert all(plan.safety_s >= one.at_s + one.duration_s for plan, one in lasting)


def test_operators_want_different_things_at_different_machines() -> None:
    plans = [draw(seed, require=[Fault.DRAINS], only=[]) for seed in SEEDS]
    words = [[one for one in plan.actions if isinstance(one, Intend)] for plan in plans]
    assert {one.intent for told in words for one in told} == {"draining", "cordoned", ""}
    meant = Counter((seed, one.node, one.at_s) for seed, told in enumerate(words) for one in told)
    assert max(meant.values()) > 1, "two at one moment"
    assert any({one.node for one in told} == set("abcde") for told in words)
    assert any(one.machine != one.node for told in words for one in told)


def _splits(plan: Plan) -> list[Split]:
    return [one for one in plan.actions if isinstance(one, Split)]


def _lasts(split: Split) -> bool:
    return split.duration_s == LASTING_SPLIT_S


def test_plans_are_in_order_and_name_machines_that_exist() -> None:
    for seed in SEEDS:
        plan = draw(seed, machines=4)
        names = set(plan.world.machines)
        times_s = [one.at_s for one in plan.actions]
        assert times_s == sorted(times_s)
        assert len(plan.world.wall_errors_ms) in (0, 4)
        for action in plan.actions:
            match action:
                case Split(sides=sides):
                    assert {name for side in sides for name in side} == names
                    assert len(sides) > 1
                case Cut(ways=ways):
                    assert all(one != other and {one, other} <= names for one, other in ways)
                case Kill():
                    pass
                case Intend(machine=machine, node=node):
                    assert {machine, node} <= names
                case _:
                    assert action.machine in names


def test_no_fault_begins_once_all_is_to_be_healed() -> None:
    for seed in SEEDS:
        plan = swarm(seed)
        faults = [one for one in plan.actions if not isinstance(one, Submit | Stop | Intend)]
        late = [str(one) for one in faults if one.at_s >= plan.safety_s]
        assert late == [], seed


def test_a_suite_has_runs_of_many_sizes_and_each_is_hurt() -> None:
    plans = [swarm(seed) for seed in SEEDS]
    assert {len(plan.world.machines) for plan in plans} == {3, 4, 5}
    assert all({Fault.SPLIT, Fault.CRASH} & set(plan.faults) for plan in plans)
