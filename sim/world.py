"""A cluster of simulated machines on one line of time, and what can be done to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from mesh.gossip.events import AddressHeard
from mesh.member.commands import Command, GetJob, SetIntent, StopJob, SubmitJob
from mesh.member.member import Member
from sim.clock import WALL_START_MS, Clock
from sim.disk import DriveSettings
from sim.machine import Ask, Machine, MachineSettings, MakeMember
from sim.network import Network, NetworkEvent, NetworkSettings
from sim.trace import Trace
from sim.trust import SimulatedTrust, issue
from sim.watcher import Watcher

__all__ = ["Ask", "Machine", "World", "WorldSettings"]

UP_S = 1000.0
"""How much longer each machine was up than the one before: no two monotonic clocks agree."""
ANNOUNCED_S = (0.02, 0.3)
"""How long multicast discovery takes to be heard on one network."""


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What a world is made of."""

    seed: int
    machines: tuple[str, ...]
    network: NetworkSettings = NetworkSettings()
    drive: DriveSettings = DriveSettings()
    wall_errors_ms: tuple[int, ...] = ()
    """One for each machine; none means that every calendar is right."""
    pause_share: float = 0.0


class World:
    """Machines by name, in order; nothing runs until `start`."""

    def __init__(
        self, settings: WorldSettings, watcher: Watcher, make_member: MakeMember = Member
    ) -> None:
        self.settings = settings
        self.clock = Clock()
        self.trace = Trace()
        self.watcher = watcher
        self._random = Random(f"{settings.seed}/world")
        self.network = Network(
            clock=self.clock,
            random=Random(f"{settings.seed}/network"),
            settings=settings.network,
            deliver=self._deliver,
        )
        self.machines: dict[str, Machine] = {}
        for place, name in enumerate(settings.machines):
            self._add(place, name, make_member)

    def _add(self, place: int, name: str, make_member: MakeMember) -> None:
        address = f"10.0.0.{place + 1}:1235"
        trust = SimulatedTrust(issue(name, not_before_ms=WALL_START_MS))
        errors_ms = self.settings.wall_errors_ms
        self.network.plug_in(name, trust.own, address)
        self.machines[name] = Machine(
            MachineSettings(
                name=name,
                address=address,
                up_s=UP_S * (place + 1),
                wall_error_ms=errors_ms[place] if errors_ms else 0,
                pause_share=self.settings.pause_share,
                drive=self.settings.drive,
            ),
            seed=self.settings.seed,
            clock=self.clock,
            network=self.network,
            trust=trust,
            watcher=self.watcher,
            trace=self.trace,
            make_member=make_member,
        )

    # --- time -------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Seconds since the world began."""
        return self.clock.now_s

    def step(self, until_s: float) -> bool:
        """The next thing that happens by then; False when nothing does."""
        return self.clock.step(until_s)

    def advance(self, duration_s: float) -> None:
        """Let time pass."""
        until_s = self.now_s + duration_s
        while self.step(until_s):
            pass

    # --- machines ---------------------------------------------------------------------------------

    def up(self) -> list[Machine]:
        """Machines whose process runs, in order."""
        return [one for one in self.machines.values() if one.up]

    def start(self, *names: str) -> None:
        """Start these machines, all when none is named; they and the others hear of each other."""
        for name in names or tuple(self.machines):
            self.machines[name].start()
            self._announce(name)

    def crash(self, name: str) -> None:
        """Kill the process of a machine that is up."""
        self.machines[name].crash("killed")

    def restart(self, name: str) -> None:
        """Start a machine that is down."""
        self.start(name)

    def stall(self, name: str) -> None:
        """Halt the process of a machine that is up."""
        self.machines[name].stall()
        self._note(f"{name} stalls")

    def resume(self, name: str) -> None:
        """Let a halted process go on."""
        if self.machines[name].stalled:
            self.machines[name].resume()
            self._note(f"{name} goes on")

    def jump(self, name: str, ahead_ms: int) -> None:
        """Somebody sets the calendar of a machine, forward or back."""
        self.machines[name].clock.wall_error_ms += ahead_ms
        self._note(f"the calendar of {name} jumps by {ahead_ms} ms")

    def roll_back(self, name: str, writes: int) -> None:
        """Put an older disk into a machine that is down."""
        self.machines[name].roll_back(writes)
        self._note(f"{name} has an old disk, {writes} writes older")

    def at_work(self) -> list[Machine]:
        """Machines whose process runs and was not halted, in order."""
        return [one for one in self.up() if not one.stalled]

    def components(self) -> list[list[Machine]]:
        """Machines at work that reach each other, directly or by others."""
        left, found = self.at_work(), list[list[Machine]]()
        while left:
            component = [left.pop(0)]
            for known in component:
                near = [one for one in left if self.network.meet(known.name, one.name)]
                component += near
                left = [one for one in left if one not in near]
            found.append(component)
        return found

    def _announce(self, name: str) -> None:
        for other in self.machines:
            if other != name:
                self._hear_later(name, other)
                self._hear_later(other, name)

    def _hear_later(self, hearer: str, heard: str) -> None:
        def hear() -> None:
            machine = self.machines[heard]
            if machine.up and self.network.passes(heard, hearer):
                self.machines[hearer].post(AddressHeard(machine.address, machine.node))

        self.clock.after(self._random.uniform(*ANNOUNCED_S), hear)

    def _deliver(self, name: str, event: NetworkEvent) -> None:
        self.machines[name].post(event)

    # --- the network ------------------------------------------------------------------------------

    def split(self, sides: Sequence[Sequence[str]]) -> None:
        """Only machines of one side reach each other from now on."""
        self.network.split(sides)
        self._note("split " + " | ".join(" ".join(side) for side in sides))

    def cut(self, ways: Iterable[tuple[str, str]]) -> None:
        """Nothing gets from the first of each pair to the second from now on."""
        ways = tuple(ways)
        self.network.cut(ways)
        self._note("cut " + ", ".join(f"{one} > {other}" for one, other in ways))

    def heal(self) -> None:
        """Everybody reaches everybody."""
        self.network.heal()
        self._note("heal")

    def calm(self, *, dead: Collection[str] = ()) -> None:
        """Healed for good: nothing is lost, armed or halted, every machine up but the dead."""
        self.network.settings = replace(self.network.settings, loss=0.0)
        for machine in self.machines.values():
            machine.drive.disarm()
            self.resume(machine.name)
        self.heal()
        for name, machine in self.machines.items():
            if not machine.up and name not in dead:
                self.restart(name)

    def _note(self, what: str) -> None:
        self.trace.note(self.now_s, "-", what)
        self.watcher.noted(self, what)

    # --- clients ----------------------------------------------------------------------------------

    def ask(self, name: str, command: Command) -> Ask:
        """A command at one machine's door."""
        return self.machines[name].ask(command)

    def submit(self, name: str, document: dict[str, Any]) -> Ask:
        """Submit a job at one machine."""
        return self.ask(name, SubmitJob(document))

    def stop(self, name: str, job: str) -> Ask:
        """Ask one machine for a stop."""
        return self.ask(name, StopJob(job))

    def read(self, name: str, job: str) -> Ask:
        """Ask one machine how a job stands."""
        return self.ask(name, GetJob(job))

    def intend(self, name: str, node: str, intent: str, *, deadline_s: int = 0) -> Ask:
        """Say at one machine what an operator wants of another, or of itself."""
        meant = self.machines[node].node
        ask = self.ask(name, SetIntent(meant, intent, deadline_s=deadline_s))
        self._note(f"{intent or 'open'} is wanted of {node} at {name}")
        return ask

    def wait(self, ask: Ask, limit_s: float) -> None:
        """Let time pass until the client has its answer."""
        until_s = self.now_s + limit_s
        while not ask.done and self.step(until_s):
            pass


def script(name: str, *, duration_ms: int, count: int = 1, **params: Any) -> dict[str, Any]:
    """A job document for the scripted engine; no `name` for a job without one of its own."""
    engine = {"Type": "scripted", "Params": {"DurationMs": duration_ms, **params}}
    document = {"Type": "batch", "Count": count, "Tasks": [{"Name": "main", "Engine": engine}]}
    return {"Name": name, **document} if name else document
