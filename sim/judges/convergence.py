"""I1, convergence: at rest all machines hold the same, derive the same, and answer the same."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from mesh.member.commands import GetJob, JobReading
from sim.watcher import Watcher, Wrong
from sim.world import World

ANSWER_S = 10.0
"""A client that waits longer at a world at rest was forgotten."""


class Convergence(Watcher):
    """Compares every machine with the first; with a dead one among them nothing can settle."""

    def at_rest(self, world: World) -> None:
        _same(world, "holds other logs", {m.name: m.running.ledger.context() for m in world.up()})
        digests = {m.name: m.running.facts.view.digest() for m in world.up()}
        _same(world, "derives another view", digests)
        first = world.up()[0]
        for job in list(first.running.facts.view.jobs):
            answers = {m.name: _reading(world, m.name, job) for m in world.up()}
            if len(world.up()) < len(world.machines):
                answers = {name: replace(one, settled=False) for name, one in answers.items()}
            _same(world, f"answers otherwise about {job}", answers)


def _reading(world: World, name: str, job: str) -> Any:
    ask = world.ask(name, GetJob(job, history=True))
    world.wait(ask, ANSWER_S)
    if not isinstance(ask.answer, JobReading):
        raise Wrong("I1", f"{name} answers {ask.answer} about {job}")
    # Why it waits only its owner knows.
    return replace(ask.answer, waiting=None)


def _same(world: World, what: str, by_machine: dict[str, Any]) -> None:
    first, *others = by_machine
    for name in others:
        if by_machine[name] != by_machine[first]:
            where = _differing(by_machine[name], by_machine[first])
            at = f"at rest at {world.now_s:.1f} s"
            raise Wrong("I1", f"{name} {what} than {first}, {at}{where}")


def _differing(one: Any, other: Any) -> str:
    """Names of the fields of two readings that differ."""
    if not isinstance(one, JobReading):
        return ""
    names = [field.name for field in fields(one)]
    return ": " + ", ".join(name for name in names if getattr(one, name) != getattr(other, name))
