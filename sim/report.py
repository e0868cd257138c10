"""What people read of a simulated run: one line per state change, then the verdict.

With `sim.__main__` the part of the simulator that talks to people.
"""

from __future__ import annotations

from collections.abc import Callable

from mesh.member.commands import Problem, StopTaken, Submitted
from mesh.member.events import Persist
from scheduler.ids import JobId, NodeId
from scheduler.jobs import AttemptState, JobState
from scheduler.records import Kind, Record
from sim.faults import Plan
from sim.judges.oracle import Oracle
from sim.trial import Verdict
from sim.watcher import Watcher
from sim.world import Ask, Machine, World


def say(line: str) -> None:
    """To standard output."""
    print(line)


class Report(Watcher):
    """Tells each change when it is on the disk of whose change it is."""

    def __init__(self, plan: Plan, oracle: Oracle, write: Callable[[str], None] = say) -> None:
        self._oracle = oracle
        self._write = write
        self._names: dict[JobId, str] = {}
        self._nodes: dict[NodeId, str] = {}
        self._ended: dict[JobId, JobState] = {}
        for line in plan.lines():
            write(line)

    def started(self, machine: Machine) -> None:
        self._nodes[machine.node] = machine.name
        self._line(machine, f"starts, boot {machine.starts}")

    def crashed(self, machine: Machine, why: str) -> None:
        self._line(machine, f"dies {why}")

    def noted(self, world: World, what: str) -> None:
        self._write(f"{world.now_s:9.3f}  -  {what}")

    def answered(self, machine: Machine, ask: Ask) -> None:
        match ask.answer:
            case Submitted(job):
                self._line(machine, f"acknowledges {self._name(job)}")
            case StopTaken(job):
                self._line(machine, f"takes the stop of {self._name(job)}")
            case Problem(code, message):
                self._line(machine, f"answers {code}: {message}")

    def written(self, machine: Machine, persist: Persist) -> None:
        for envelope in persist.envelopes:
            if envelope.author == machine.node:
                for _, record in self._oracle.records(envelope):
                    self._tell(machine, record)

    def changed(self, machine: Machine, jobs: tuple[str, ...]) -> None:
        for job in jobs:
            state = machine.running.facts.view.jobs[JobId(job)].state()
            if state.terminal and self._ended.get(JobId(job)) is not state:
                self._ended[JobId(job)] = state
                self._line(machine, f"sees {self._name(JobId(job))} {state.value}")

    def _tell(self, machine: Machine, record: Record) -> None:
        body = record.body
        if record.kind == Kind.JOB_CREATED:
            self._names[body["job"]] = body["name"] or body["job"][:10]
        elif record.kind == Kind.ATTEMPT_PLACED:
            where = self._nodes.get(body["node"], body["node"])
            slot = f"{self._name(body['job'])}[{body['index']}]"
            self._line(machine, f"places {slot} on {where} as {body['attempt'][:10]}")
        elif record.kind == Kind.ATTEMPT_OBSERVED:
            state, reason = AttemptState(body["state"]).name.lower(), body.get("reason")
            why = f" ({reason})" if reason else ""
            slot = f"{body['attempt'][:10]} of {self._name(body['job'])}"
            self._line(machine, f"{slot} {state}{why}")
        elif record.kind == Kind.ATTEMPT_STOP_REQUESTED:
            self._line(machine, f"wants {body['attempt'][:10]} stopped ({body['reason']})")

    def _line(self, machine: Machine, what: str) -> None:
        self._write(f"{machine.world_clock.now_s:9.3f}  {machine.name}  {what}")

    def _name(self, job: JobId) -> str:
        return self._names.get(job, job[:10])


def verdict_lines(seed: int, verdict: Verdict) -> list[str]:
    """How the run ended, for people."""
    return [
        f"{verdict.outcome.name}: {verdict.sentence} (seed {seed})",
        f"{verdict.jobs} jobs acknowledged, {verdict.completed} completed, "
        f"{verdict.crashes} crashes, {verdict.events} events in {verdict.simulated_s:.0f} "
        "simulated s",
        f"trace {verdict.trace}",
    ]
