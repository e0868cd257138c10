from __future__ import annotations

import pytest

from scheduler.attempts import Told
from sim.judges.joins import Joins
from sim.watcher import Watcher, Wrong
from sim.world import World, WorldSettings, script


@pytest.fixture
def world() -> World:
    world = World(WorldSettings(1, ("a", "b")), Watcher())
    world.start()
    world.advance(2.0)
    world.wait(world.submit("a", script("one", duration_ms=10, count=2)), 5.0)
    world.advance(5.0)
    return world


def test_two_machines_merge_to_one_view(world: World) -> None:
    judge = Joins()
    judge.noted(world, "heal")
    judge.at_rest(world)


def test_a_fold_that_depends_on_the_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def last_word(told: Told, observation, dot, hlc):
        told.observation, told.observed, told.observed_hlc = observation, dot, hlc

    monkeypatch.setattr(Told, "join", last_word)
    with pytest.raises(Wrong, match="I2: a derives another view of its records backwards"):
        Joins().at_rest(world)
