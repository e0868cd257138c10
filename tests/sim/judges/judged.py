"""A small world with one judge that looks on: what the tests of judges start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from sim.clock import WALL_START_MS
from sim.judges.oracle import Oracle
from sim.trust import issue
from sim.watcher import Watcher, Watchers
from sim.world import Machine, World, WorldSettings, script

Judge = TypeVar("Judge", bound=Watcher)


class Judged(Generic[Judge]):
    """The machines `a` and `b` that have met, and the judge that sees them."""

    def __init__(self, make: Callable[[Oracle], Judge]) -> None:
        self.oracle = Oracle(issue(name, not_before_ms=WALL_START_MS) for name in "ab")
        self.judge = make(self.oracle)
        self.world = World(WorldSettings(1, ("a", "b")), Watchers(self.oracle, self.judge))
        self.world.start()
        self.world.advance(2.0)

    def machine(self, name: str) -> Machine:
        return self.world.machines[name]

    def run_one(self, *, rest_s: float = 5.0) -> None:
        """One job from its submission to its end, and a rest after it."""
        self.world.wait(self.world.submit("a", script("one", duration_ms=10)), 5.0)
        self.world.advance(rest_s)
