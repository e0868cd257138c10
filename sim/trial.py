"""One run of a plan: safety under faults, then everything healed, liveness, and rest.

Nothing may ever be wrong; once healed, every job must end within a bound; at rest all must agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

import scheduler.view
from mesh.member.absence import TAKEOVER_AFTER_S
from mesh.member.member import Member
from scheduler.ids import Digest, NodeId
from scheduler.job_view import JobView
from scheduler.ownership import takeover_wait_s
from sim.actor import Actor
from sim.clock import WALL_START_MS
from sim.faults import Cut, Intend, Plan, Split, Submit
from sim.judges.accepted import Accepted
from sim.judges.convergence import Convergence
from sim.judges.decisions import Placements, Stops, Takeovers
from sim.judges.durability import Durability
from sim.judges.intents import Intents
from sim.judges.joins import Joins
from sim.judges.oracle import Oracle
from sim.judges.ownership import Fences, Owners
from sim.judges.progress import PLACES, Duplicates, Progress
from sim.judges.settled import Settled
from sim.machine import MakeMember
from sim.quiet import Quiet
from sim.sometimes import Sometimes
from sim.trust import issue
from sim.watcher import Watcher, Watchers, Wrong
from sim.world import Machine, World, script

LIVENESS_S = 120.0
"""After the heal every batch job is terminal within this time, and the waits before takeovers
that it may still need (I18)."""
REST_S = 40.0
"""And all hold the same soon after, and know it: comparisons are asked for again after 10 s,
registers are told every 5 s."""
REACH_S = 60.0
"""Everybody reaches everybody again: remembered addresses are tried all the time."""
FILLING_MS = 5000
"""Long enough that a job as large as all machines together needs each of them."""
LOOK_S = 1.0
"""How often judges look at a world in which nothing need have happened."""


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
    splits: int = 0
    sometimes: Counter[str] = field(default_factory=Counter)
    """What was reached, by name."""
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
        self._intents = Intents(self.oracle)
        self._counts = _Counts()
        self._sometimes = Sometimes(self.oracle)
        quiet = Quiet()
        decisions: list[Watcher] = []
        if plan.max_held_records is None:
            # Else a member may lack for a second what its disk holds.
            decisions = [Stops(self.oracle), Placements(self.oracle), Fences(self.oracle)]
        self._watchers = Watchers(
            self.oracle,
            quiet,
            self._counts,
            self._durability,
            self._accepted,
            *decisions,
            Takeovers(self.oracle),
            Owners(quiet),
            Progress(quiet),
            Duplicates(self.oracle, quiet, faultless=not plan.faults),
            self._intents,
            Settled(self.oracle),
            Convergence(),
            Joins(),
            self._sometimes,
        )
        self.world = World(plan.world, self._watchers, make_member)
        self.actor = Actor(self.world, plan)

    def watch(self, watcher: Watcher) -> None:
        """One more looks on, behind the judges."""
        self._watchers.add(watcher)

    def run(self) -> Verdict:
        """To the end, or to the first thing that is wrong."""
        try:
            with _bounds(self.plan):
                self._under_faults()
                self._healed()
                self._opened()
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
        self.world.start()
        self._look()
        self.world.advance(self.plan.safety_s)

    def _look(self) -> None:
        self._watchers.looked(self.world)
        self.world.clock.after(LOOK_S, self._look)

    def _healed(self) -> None:
        self.world.calm(dead=self.actor.dead)
        self._wait_for_all()

    def _wait_for_all(self) -> None:
        if not self._until(self._liveness_s, lambda: not self._unended()):
            raise _Stuck(f"{self._liveness_s():.0f} s after the heal {self._unended()}")

    def _opened(self) -> None:
        """What operators wanted is taken back: every machine does its part again."""
        if not any(isinstance(action, Intend) for action in self.actor.done):
            return
        if not self._until(lambda: REACH_S, lambda: not self._apart()):
            raise _Stuck(f"{REACH_S:.0f} s after all had ended {self._apart()}")
        machines = self.world.up()
        for machine in machines:
            self.actor.act(Intend(self.world.now_s, machines[0].name, machine.name, ""))
        filling = script("filling", duration_ms=FILLING_MS, count=PLACES * len(machines))
        self.actor.act(Submit(self.world.now_s, machines[0].name, filling))
        self._wait_for_all()
        (job,) = [
            job for job in machines[0].running.facts.view.jobs.values() if job.name == "filling"
        ]
        used = {attempt.node for attempt in job.attempts.values() if attempt.taken}
        for machine in machines:
            if machine.node not in used:
                raise Wrong("I21", f"{machine.name} was opened, and got no part of a large job")

    def _liveness_s(self) -> float:
        """With the longest wait before a takeover of those that an active job may need."""
        terms = [
            facts.view.jobs[job].owner
            for facts in (machine.running.facts for machine in self.world.up())
            for job in facts.active
        ]
        term = max((owner[0] for owner in terms if owner is not None), default=1)
        return LIVENESS_S + takeover_wait_s(TAKEOVER_AFTER_S, term)

    def _at_rest(self) -> None:
        rested = self._until(lambda: REST_S, lambda: not self._unrested())
        self.world.watcher.at_rest(self.world)
        if not rested:
            raise _Stuck(f"{REST_S:.0f} s after the last job {self._unrested()}")

    def _until(self, limit_s: Callable[[], float], is_done: Callable[[], bool]) -> bool:
        began_s = self.world.now_s
        while not is_done():
            if self.world.now_s >= began_s + limit_s():
                return False
            self.world.advance(LOOK_S)
        return True

    def _unended(self) -> str:
        """A sentence about the first client or job that still waits; "" when none does."""
        for ask in self.actor.asks:
            if not ask.done:
                return f"{ask.machine} has not answered {type(ask.command).__name__}"
        kept = self._durability.kept(self.world)
        up = {machine.node for machine in self.world.up()}
        for machine in self.world.up():
            jobs = machine.running.facts.view.jobs
            for acknowledged in kept:
                if acknowledged not in jobs:
                    return f"{machine.name} does not know {acknowledged}"
            for job in jobs.values():
                if job.version is not None and not self._is_kept(job.version.spec):
                    continue  # What it wants died with the one machine that knew.
                if not job.state().terminal and not (
                    _hangs_on_the_dead(job, up) or self._waits_by_intent(job)
                ):
                    return f"{job.name} is {job.state().value} at {machine.name}"
                if any(attempt.node in up for attempt in job.live_attempts()):
                    return f"an attempt of {job.name} still runs for all that {machine.name} knows"
        return ""

    def _waits_by_intent(self, job: JobView) -> bool:
        """Its owner says that it waits because every machine is cordoned or drained, and so it
        is."""
        for machine in self.world.up():
            if job.owner is not None and job.owner[1] == machine.node:
                waiting = machine.running.orchestrate.waiting(job.id)
                told = () if waiting is None else waiting.verdicts
                refused = {one.node: one.refusal.value for one in told if one.refusal is not None}
                return self._intents.waits_for_all(machine, refused, self.world)
        return False

    def _is_kept(self, blob: Digest) -> bool:
        return self._durability.is_blob_kept(self.world, blob)

    def _unrested(self) -> str:
        """A sentence about the first machine that lacks something yet; "" when all know all."""
        machines = self.world.up()
        if apart := self._apart():
            return apart
        everybody = len(machines) == len(self.world.machines)
        for machine in machines:
            member = machine.running
            if any(self._is_kept(spec) for spec in member.facts.missing_specs):
                return f"{machine.name} lacks a spec"
            for job in member.facts.view.jobs.values() if everybody else ():
                # One that goes on has lost its spec, else it would be unended.
                if job.state().terminal and not member.seen.is_settled(job.id):
                    return f"{job.name} is not settled at {machine.name}"
        return ""

    def _apart(self) -> str:
        """A sentence about the first machine that does not reach all who are up, or holds other
        logs than they do; else ""."""
        machines = self.world.up()
        context = machines[0].running.ledger.context()
        for machine in machines:
            readings = [machine.running.facts.readings.get(one.node) for one in machines]
            if not all(one is not None and one.reachable and one.engines for one in readings):
                return f"{machine.name} does not reach everybody"
            if machine.running.ledger.context() != context:
                return f"{machine.name} and {machines[0].name} hold other logs"
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
            splits=sum(isinstance(action, Split | Cut) for action in self.actor.done),
            sometimes=self._sometimes.counts(self.actor.done),
        )


def _hangs_on_the_dead(job: JobView, up: set[NodeId]) -> bool:
    """What it still waits for runs on a machine that may never come back, and may not be tried
    again: such a job ends by its timeout, or by whoever stops it."""
    live = list(job.live_attempts())
    return bool(live) and not job.open_count() and all(one.node not in up for one in live)


@contextmanager
def _bounds(plan: Plan) -> Iterator[None]:
    """Make bounds tiny that only large meshes reach, while this run goes on."""
    shipped = scheduler.view.MAX_HELD_RECORDS
    scheduler.view.MAX_HELD_RECORDS = plan.max_held_records or shipped
    try:
        yield
    finally:
        scheduler.view.MAX_HELD_RECORDS = shipped
