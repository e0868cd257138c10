"""What seeds have found once, told again in small worlds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import scheduler.view
from mesh.member.commands import JobReading
from mesh.member.member import Member
from scheduler.jobs import AttemptState, JobState
from scheduler.records import Kind
from sim.drawing import swarm
from sim.faults import Crash, Fault, Plan, Submit
from sim.trial import Outcome, Trial
from sim.watcher import Watcher
from sim.world import World, WorldSettings, script


def _world(make_member: Any = Member) -> World:
    world = World(WorldSettings(1, ("a", "b", "c")), Watcher(), make_member)
    world.start()
    world.advance(2.0)
    return world


def _read(world: World, name: str, job: str) -> JobReading:
    ask = world.read(name, job)
    world.wait(ask, 5.0)
    assert isinstance(ask.answer, JobReading)
    return ask.answer


def _restart_alone(world: World, name: str) -> None:
    world.crash(name)
    world.split([[name], [one for one in world.machines if one != name]])
    world.restart(name)


def test_a_machine_that_starts_alone_goes_on_with_what_it_knows() -> None:
    """It had heard of nobody since its start, and so took nobody for gone."""
    world = _world()
    world.wait(world.submit("b", script("one", duration_ms=3000, count=3)), 5.0)
    world.advance(1.0)
    _restart_alone(world, "a")
    world.advance(20.0)
    reading = _read(world, "a", "one")
    assert reading.state is JobState.COMPLETED
    assert reading.owner == world.machines["a"].node


def test_a_machine_that_starts_alone_settles_nothing() -> None:
    """It counted only members that it had heard of since its start."""
    world = _world()
    _restart_alone(world, "a")
    world.wait(world.submit("a", script("one", duration_ms=10)), 5.0)
    world.advance(30.0)
    assert _read(world, "a", "one").state is JobState.COMPLETED
    assert not _read(world, "a", "one").settled
    world.heal()
    world.advance(30.0)
    assert _read(world, "a", "one").settled


def test_a_start_folds_again_what_its_first_fold_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs on the disk stand in the order they came in; births may come last."""

    def births_last(*, restored: Any, trust: Any, **others: Any) -> Member:
        def born_here(one: Any) -> bool:
            return bool(one.author == world.machines["b"].node)

        envelopes = tuple(sorted(restored.envelopes, key=born_here))
        return Member(restored=replace(restored, envelopes=envelopes), trust=trust, **others)

    world = _world(births_last)
    world.wait(world.submit("b", script("one", duration_ms=10, count=3)), 5.0)
    world.advance(5.0)
    before = world.machines["a"].running.facts.view.digest()
    world.crash("a")
    monkeypatch.setattr(scheduler.view, "MAX_HELD_RECORDS", 0)
    world.restart("a")
    assert world.machines["a"].running.facts.view.dropped == 0
    assert world.machines["a"].running.facts.view.digest() == before


def test_what_is_folded_again_after_everybody_has_confirmed_it_settles_too() -> None:
    world = _world()
    world.wait(world.submit("b", script("one", duration_ms=10)), 5.0)
    world.advance(20.0)
    facts = world.machines["a"].running.facts
    world.machines["a"].running.seen._settled.clear()
    facts.refold()
    world.advance(10.0)
    assert _read(world, "a", "one").settled


def test_an_attempt_that_an_old_disk_forgot_stops_when_its_end_comes_back() -> None:
    """Its end was known to all, its core ran on beside a view that called it ended."""
    world = World(WorldSettings(1, ("a",)), Watcher())
    world.start()
    world.wait(world.submit("a", script("one", duration_ms=60_000)), 5.0)
    world.advance(1.0)
    member = world.machines["a"].running
    (attempt,) = member.facts.view.attempts.values()
    assert attempt.id in member.compute._cores
    ended: dict[str, Any] = {"job": attempt.job, "attempt": attempt.id}
    ended |= {"birth": member.facts.view.jobs[attempt.job].birth}
    ended |= {"state": int(AttemptState.CANCELLED)}
    member.facts.write(Kind.ATTEMPT_OBSERVED, ended, world.machines["a"].clock.now())
    _read(world, "a", "one")
    world.advance(5.0)
    assert attempt.id not in member.compute._cores


def test_a_job_whose_spec_died_with_its_machine_is_no_failure_of_the_others() -> None:
    history = (
        Submit(1.0, "b", script("first", duration_ms=50)),
        Crash(2.0, "a", None, 0, float("inf")),
        Submit(3.0, "c", script("second", duration_ms=50)),
    )
    plan = Plan(WorldSettings(1, ("a", "b", "c")), 10.0, (Fault.FOR_GOOD,), history)
    trial = Trial(plan)
    verdict = trial.run()
    assert verdict.outcome is Outcome.RIGHT, verdict.sentence
    assert [one.name for one in trial.world.up()] == ["b", "c"]


def test_a_job_whose_spec_an_old_disk_has_lost_is_not_waited_for_at_rest() -> None:
    """It waits for ever, on every machine, and so can never be settled."""
    verdict = Trial(swarm(1875)).run()
    assert verdict.outcome is Outcome.RIGHT, verdict.sentence
