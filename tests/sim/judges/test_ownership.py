from __future__ import annotations

import pytest

from scheduler.claims import Claims
from sim.judges.ownership import Owners
from sim.quiet import Quiet
from sim.watcher import Watchers, Wrong
from sim.world import World, WorldSettings, script


def _world() -> tuple[World, Owners]:
    quiet = Quiet()
    owners = Owners(quiet)
    watchers = Watchers(quiet, owners)
    world = World(WorldSettings(1, ("a", "b", "c")), watchers)
    world.start()
    world.advance(2.0)
    world.wait(world.submit("a", script("one", duration_ms=120_000)), 5.0)
    world.advance(2.0)
    return world, owners


def _look(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.advance(1.0)
        world.watcher.looked(world)


def test_each_part_of_a_split_has_an_owner_in_time() -> None:
    world, _ = _world()
    world.split(["a", "bc"])
    _look(world, 60)
    world.heal()
    _look(world, 40)


def test_a_part_without_an_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = _world()
    monkeypatch.setattr("mesh.member.absence.takeover_wait_s", lambda base_s, term: 600.0)
    world.split(["a", "bc"])
    with pytest.raises(Wrong, match=r"I13: .*nobody of b c owns it"):
        _look(world, 60)


def test_owners_that_differ() -> None:
    world, _ = _world()
    (job,) = world.machines["b"].running.facts.view.jobs.values()
    job._claims = Claims()
    job._claims.add((2, world.machines["b"].node))
    with pytest.raises(Wrong, match=r"I13: .*its owners by .* differ"):
        _look(world, 60)
