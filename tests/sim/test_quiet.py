from __future__ import annotations

from sim.quiet import Quiet
from sim.world import World, WorldSettings


def _look(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.advance(1.0)
        world.watcher.looked(world)


def test_faults_and_opinions_end_the_quiet() -> None:
    quiet = Quiet()
    world = World(WorldSettings(1, ("a", "b", "c")), quiet)
    world.start()
    _look(world, 10)
    met_s = quiet.since_s
    assert met_s <= 3.0
    world.split(["a", "bc"])
    _look(world, 1)
    split_s = quiet.since_s
    assert split_s > met_s
    _look(world, 20)
    assert split_s < quiet.since_s < 25.0  # when they had noticed


def test_parts_are_counted_with_who_is_down_or_halted() -> None:
    quiet = Quiet()
    world = World(WorldSettings(1, ("a", "b", "c")), quiet)
    world.start()
    _look(world, 1)
    assert quiet.most_parts == 1
    world.split(["a", "bc"])
    assert quiet.most_parts == 2
    world.stall("b")
    _look(world, 1)
    assert quiet.most_parts == 3
