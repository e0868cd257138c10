from __future__ import annotations

import pytest

from scheduler.view import View
from sim.judges.convergence import Convergence
from sim.watcher import Watcher, Wrong
from sim.world import World, WorldSettings, script


@pytest.fixture
def world() -> World:
    world = World(WorldSettings(1, ("a", "b")), Watcher())
    world.start()
    world.advance(2.0)
    world.wait(world.submit("a", script("one", duration_ms=10)), 5.0)
    world.advance(5.0)
    return world


def test_equal_machines_are_equal(world: World) -> None:
    Convergence().at_rest(world)


def test_other_logs(world: World) -> None:
    world.network.split(["a", "b"])
    world.wait(world.submit("a", script("two", duration_ms=10)), 5.0)
    with pytest.raises(Wrong, match="I1: b holds other logs than a"):
        Convergence().at_rest(world)


def test_another_view_of_the_same_logs(world: World) -> None:
    world.machines["b"].running.facts.view = View()
    with pytest.raises(Wrong, match="I1: b derives another view than a"):
        Convergence().at_rest(world)


def test_another_answer_from_the_same_view(world: World) -> None:
    facts = world.machines["b"].running.facts
    (job,) = facts.view.jobs
    facts.specs.clear()
    with pytest.raises(Wrong, match=rf"I1: b answers otherwise about {job} than a.*: spec"):
        Convergence().at_rest(world)


def test_a_machine_that_is_down_is_not_asked(world: World) -> None:
    world.machines["b"].running.facts.view = View()
    world.crash("b")
    Convergence().at_rest(world)
