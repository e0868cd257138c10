"""Who looks on: judges and the report are told what really happens in a world, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesh.gossip.events import Send
from mesh.member.events import Persist

if TYPE_CHECKING:
    from sim.world import Ask, Machine, World


class Watcher:
    """Looks on and does nothing; those that judge raise `Wrong`."""

    def started(self, machine: Machine) -> None:
        """A process has begun on it, from what its disk holds; it has said nothing yet."""

    def crashed(self, machine: Machine, why: str) -> None:
        """Its process is gone."""

    def rolled_back(self, machine: Machine) -> None:
        """Its disk is an older one now; the machine is down."""

    def written(self, machine: Machine, persist: Persist) -> None:
        """This is on its disk now; the member may not have heard of it yet."""

    def sent(self, machine: Machine, send: Send) -> None:
        """This leaves it for a peer."""

    def answered(self, machine: Machine, ask: Ask) -> None:
        """A client has its answer."""

    def changed(self, machine: Machine, jobs: tuple[str, ...]) -> None:
        """Its readers are told that these jobs have changed."""

    def noted(self, world: World, what: str) -> None:
        """The plan did something to the world."""

    def looked(self, world: World) -> None:
        """A second has passed."""

    def at_rest(self, world: World) -> None:
        """Everything is healed, every job has ended, and nothing moves any more."""


class Wrong(Exception):
    """An invariant does not hold: its number, and one sentence."""

    def __init__(self, invariant: str, sentence: str) -> None:
        super().__init__(f"{invariant}: {sentence}")
        self.invariant = invariant


class Watchers(Watcher):
    """Several, told in order."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = list(watchers)

    def add(self, watcher: Watcher) -> None:
        """One more, told last."""
        self._watchers.append(watcher)

    def started(self, machine: Machine) -> None:
        for one in self._watchers:
            one.started(machine)

    def crashed(self, machine: Machine, why: str) -> None:
        for one in self._watchers:
            one.crashed(machine, why)

    def rolled_back(self, machine: Machine) -> None:
        for one in self._watchers:
            one.rolled_back(machine)

    def written(self, machine: Machine, persist: Persist) -> None:
        for one in self._watchers:
            one.written(machine, persist)

    def sent(self, machine: Machine, send: Send) -> None:
        for one in self._watchers:
            one.sent(machine, send)

    def answered(self, machine: Machine, ask: Ask) -> None:
        for one in self._watchers:
            one.answered(machine, ask)

    def changed(self, machine: Machine, jobs: tuple[str, ...]) -> None:
        for one in self._watchers:
            one.changed(machine, jobs)

    def noted(self, world: World, what: str) -> None:
        for one in self._watchers:
            one.noted(world, what)

    def looked(self, world: World) -> None:
        for one in self._watchers:
            one.looked(world)

    def at_rest(self, world: World) -> None:
        for one in self._watchers:
            one.at_rest(world)
