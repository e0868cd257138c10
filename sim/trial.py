"""One run of a plan: safety under faults, then everything healed, liveness, and rest.

Nothing may ever be wrong; once healed, every job must end within a bound; at rest all must agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from mesh.member.member import Member
from sim.clock import WALL_START_MS
from sim.faults import Action, Crash, Plan, Split, Stop, Submit
from sim.judges.accepted import Accepted
from sim.judges.convergence import Convergence
from sim.judges.durability import Durability
from sim.judges.oracle import Oracle
from sim.machine import MakeMember
from sim.trust import issue
from sim.watcher import Watcher, Watchers, Wrong
from sim.world import Ask, Machine, World

LIVENESS_S = 120.0
"""After the heal every batch job is terminal within this time (I18)."""
REST_S = 30.0
"""And all hold the same soon after: comparisons are asked for again after 10 s."""
LOOK_S = 0.5
"""How often it is looked whether all is done."""


class Outcome(Enum):
    """How a run ended; the value is the exit code of the command."""

    RIGHT = 0
    WRONG = 1
    STUCK = 3
    CRASHED = 4
    VOID = 5
    """No job completed: the run proves nothing."""


@dataclass(slots=True)
class Verdict:
    """What a run has shown."""

    outcome: Outcome
    sentence: str
    trace: str
    simulated_s: float
    events: int
    jobs: int = 0
    completed: int = 0
    crashes: int = 0
    error: BaseException | None = None


@dataclass(slots=True)
class _Counts(Watcher):
    crashes: int = 0

    def crashed(self, machine: Machine, why: str) -> None:
        self.crashes += 1


class _Stuck(Exception):
    """Something has not ended in time; the sentence says what."""


class Trial:
    """A world under its plan, with all judges looking on."""

    def __init__(self, plan: Plan, make_member: MakeMember = Member) -> None:
        self.plan = plan
        names = plan.world.machines
        self.oracle = Oracle(issue(name, not_before_ms=WALL_START_MS) for name in names)
        self._durability = Durability(self.oracle)
        self._accepted = Accepted(self.oracle)
        self._counts = _Counts()
        self._watchers = Watchers(
            self.oracle, self._counts, self._durability, self._accepted, Convergence()
        )
        self.world = World(plan.world, self._watchers, make_member)
        self.asks: list[Ask] = []

    def watch(self, watcher: Watcher) -> None:
        """One more looks on, behind the judges."""
        self._watchers.add(watcher)

    def run(self) -> Verdict:
        """To the end, or to the first thing that is wrong."""
        try:
            self._under_faults()
            self._healed()
            self._at_rest()
        except Wrong as error:
            return self._verdict(Outcome.WRONG, str(error))
        except _Stuck as error:
            return self._verdict(Outcome.STUCK, str(error))
        except OSError:
            # No core does any I/O: whoever reads the story has gone.
            raise
        except Exception as error:
            sentence = f"a core raised {type(error).__name__}: {error}"
            verdict = self._verdict(Outcome.CRASHED, sentence)
            verdict.error = error
            return verdict
        if not self._accepted.completed:
            return self._verdict(Outcome.VOID, "no job completed: the run proves nothing")
        return self._verdict(Outcome.RIGHT, "nothing wrong was seen, and everything ended")

    def _under_faults(self) -> None:
        world = self.world
        for action in self.plan.actions:
            self._schedule(action)
        world.start()
        world.advance(self.plan.safety_s)

    def _schedule(self, action: Action) -> None:
        self.world.clock.at(action.at_s, lambda: self._act(action))

    def _act(self, action: Action) -> None:
        world = self.world
        match action:
            case Submit(machine=machine, document=document):
                self.asks.append(world.submit(machine, document))
            case Stop(machine=machine, job=job):
                self.asks.append(world.stop(machine, job))
            case Split(sides=sides, duration_s=duration_s):
                world.split(sides)
                world.clock.after(duration_s, world.heal)
            case Crash(machine=name, boundary=boundary, writes=writes):
                if boundary is not None:
                    world.machines[name].drive.arm(boundary, writes)
                elif world.machines[name].up:
                    world.crash(name)
                self._restart_later(action)

    def _restart_later(self, crash: Crash) -> None:
        def restart() -> None:
            if not self.world.machines[crash.machine].up:
                self.world.restart(crash.machine)

        self.world.clock.after(crash.down_s, restart)

    def _healed(self) -> None:
        self.world.calm()
        if not self._until(LIVENESS_S, self._all_ended):
            raise _Stuck(f"{LIVENESS_S:.0f} s after the heal {self._unended()}")

    def _at_rest(self) -> None:
        rested = self._until(REST_S, lambda: not self._unrested())
        self.world.watcher.at_rest(self.world)
        if not rested:
            raise _Stuck(f"{REST_S:.0f} s after the last job {self._unrested()}")

    def _until(self, limit_s: float, is_done: Callable[[], bool]) -> bool:
        until_s = self.world.now_s + limit_s
        while not is_done():
            if self.world.now_s >= until_s:
                return False
            self.world.advance(LOOK_S)
        return True

    def _all_ended(self) -> bool:
        return not self._unended()

    def _unended(self) -> str:
        """A sentence about the first client or job that still waits; "" when none does."""
        for ask in self.asks:
            if not ask.done:
                return f"{ask.machine} has not answered {type(ask.command).__name__}"
        for machine in self.world.up():
            jobs = machine.running.facts.view.jobs
            for acknowledged in self._durability.acknowledged:
                if acknowledged not in jobs:
                    return f"{machine.name} does not know {acknowledged}"
            for job in jobs.values():
                if not job.state().terminal:
                    return f"{job.name} is {job.state().value} at {machine.name}"
                if any(job.live_attempts()):
                    return f"an attempt of {job.name} still runs for all that {machine.name} knows"
        return ""

    def _unrested(self) -> str:
        """A sentence about the first machine that lacks something yet; "" when all know all."""
        machines = self.world.up()
        context = machines[0].running.ledger.context()
        for machine in machines:
            member = machine.running
            readings = [member.facts.readings.get(other.node) for other in machines]
            if not all(one is not None and one.reachable and one.name for one in readings):
                return f"{machine.name} does not reach everybody"
            if member.ledger.context() != context:
                return f"{machine.name} and {machines[0].name} hold other logs"
            if member.facts.missing_specs:
                return f"{machine.name} lacks a spec"
        return ""

    def _verdict(self, outcome: Outcome, sentence: str) -> Verdict:
        return Verdict(
            outcome=outcome,
            sentence=sentence,
            trace=self.world.trace.digest(),
            simulated_s=self.world.now_s,
            events=self.world.trace.events,
            jobs=len(self._durability.acknowledged),
            completed=len(self._accepted.completed),
            crashes=self._counts.crashes,
        )
