"""I2, join laws: in whatever order records come, and however often, one view comes of it."""

from __future__ import annotations

from itertools import chain

from scheduler.ids import Dot
from scheduler.records import Record
from scheduler.view import View
from sim.watcher import Watcher, Wrong
from sim.world import Machine, World

SAMPLES = 2
"""Of a run while it goes on: folding some hundred records in both orders takes milliseconds."""

Records = list[tuple[Dot, Record]]


class Joins(Watcher):
    """Merges what two machines hold in both orders, when a split ends and at rest."""

    def __init__(self) -> None:
        self._left = SAMPLES

    def noted(self, world: World, what: str) -> None:
        at_work = world.at_work()
        if what == "heal" and self._left and len(at_work) > 1:
            self._left -= 1
            self._check(at_work[0], at_work[-1])

    def at_rest(self, world: World) -> None:
        for machine in world.up():
            records = _records(machine)
            backwards = _fold(records[::-1])
            view = machine.running.facts.view
            if not (backwards.dropped or view.dropped) and backwards.digest() != view.digest():
                raise Wrong("I2", f"{machine.name} derives another view of its records backwards")

    def _check(self, one: Machine, other: Machine) -> None:
        here, there = _records(one), _records(other)
        merged, swapped = _fold(here, there), _fold(there, here)
        twice = _fold(here, there, here)
        if any(view.dropped for view in (merged, swapped, twice)):
            return
        if merged.digest() != swapped.digest():
            raise Wrong("I2", f"what {one.name} and {other.name} hold merges to two views")
        if merged.digest() != twice.digest():
            raise Wrong("I2", f"what {one.name} holds changes a view that holds it already")


def _records(machine: Machine) -> Records:
    return list(machine.running.ledger.records())


def _fold(*sources: Records) -> View:
    view = View()
    for dot, record in chain(*sources):
        view.apply(dot, record)
    return view
