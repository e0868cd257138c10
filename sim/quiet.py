"""Since when nothing has happened to a world: what judges of progress count from."""

from __future__ import annotations

from sim.watcher import Watcher
from sim.world import Machine, World


class Quiet(Watcher):
    """Follows faults, and what members think of each other, second by second."""

    def __init__(self) -> None:
        self.since_s = 0.0
        """When a fault, a start, or any member's opinion of another changed last."""
        self.most_parts = 1
        """The greatest number of parts that could not know of each other at one time."""
        self._happened = True
        self._reach: list[tuple[str, ...]] = []

    def started(self, machine: Machine) -> None:
        self._happened = True

    def crashed(self, machine: Machine, why: str) -> None:
        self._happened = True

    def noted(self, world: World, what: str) -> None:
        self._happened = True
        self._count(world)

    def looked(self, world: World) -> None:
        reach = [_reach(machine) for machine in world.at_work()]
        if self._happened or reach != self._reach:
            self._happened, self._reach = False, reach
            self.since_s = world.now_s
        self._count(world)

    def _count(self, world: World) -> None:
        apart = len(world.machines) - len(world.at_work())
        self.most_parts = max(self.most_parts, len(world.components()) + apart)


def _reach(machine: Machine) -> tuple[str, ...]:
    """Its name, and the nodes that it reaches for all that it knows."""
    readings = machine.running.facts.readings
    return (machine.name, *(node for node in sorted(readings) if readings[node].reachable))
