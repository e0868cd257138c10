"""The shipping member under loss, a split and a crash at the boundary of a write, seed by seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mesh.member.member import Member
from sim.drawing import draw
from sim.faults import Fault, Intend, Plan, Submit
from sim.trial import Outcome, Trial
from sim.world import World, WorldSettings, script

ROOT = Path(__file__).parents[2]
REQUIRED = (Fault.LOSS, Fault.SPLIT, Fault.CRASH)


def _plan(seed: int) -> Plan:
    return draw(seed, require=REQUIRED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_nothing_wrong_is_seen_and_everything_ends(seed: int) -> None:
    verdict = Trial(_plan(seed)).run()
    told = f"{verdict.sentence}; see it: python -m sim run --seed {seed} " + " ".join(
        f"--with {fault.name.lower()}" for fault in REQUIRED
    )
    assert verdict.outcome is Outcome.RIGHT, told
    assert verdict.crashes >= 1
    assert verdict.completed >= 1


def _trace(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sim", "run", "--seed", str(seed), "--minutes", "0.5"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


@pytest.mark.slow
def test_one_seed_is_one_history_in_any_process() -> None:
    one, other = _trace(11, "1"), _trace(11, "2")
    assert one.splitlines()[-1].startswith("trace ")
    assert one == other
    assert one != _trace(12, "1")


def test_a_run_without_a_completed_job_is_void() -> None:
    plan = draw(1, jobs=0, safety_s=5.0)
    quiet = Plan(plan.world, plan.safety_s, (), ())
    verdict = Trial(quiet).run()
    assert verdict.outcome is Outcome.VOID
    assert verdict.outcome.value == 5


def test_a_core_that_raises_is_told_apart() -> None:
    class Raising(Member):
        def end_tick(self, now):
            if now.monotonic_s > 1010:
                raise KeyError("a bug")
            return super().end_tick(now)

    verdict = Trial(_plan(1), Raising).run()
    assert verdict.outcome is Outcome.CRASHED
    assert isinstance(verdict.error, KeyError)


@pytest.mark.slow
def test_what_never_ends_is_stuck() -> None:
    class Deaf(Member):
        """Its attempts never end."""

        def handle(self, event, now):
            return [] if type(event).__name__ == "AttemptReported" else super().handle(event, now)

    verdict = Trial(draw(1, machines=1, jobs=2, safety_s=5.0), Deaf).run()
    assert verdict.outcome is Outcome.STUCK
    assert "after the heal" in verdict.sentence


def test_work_waits_while_every_machine_is_closed_and_goes_on_when_they_are_opened() -> None:
    names = ("a", "b", "c")
    closed = [Intend(1.0, "a", name, "cordoned") for name in names]
    submission = Submit(2.0, "b", script("one", duration_ms=50, count=3))
    trial = Trial(Plan(WorldSettings(1, names), 5.0, (Fault.CORDONS,), (*closed, submission)))
    trial.world.clock.at(6.5, lambda: seen.append(_states(trial)))
    seen: list[set[str]] = []
    verdict = trial.run()
    assert verdict.outcome is Outcome.RIGHT, verdict.sentence
    assert seen == [{"Queued"}]
    assert _states(trial) == {"Completed"}


def _states(trial: Trial) -> set[str]:
    """Of the job "one", at each machine."""
    views = [machine.running.facts.view for machine in trial.world.up()]
    return {job.state().value for view in views for job in view.jobs.values() if job.name == "one"}


def test_work_that_waits_for_no_reason_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """One machine is cordoned, the other is not, and nobody places anything."""
    monkeypatch.setattr("mesh.member.orchestrate.Orchestrate.consider", lambda *_: False)
    history = (Intend(1.0, "a", "b", "cordoned"), Submit(2.0, "a", script("one", duration_ms=5)))
    verdict = Trial(Plan(WorldSettings(1, ("a", "b")), 5.0, (Fault.CORDONS,), history)).run()
    assert verdict.outcome in (Outcome.STUCK, Outcome.WRONG)


def test_a_split_that_never_heals_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    heal = World.calm

    def half_heal(world: World) -> None:
        heal(world)
        world.split([world.settings.machines[:1], world.settings.machines[1:]])

    monkeypatch.setattr(World, "calm", half_heal)
    assert Trial(draw(2, machines=2, jobs=2, safety_s=5.0)).run().outcome is not Outcome.RIGHT
