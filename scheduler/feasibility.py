"""May this node run this job now? Checks in a table, each nothing or a named refusal.

Checks that only the node's owner can change come before those that pass by themselves, so that a
job nobody could ever run is told so, and not to wait for capacity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scheduler.capacity import CapacityIndex, Load
from scheduler.constraints import matches, show_constraint
from scheduler.intents import CORDONED, DRAINING
from scheduler.jobs import (
    TARGET_QUEUE_SLOTS,
    DataEntry,
    JobSpec,
    NodeReading,
    Refusal,
    Resources,
    Verdict,
)
from scheduler.resources import show_bytes, show_cpu

COMPUTE = "compute"
_EVERYWHERE_PUBLISHERS = frozenset({"", "local", "mesh", "noop"})
"""Results of these stay in the mesh: a node needs nothing set up for them."""


class Asked(NamedTuple):
    """What a check looks at."""

    spec: JobSpec
    reading: NodeReading
    load: Load
    refused: str
    """Why this node refused this job before, if that still holds; else empty."""


class Check(NamedTuple):
    """One check: the sentence of its no, or "" for yes. `lasting` ones do not pass by waiting."""

    refusal: Refusal
    lasting: bool
    problem: Callable[[Asked], str]


def verdict(
    spec: JobSpec, reading: NodeReading, index: CapacityIndex, *, refused: str = ""
) -> Verdict:
    """What this node would answer now; its score is left to `ranking`."""
    return verdict_under(spec, reading, index.load(reading.node), refused=refused)


def verdict_under(spec: JobSpec, reading: NodeReading, load: Load, *, refused: str = "") -> Verdict:
    """The same under a load that a decision has partly reserved itself."""
    asked = Asked(spec, reading, load, refused)
    for check in CHECKS:
        problem = check.problem(asked)
        if problem:
            return Verdict(reading.node, check.refusal, problem)
    return Verdict(reading.node, None)


def room_under(spec: JobSpec, reading: NodeReading, load: Load) -> Verdict:
    """The one check that a decision's own reservations can turn: is there room for one more?"""
    problem = _capacity(Asked(spec, reading, load, ""))
    return Verdict(reading.node, Refusal.CAPACITY if problem else None, problem)


def could_ever(spec: JobSpec, reading: NodeReading) -> bool:
    """Whether waiting could help: no lasting check says no."""
    asked = Asked(spec, reading, Load(), "")
    return not any(check.lasting and check.problem(asked) for check in CHECKS)


def deepest_entry(reading: NodeReading, path: str) -> DataEntry | None:
    """What a node offers that is this path or holds it; of several the deepest."""
    holding = [entry for entry in reading.data if _holds(entry.path, path)]
    return max(holding, key=lambda entry: len(entry.path), default=None)


def local_paths(spec: JobSpec) -> list[str]:
    """Host paths that the job reads where they lie."""
    sources = [one.source for one in spec.task.inputs]
    return [str(one.params["SourcePath"]) for one in sources if one.type == "local"]


def _holds(offered: str, path: str) -> bool:
    root = offered.rstrip("/")
    return path.rstrip("/") == root or path.startswith(root + "/")


def _role(asked: Asked) -> str:
    return "" if COMPUTE in asked.reading.roles else "it does not run jobs (no role compute)"


def _engine(asked: Asked) -> str:
    engine = asked.spec.task.engine.type
    return "" if engine in asked.reading.engines else f"it has no engine {engine}"


def _sources(asked: Asked) -> str:
    for one in asked.spec.task.inputs:
        if one.source.type not in asked.reading.sources:
            return f"it cannot fetch inputs of type {one.source.type}"
    return ""


def _publisher(asked: Asked) -> str:
    publisher = asked.spec.task.publisher
    if publisher is None or publisher.type in _EVERYWHERE_PUBLISHERS:
        return ""
    known = publisher.type in asked.reading.publishers
    return "" if known else f"it cannot publish to {publisher.type}"


def _constraints(asked: Asked) -> str:
    for one in asked.spec.constraints:
        if not one.soft and not matches(one, asked.reading.labels):
            have = asked.reading.labels.get(one.key)
            label = "it has no such label" if have is None else f"its label {one.key} is {have}"
            return f"{show_constraint(one)} is required, {label}"
    return ""


def _too_large(asked: Asked) -> str:
    capacity = asked.reading.capacity
    return _shortage(asked.spec.task.resources, capacity, "it has {} in all")


def _inputs(asked: Asked) -> str:
    for path in local_paths(asked.spec):
        if deepest_entry(asked.reading, path) is None:
            return f"it does not offer {path}"
    return ""


def _writable(asked: Asked) -> str:
    for one in asked.spec.task.inputs:
        if one.source.type == "local" and one.source.params.get("ReadWrite"):
            path = str(one.source.params["SourcePath"])
            if not any(_holds(root, path) for root in asked.reading.writable):
                return f"it does not let jobs write to {path}"
    return ""


def _reachable(asked: Asked) -> str:
    return "" if asked.reading.reachable else "it is not reachable from here"


def _cordoned(asked: Asked) -> str:
    return "by its operator" if asked.reading.intent == CORDONED else ""


def _draining(asked: Asked) -> str:
    return "by its operator" if asked.reading.intent == DRAINING else ""


def _refused_before(asked: Asked) -> str:
    return asked.refused


def _capacity(asked: Asked) -> str:
    capacity, wanted = asked.reading.capacity, asked.spec.task.resources
    free = asked.load.free(capacity)
    if wanted.fits(free) or asked.load.queued(capacity) < TARGET_QUEUE_SLOTS:
        return ""
    free = Resources(*(max(amount, 0) for amount in free))
    return (
        _shortage(wanted, free, "{} is free") + f", and its queue of {TARGET_QUEUE_SLOTS} is full"
    )


def _shortage(wanted: Resources, have: Resources, told: str) -> str:
    shown = (
        ("CPU", show_cpu, wanted.cpu_milli, have.cpu_milli),
        ("memory", show_bytes, wanted.memory_bytes, have.memory_bytes),
        ("disk", show_bytes, wanted.disk_bytes, have.disk_bytes),
        ("GPU", str, wanted.gpu, have.gpu),
    )
    for name, show, want, has in shown:
        if want > has:
            return f"{show(want)} {name} is wanted, {told.format(show(has))}"
    return ""


CHECKS = (
    Check(Refusal.NOT_COMPUTE, True, _role),
    Check(Refusal.ENGINE_MISSING, True, _engine),
    Check(Refusal.STORAGE_MISSING, True, _sources),
    Check(Refusal.PUBLISHER_MISSING, True, _publisher),
    Check(Refusal.CONSTRAINT, True, _constraints),
    Check(Refusal.TOO_LARGE, True, _too_large),
    Check(Refusal.INPUT_MISSING, True, _inputs),
    Check(Refusal.POLICY, True, _writable),
    Check(Refusal.UNREACHABLE, False, _reachable),
    Check(Refusal.CORDONED, False, _cordoned),
    Check(Refusal.DRAINING, False, _draining),
    Check(Refusal.REFUSED_BEFORE, False, _refused_before),
    Check(Refusal.CAPACITY, False, _capacity),
)
