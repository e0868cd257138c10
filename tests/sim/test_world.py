from __future__ import annotations

from typing import Any

import pytest

from mesh.member.commands import JobReading, StopTaken
from scheduler.jobs import JobState
from sim.network import NetworkSettings
from sim.watcher import Watcher
from sim.world import World, WorldSettings, script


def _world(names: str = "abc", seed: int = 1, **settings: Any) -> World:
    world = World(WorldSettings(seed, tuple(names), **settings), Watcher())
    world.start()
    world.advance(3.0)
    return world


def _reachable(world: World, name: str) -> set[str]:
    readings = world.machines[name].running.facts.readings
    return {one.name for one in readings.values() if one.reachable}


def _states(world: World, job: str) -> dict[str, JobState]:
    states = {}
    for machine in world.up():
        ask = world.read(machine.name, job)
        world.wait(ask, 5.0)
        assert isinstance(ask.answer, JobReading)
        states[machine.name] = ask.answer.state
    return states


@pytest.mark.parametrize("names", ["a", "ab", "abcdefgh"])
def test_machines_find_each_other(names: str) -> None:
    world = _world(names)
    assert all(_reachable(world, name) == set(names) for name in names)


def test_a_job_ends_the_same_everywhere_with_calendars_that_are_wrong() -> None:
    world = _world(wall_errors_ms=(-30_000, 0, 3_600_000), network=NetworkSettings(loss=0.1))
    world.wait(world.submit("b", script("one", duration_ms=500, count=4)), 5.0)
    world.advance(20.0)
    assert set(_states(world, "one").values()) == {JobState.COMPLETED}
    assert len({one.running.facts.view.digest() for one in world.up()}) == 1


def test_a_split_is_noticed_and_heals() -> None:
    world = _world()
    world.split(["a", "bc"])
    world.advance(15.0)
    assert [_reachable(world, name) for name in "abc"] == [{"a"}, {"b", "c"}, {"b", "c"}]
    world.heal()
    world.advance(20.0)
    assert all(_reachable(world, name) == set("abc") for name in "abc")


def test_calm_starts_what_is_down_and_loses_nothing_more() -> None:
    world = _world(network=NetworkSettings(loss=0.2))
    world.crash("a")
    world.split(["b", "ac"])
    world.calm()
    assert len(world.up()) == 3
    assert world.network.settings.loss == 0
    world.advance(30.0)
    assert all(_reachable(world, name) == set("abc") for name in "abc")


def test_a_stop_reaches_everybody() -> None:
    world = _world()
    world.wait(world.submit("a", script("long", duration_ms=60_000)), 5.0)
    world.advance(1.0)
    ask = world.stop("c", "long")
    world.wait(ask, 5.0)
    assert isinstance(ask.answer, StopTaken)
    world.advance(5.0)
    assert set(_states(world, "long").values()) == {JobState.STOPPED}


def test_one_seed_is_one_history() -> None:
    one, same, other = (_world(seed=seed).trace.digest() for seed in (5, 5, 6))
    assert one == same
    assert one != other


def test_components_are_who_reaches_whom_by_others_too() -> None:
    world = _world("abcd")

    def components() -> list[str]:
        return ["".join(sorted(one.name for one in part)) for part in world.components()]

    assert components() == ["abcd"]
    world.split(["ab", "bc", "d"])
    assert components() == ["abc", "d"]
    world.cut([("a", "d")])
    assert components() == ["abcd"]
    world.cut([(one, "d") for one in "abc"])
    world.stall("b")
    assert components() == ["ac", "d"]
