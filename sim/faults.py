"""What can go wrong in a run, as values: kinds of fault, what a plan does when, and the plan."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from scheduler.intents import CORDONED, DRAINING
from sim.disk import Boundary
from sim.world import WorldSettings


class Fault(Enum):
    """Kinds of fault that a run may have."""

    LOSS = "packets are lost"
    SPLIT = "the network splits"
    FLAPS = "links fail and come back, again and again"
    ONE_WAY = "packets pass in one direction only"
    CRASH = "a process dies at the boundary of a write"
    KILL = "a process dies at any time"
    OWNER = "the owner of an active job dies"
    TARGET = "a machine that runs an attempt dies"
    FOR_GOOD = "one of those that die stays dead"
    OLD_DISK = "a machine comes back with an older disk"
    STALLS = "a process halts and goes on later"
    CLOCKS = "calendars are wrong"
    JUMPS = "calendars are set while they run"
    DISK = "disks are slow"
    PAUSES = "loops come late"
    TWINS = "one name is submitted at two machines"
    STOPS = "jobs are stopped"
    CORDONS = "machines are cordoned, and some are opened again"
    DRAINS = "machines are drained"
    BOUNDS = "bounds that no small run reaches are tiny"


class Shape(Enum):
    """Shapes of a split."""

    HALVES = "two sides"
    ALONE = "one machine alone"
    THREE = "three sides"
    BRIDGE = "two sides, and one machine that reaches both"
    RING = "each machine reaches two others"
    NOBODY = "every machine alone"


class Role(Enum):
    """Who is to die: told when it is time, from what the first machine at work knows."""

    OWNER = "owner"
    TARGET = "target"


FOR_GOOD = math.inf
"""How long a machine is down that stays dead."""


@dataclass(frozen=True, slots=True)
class Submit:
    """A client submits this at a machine."""

    at_s: float
    machine: str
    document: dict[str, Any]

    def __str__(self) -> str:
        name = self.document.get("Name", "a job without a name")
        return f"submit {name} at {self.machine}"


@dataclass(frozen=True, slots=True)
class Stop:
    """A client asks for a stop of a job by its name."""

    at_s: float
    machine: str
    job: str

    def __str__(self) -> str:
        return f"stop {self.job} at {self.machine}"


@dataclass(frozen=True, slots=True)
class Split:
    """The network falls apart, for so long."""

    at_s: float
    sides: tuple[tuple[str, ...], ...]
    duration_s: float

    def __str__(self) -> str:
        sides = " | ".join(" ".join(side) for side in self.sides)
        return f"split {sides} for {self.duration_s:.1f} s"


@dataclass(frozen=True, slots=True)
class Cut:
    """Nothing gets from the first machine of each pair to the second, for so long."""

    at_s: float
    ways: tuple[tuple[str, str], ...]
    duration_s: float

    def __str__(self) -> str:
        ways = ", ".join(f"{one} > {other}" for one, other in self.ways)
        return f"cut {ways} for {self.duration_s:.1f} s"


@dataclass(frozen=True, slots=True)
class Crash:
    """A process dies, at the boundary of its n-th write from then on, and starts again later."""

    at_s: float
    machine: str
    boundary: Boundary | None
    """None: at once."""
    writes: int
    down_s: float

    def __str__(self) -> str:
        where = "at once" if self.boundary is None else f"{self.boundary.value} {self.writes}"
        return f"crash {self.machine} {where}, down for {_seconds(self.down_s)}"


@dataclass(frozen=True, slots=True)
class Kill:
    """Who has this part in an active job dies, and starts again later."""

    at_s: float
    role: Role
    down_s: float

    def __str__(self) -> str:
        return f"kill the {self.role.value} of an active job, down for {_seconds(self.down_s)}"


@dataclass(frozen=True, slots=True)
class OldDisk:
    """A process dies, and starts again later from what its disk held so many writes ago."""

    at_s: float
    machine: str
    writes: int
    down_s: float

    def __str__(self) -> str:
        return f"{self.machine} loses its last {self.writes} writes, down for {self.down_s:.1f} s"


@dataclass(frozen=True, slots=True)
class Stall:
    """A process halts where it stands, for so long."""

    at_s: float
    machine: str
    duration_s: float

    def __str__(self) -> str:
        return f"stall {self.machine} for {self.duration_s:.1f} s"


@dataclass(frozen=True, slots=True)
class Jump:
    """A calendar is set forward or back."""

    at_s: float
    machine: str
    ahead_ms: int

    def __str__(self) -> str:
        return f"the calendar of {self.machine} jumps by {self.ahead_ms} ms"


@dataclass(frozen=True, slots=True)
class Intend:
    """An operator says at one machine what is wanted of another, or of itself."""

    at_s: float
    machine: str
    node: str
    """The machine that is meant."""
    intent: str
    """`cordoned`, `draining`, or "" for work as before."""
    deadline_s: int = 0

    def __str__(self) -> str:
        verb = _VERBS.get(self.intent, "open")
        within = f" within {self.deadline_s} s" if self.intent == DRAINING else ""
        return f"{verb} {self.node}{within}, said at {self.machine}"


_VERBS = {CORDONED: "cordon", DRAINING: "drain"}

Action = Submit | Stop | Split | Cut | Crash | Kill | OldDisk | Stall | Jump | Intend


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that was drawn for one run."""

    world: WorldSettings
    safety_s: float
    """How long faults go on; then everything is healed."""
    faults: tuple[Fault, ...]
    actions: tuple[Action, ...]
    max_held_records: int | None = None
    """How many records about unknown births a view holds of one author; None as shipped."""

    def lines(self) -> Iterator[str]:
        """The plan for people, whole."""
        world = self.world
        yield f"seed {world.seed}"
        yield f"machines {' '.join(world.machines)}, faults for {self.safety_s:.0f} s"
        for fault in Fault:
            yield f"{'with' if fault in self.faults else 'without'}: {fault.value}"
        network, drive = world.network, world.drive
        yield f"latency {network.latency_s * 1000:.2f} ms, loss {network.loss * 100:.1f} %"
        yield (
            f"disk {drive.quick_s * 1000:.2f} ms a write, {drive.slow_share * 100:.0f} % of them "
            f"{drive.slow_s * 1000:.0f} ms"
        )
        yield f"late turns {world.pause_share * 100:.2f} %"
        yield f"calendars ahead by {' '.join(map(str, world.wall_errors_ms)) or '0'} ms"
        for action in self.actions:
            yield f"plan {action.at_s:7.2f} s {action}"


def _seconds(duration_s: float) -> str:
    return "good" if duration_s == FOR_GOOD else f"{duration_s:.1f} s"
