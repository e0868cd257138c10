"""A plan drawn from a seed: the faults of one run and the work that it has to survive.

Swarm: each run leaves some kinds of fault out and lets the others be mild or harsh, since faults
that always come together hide what each does alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise
from random import Random
from typing import Any

from scheduler.intents import CORDONED, DRAINING
from sim.disk import Boundary, DriveSettings
from sim.faults import (
    FOR_GOOD,
    Action,
    Crash,
    Cut,
    Fault,
    Intend,
    Jump,
    Kill,
    OldDisk,
    Plan,
    Role,
    Shape,
    Split,
    Stall,
    Stop,
    Submit,
)
from sim.network import NetworkSettings
from sim.world import WorldSettings, script

USUAL = frozenset({Fault.LOSS, Fault.SPLIT, Fault.CRASH, Fault.TWINS, Fault.STOPS})
USUAL_CHANCE, RARE_CHANCE = 0.7, 0.3
"""That a kind of fault is in a run: six or seven of them together in most."""
SPLIT_S = (6.0, 30.0)
"""Longer than a host that falls silent stays unnoticed, so that both sides act alone."""
LASTING_SPLIT_S, LASTING_SHARE = 75.0, 0.1
"""Of splits, those that last so long that every side must have got on with all of its work."""
FLAP_S = (0.2, 4.0)
STALL_S = (1.0, 15.0)
JUMPS_MS = (-3_600_000, -30_000, -2_000, 2_000, 30_000, 3_600_000)
TINY_HELD_RECORDS = 2
DRAINED_WITHIN_S = (0, 2, 10)
"""Less than the longest jobs take, so that some of them are moved."""
OPENED_SHARE, OPENED_AFTER_S = 0.6, (0.05, 3.0, 20.0)
"""Where the first word has come just now, or long ago."""
OTHER_WORD_SHARE = 0.25
"""Of cordons and drains, those where somebody says the other one at the same moment, so that two
words of one number meet."""
EVERYBODY_SHARE = 0.15
"""Of cordons and drains, those of every machine: all work waits, and says for what."""
FOR_GOOD_CHANCE = 0.5
NAMES = "abcdefghijklmnopqrstuvwxyz"


def draw(
    seed: int,
    *,
    machines: int = 5,
    jobs: int = 14,
    safety_s: float = 60.0,
    require: Collection[Fault] = (),
    only: Collection[Fault] = tuple(Fault),
) -> Plan:
    """The plan of a seed; `require` are faults that it must have, `only` those that it may have."""
    random = Random(f"{seed}/plan")
    names = tuple(NAMES[:machines])
    faults = tuple(
        fault for fault in Fault if (_drawn(random, fault) and fault in only) or fault in require
    )
    world = _draw_world(seed, random, names, faults)
    actions: list[Action] = list(_draw_jobs(random, names, jobs, safety_s, faults))
    network = list(_draw_network(random, names, safety_s, faults)) if machines > 1 else []
    actions += network
    actions += _draw_deaths(random, names, safety_s, faults)
    actions += _draw_clocks(random, names, safety_s, faults)
    actions += _draw_intents(random, names, safety_s, faults)
    actions.sort(key=lambda action: action.at_s)
    ends_s = [one.at_s + one.duration_s for one in network if one.duration_s == LASTING_SPLIT_S]
    return Plan(
        world,
        max([safety_s, *ends_s]),
        faults,
        tuple(actions),
        max_held_records=TINY_HELD_RECORDS if Fault.BOUNDS in faults else None,
    )


def swarm(seed: int) -> Plan:
    """The plan of a seed in a suite of many: of any size, always with a split or a death."""
    random = Random(f"{seed}/swarm")
    return draw(
        seed,
        machines=random.choice((3, 4, 5, 5, 5)),
        jobs=random.choice((12, 16, 20)),
        safety_s=random.choice((30.0, 45.0, 60.0)),
        require=(Fault.SPLIT if random.random() < 0.5 else Fault.CRASH,),
    )


def _drawn(random: Random, fault: Fault) -> bool:
    return random.random() < (USUAL_CHANCE if fault in USUAL else RARE_CHANCE)


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
    ends: dict[str, Any] = random.choice((*[{}] * 8, {"ExitCode": 3}, {"Fail": "trap"}))
    duration_ms = random.choice((0, 50, 1000, 5000, 15_000))
    return script(name, duration_ms=duration_ms, count=random.choice((1, 1, 2, 5)), **ends)


def _draw_network(
    random: Random, names: tuple[str, ...], safety_s: float, faults: tuple[Fault, ...]
) -> Iterator[Split | Cut]:
    if Fault.SPLIT in faults:
        lasts = random.random() < LASTING_SHARE
        duration_s = LASTING_SPLIT_S if lasts else random.uniform(*SPLIT_S)
        yield Split(random.uniform(0.05, 0.5) * safety_s, _draw_sides(random, names), duration_s)
    if Fault.FLAPS in faults:
        at_s, sides = random.uniform(0.05, 0.8) * safety_s, _draw_sides(random, names)
        for _ in range(random.randint(2, 6)):
            if at_s >= safety_s:
                break
            duration_s = random.uniform(*FLAP_S)
            yield Split(at_s, sides, duration_s)
            at_s += duration_s + random.uniform(*FLAP_S)
    if Fault.ONE_WAY in faults:
        deaf = random.choice(names)
        others = [one for one in names if one != deaf]
        ways = [(one, deaf) for one in others]
        if random.random() < 0.5:
            ways = [(other, one) for one, other in ways]
        kept = random.randint(1, len(ways))
        at_s = random.uniform(0.05, 0.8) * safety_s
        yield Cut(at_s, tuple(ways[:kept]), random.uniform(*SPLIT_S))


def _draw_sides(random: Random, names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    order = list(names)
    random.shuffle(order)
    shape = random.choice(list(Shape))
    if shape is Shape.RING:
        return tuple(pairwise([*order, order[0]]))
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
    return tuple(tuple(side) for side in sides if side)


def _draw_deaths(
    random: Random, names: tuple[str, ...], safety_s: float, faults: tuple[Fault, ...]
) -> Iterator[Action]:
    """At most one of those that die stays dead."""
    left = [FOR_GOOD] if Fault.FOR_GOOD in faults and len(names) > 2 else []

    def down_s() -> float:
        return left.pop() if left and random.random() < FOR_GOOD_CHANCE else random.uniform(0.5, 20)

    def at_s() -> float:
        return random.uniform(0.1, 0.9) * safety_s

    if Fault.CRASH in faults:
        # With a job submitted there just then, so that there is something to write.
        crash = Crash(
            at_s(),
            random.choice(names),
            random.choice(list(Boundary)),
            random.randint(1, 4),
            down_s(),
        )
        yield crash
        yield Submit(crash.at_s, crash.machine, _draw_document(random, "crashed"))
    if Fault.KILL in faults:
        yield Crash(at_s(), random.choice(names), None, 0, down_s())
    if Fault.OWNER in faults:
        yield Kill(at_s(), Role.OWNER, down_s())
    if Fault.TARGET in faults:
        yield Kill(at_s(), Role.TARGET, down_s())
    if Fault.OLD_DISK in faults:
        yield OldDisk(at_s(), random.choice(names), random.randint(1, 12), random.uniform(0.5, 20))


def _draw_clocks(
    random: Random, names: tuple[str, ...], safety_s: float, faults: tuple[Fault, ...]
) -> Iterator[Action]:
    if Fault.STALLS in faults:
        at_s = random.uniform(0.1, 0.8) * safety_s
        yield Stall(at_s, random.choice(names), random.uniform(*STALL_S))
    if Fault.JUMPS in faults:
        for _ in range(random.randint(1, 3)):
            at_s = random.uniform(0.0, 0.9) * safety_s
            yield Jump(at_s, random.choice(names), random.choice(JUMPS_MS))


def _draw_intents(
    random: Random, names: tuple[str, ...], safety_s: float, faults: tuple[Fault, ...]
) -> Iterator[Intend]:
    """Each said wherever an operator happens to be, across splits too."""
    for fault, intent in ((Fault.CORDONS, CORDONED), (Fault.DRAINS, DRAINING)):
        if fault not in faults:
            continue
        everybody = random.random() < EVERYBODY_SHARE
        meant = names if everybody else random.sample(names, random.randint(1, min(3, len(names))))
        for node in meant:
            at_s = random.uniform(0.05, 0.8) * safety_s
            deadline_s = random.choice(DRAINED_WITHIN_S) if intent == DRAINING else 0
            yield Intend(at_s, random.choice(names), node, intent, deadline_s)
            if random.random() < OTHER_WORD_SHARE:
                other = DRAINING if intent == CORDONED else CORDONED
                yield Intend(at_s, random.choice(names), node, other, 0)
            if random.random() < OPENED_SHARE:
                later_s = random.choice(OPENED_AFTER_S)
                yield Intend(at_s + later_s, random.choice(names), node, "")
