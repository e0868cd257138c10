"""I20, of `settled`: who says so is right that every member holds it, and it changes no more."""

from __future__ import annotations

from scheduler.ids import AttemptId, JobId
from scheduler.job_view import JobView
from scheduler.jobs import JobState
from sim.judges.oracle import Oracle
from sim.watcher import Watcher, Wrong
from sim.world import Machine, World

Answer = tuple[int, JobState, tuple[AttemptId | None, ...]]
"""The number of the winning version, the state, and the accepted result of each slot."""


class Settled(Watcher):
    """Remembers each answer that was called settled, and looks at every disk when it first was."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._machines: dict[str, None] = {}
        """All that ever started: what a machine that never was cannot hold, nobody waits for."""
        self._rolled_back: dict[str, None] = {}
        self.answers: dict[JobId, tuple[Answer, str]] = {}
        """What was called settled, and by whom first."""

    def started(self, machine: Machine) -> None:
        self._machines[machine.name] = None

    def rolled_back(self, machine: Machine) -> None:
        self._rolled_back[machine.name] = None

    def changed(self, machine: Machine, jobs: tuple[str, ...]) -> None:
        for job_id in map(JobId, jobs):
            job = machine.running.facts.view.jobs[job_id]
            if not machine.running.seen.is_settled(job_id) or machine.name in self._rolled_back:
                continue  # Whose disk is older than its life may know nobody any more.
            answer, told = _answer(job), self.answers.get(job_id)
            if told is None or answer[0] > told[0][0]:
                self.answers[job_id] = (answer, machine.name)
                self._check_disks(machine, job)

    def at_rest(self, world: World) -> None:
        for machine in world.up():
            for job_id, (answer, teller) in self.answers.items():
                job = machine.running.facts.view.jobs.get(job_id)
                now = None if job is None else _answer(job)
                rerun = now is not None and now[0] > answer[0]
                # One that an older disk made forget the end may have taken a stop.
                late = now is not None and now[1] is JobState.STOPPED and self._rolled_back
                if now != answer and not rerun and not late:
                    told = "nothing" if now is None else now[1].value
                    raise Wrong(
                        "I20",
                        f"{teller} called {answer[1].value} of {job_id} settled, "
                        f"{machine.name} says {told} or another result",
                    )

    def _check_disks(self, machine: Machine, job: JobView) -> None:
        for name in self._machines:
            held = self._oracle.held[name]
            lacks = [
                index
                for index in job.slots.placed()
                if (accepted := job.accepted(index)) is not None
                and (accepted.id, accepted.node) not in held.succeeded
            ]
            if name not in self._rolled_back and lacks:
                raise Wrong(
                    "I20",
                    f"{machine.name} calls {job.name} settled, {name} lacks the result of slot "
                    f"{lacks[0]}",
                )


def _answer(job: JobView) -> Answer:
    accepted = [job.accepted(index) for index in job.slots.placed()]
    number = 0 if job.version is None else job.version.number
    return number, job.state(), tuple(None if one is None else one.id for one in accepted)
