"""What goes wrong in a run, drawn from its seed: a plan of faults and of work, made beforehand.

Swarm: each run leaves some kinds of fault out and lets the others be mild or harsh, since faults
that always come together hide what each does alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from random import Random
from typing import Any

from sim.disk import Boundary, DriveSettings
from sim.network import NetworkSettings
from sim.world import WorldSettings, script


class Fault(Enum):
    """Kinds of fault that a run may have."""

    LOSS = "packets are lost"
    SPLIT = "the network splits"
    CRASH = "a process dies at the boundary of a write"
    KILL = "a process dies at any time"
    CLOCKS = "calendars are wrong"
    DISK = "disks are slow"
    PAUSES = "loops come late"
    TWINS = "one name is submitted at two machines"
    STOPS = "jobs are stopped"


class Shape(Enum):
    """Shapes of a split."""

    HALVES = "two sides"
    ALONE = "one machine alone"
    THREE = "three sides"
    BRIDGE = "two sides, and one machine that reaches both"
    NOBODY = "every machine alone"


CHANCE = 0.75
"""That a kind of fault is in a run."""
SPLIT_S = (6.0, 30.0)
"""Longer than a host that falls silent stays unnoticed, so that both sides act alone."""
NAMES = "abcdefghijklmnopqrstuvwxyz"


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
        return f"crash {self.machine} {where}, down for {self.down_s:.1f} s"


Action = Submit | Stop | Split | Crash


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that was drawn for one run."""

    world: WorldSettings
    safety_s: float
    """How long faults go on; then everything is healed."""
    faults: tuple[Fault, ...]
    actions: tuple[Action, ...]

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


def draw(
    seed: int,
    *,
    machines: int = 5,
    jobs: int = 14,
    safety_s: float = 60.0,
    require: Collection[Fault] = (),
) -> Plan:
    """The plan of a seed; `require` are kinds of fault that it must have."""
    random = Random(f"{seed}/plan")
    names = tuple(NAMES[:machines])
    faults = tuple(fault for fault in Fault if random.random() < CHANCE or fault in require)
    world = _draw_world(seed, random, names, faults)
    actions: list[Action] = list(_draw_jobs(random, names, jobs, safety_s, faults))
    if Fault.SPLIT in faults and machines > 1:
        actions.append(_draw_split(random, names, safety_s))
    if Fault.CRASH in faults:
        actions += _draw_crash(random, names, safety_s)
    if Fault.KILL in faults:
        at_s = random.uniform(0.1, 0.9) * safety_s
        down_s = random.uniform(0.5, 20.0)
        actions.append(Crash(at_s, random.choice(names), None, 0, down_s))
    actions.sort(key=lambda action: action.at_s)
    return Plan(world, safety_s, faults, tuple(actions))


def _draw_world(
    seed: int, random: Random, names: tuple[str, ...], faults: tuple[Fault, ...]
) -> WorldSettings:
    latency_s = random.choice((0.0003, 0.001, 0.02))
    loss = random.choice((0.005, 0.05, 0.2)) if Fault.LOSS in faults else 0.0
    drive = DriveSettings()
    if Fault.DISK in faults:
        drive = DriveSettings(quick_s=0.004, slow_s=random.choice((0.1, 1.0)), slow_share=0.1)
    errors_ms: tuple[int, ...] = ()
    if Fault.CLOCKS in faults:
        # Within a minute clocks follow each other; beyond it they do not.
        worst_ms = random.choice((500, 25_000, 3_600_000))
        errors_ms = tuple(random.randint(-worst_ms, worst_ms) for _ in names)
    return WorldSettings(
        seed=seed,
        machines=names,
        network=NetworkSettings(latency_s=latency_s, loss=loss),
        drive=drive,
        wall_errors_ms=errors_ms,
        pause_share=random.choice((0.001, 0.01)) if Fault.PAUSES in faults else 0.0,
    )


def _draw_jobs(
    random: Random,
    names: tuple[str, ...],
    jobs: int,
    safety_s: float,
    faults: tuple[Fault, ...],
) -> Iterator[Action]:
    for number in range(1, jobs + 1):
        at_s, machine = random.uniform(0.0, 0.9) * safety_s, random.choice(names)
        name = "" if random.random() < 0.2 else f"job-{number}"
        yield Submit(at_s, machine, _draw_document(random, name))
        if name and Fault.TWINS in faults and random.random() < 0.3:
            later_s = random.choice((0.0, 0.01, 1.0, 5.0))
            document = _draw_document(random, name)
            yield Submit(at_s + later_s, random.choice(names), document)
        if name and Fault.STOPS in faults and random.random() < 0.2:
            later_s = random.uniform(0.0, 8.0)
            yield Stop(at_s + later_s, random.choice(names), name)


def _draw_document(random: Random, name: str) -> dict[str, Any]:
    ends: dict[str, Any] = random.choice(({}, {}, {}, {"ExitCode": 3}, {"Fail": "trap"}))
    duration_ms = random.choice((0, 50, 1000, 5000, 15_000))
    return script(name, duration_ms=duration_ms, count=random.choice((1, 1, 2, 5)), **ends)


def _draw_split(random: Random, names: tuple[str, ...], safety_s: float) -> Split:
    order = list(names)
    random.shuffle(order)
    shape = random.choice(list(Shape))
    cuts = {
        Shape.HALVES: (len(order) // 2,),
        Shape.ALONE: (1,),
        Shape.THREE: (1, 1 + len(order) // 3),
        Shape.BRIDGE: (len(order) // 2,),
        Shape.NOBODY: tuple(range(1, len(order))),
    }[shape]
    edges = (0, *cuts, len(order))
    sides = [order[start:end] for start, end in pairwise(edges)]
    if shape is Shape.BRIDGE:
        sides[0] = [*sides[0], sides[1][0]]
    at_s = random.uniform(0.05, 0.5) * safety_s
    duration_s = random.uniform(*SPLIT_S)
    return Split(at_s, tuple(tuple(side) for side in sides if side), duration_s)


def _draw_crash(random: Random, names: tuple[str, ...], safety_s: float) -> Iterator[Action]:
    """With a job submitted there just then, so that there is something to write."""
    at_s, machine = random.uniform(0.1, 0.9) * safety_s, random.choice(names)
    boundary = random.choice(list(Boundary))
    yield Crash(at_s, machine, boundary, random.randint(1, 4), random.uniform(0.5, 20.0))
    yield Submit(at_s, machine, _draw_document(random, "crashed"))
