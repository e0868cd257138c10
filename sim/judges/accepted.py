"""I5, one accepted result per slot, the same everywhere. I6, it changes only to an earlier one.
I7, what has ended stays ended.

And of I16: an attempt that its machine's death cut off is never begun a second time.
"""

from __future__ import annotations

from collections import Counter

from mesh.member.commands import JobReading
from mesh.member.events import Persist
from scheduler.ids import AttemptId, Dot, JobId, NodeId
from scheduler.instant import Hlc
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, JobState
from scheduler.records import Kind
from sim.judges.oracle import Oracle
from sim.watcher import Watcher, Wrong
from sim.world import Ask, Machine, World


class Accepted(Watcher):
    """Follows each attempt on each machine, and compares accepted results with the oracle's."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._states: dict[str, dict[AttemptId, AttemptState]] = {}
        """What each running member said last of each attempt."""
        self._best: dict[tuple[str, JobId, Dot, int], tuple[Hlc, int, AttemptId]] = {}
        """What each machine accepted last for a slot of a version."""
        self._begun: dict[tuple[AttemptId, NodeId], Dot] = {}
        """Where its machine accepted it."""
        self._forgetful: dict[str, None] = {}
        self.completed: dict[JobId, None] = {}
        """Jobs that ended Completed: a run without any proves nothing."""

    # --- I16 --------------------------------------------------------------------------------------

    def written(self, machine: Machine, persist: Persist) -> None:
        for dot, record in self._oracle.own_records(machine, persist):
            body = record.body
            if record.kind == Kind.ATTEMPT_OBSERVED and body["state"] == AttemptState.ACCEPTED:
                self._begin(machine, body["attempt"], dot)

    def rolled_back(self, machine: Machine) -> None:
        """It cannot know what it had begun or seen, and may begin it again."""
        self._forgetful[machine.name] = None
        self._states.pop(machine.name, None)

    def _begin(self, machine: Machine, attempt: AttemptId, dot: Dot) -> None:
        before = self._begun.setdefault((attempt, machine.node), dot)
        if before != dot and machine.name not in self._forgetful:
            raise Wrong("I16", f"{machine.name} accepted {attempt} twice")

    # --- I7 ---------------------------------------------------------------------------------------

    def started(self, machine: Machine) -> None:
        before = self._states.get(machine.name, {})
        self._states[machine.name] = {}
        for slot in [one for one in self._best if one[0] == machine.name]:
            del self._best[slot]
        view = machine.running.facts.view
        for attempt, state in before.items():
            known = view.attempts.get(attempt)
            durable = state.terminal and attempt in self._oracle.on(machine).ended
            if durable and (known is None or not known.state.terminal):
                raise Wrong("I7", f"{machine.name} started, and {attempt} runs again")

    def changed(self, machine: Machine, jobs: tuple[str, ...]) -> None:
        view, states = machine.running.facts.view, self._states[machine.name]
        for job in jobs:
            for attempt in view.jobs[JobId(job)].attempts.values():
                before = states.get(attempt.id, AttemptState.ASSIGNED)
                fell = attempt.state < before and (before.terminal or attempt.state.terminal)
                if fell or (before.terminal and not attempt.state.terminal):
                    raise Wrong(
                        "I7",
                        f"{attempt.id} was {before.name} at {machine.name}, now "
                        f"{attempt.state.name}",
                    )
                states[attempt.id] = attempt.state
            self._improves(machine, view.jobs[JobId(job)])

    # --- I6 ---------------------------------------------------------------------------------------

    def _improves(self, machine: Machine, job: JobView) -> None:
        for index in job.slots.placed():
            accepted = job.accepted(index)
            assert job.version is not None, "a job with slots has a version"
            key = (machine.name, job.id, job.version.dot, index)
            before = self._best.get(key)
            if accepted is None:
                if before is not None:
                    raise Wrong("I6", f"{machine.name} accepted {before[2]}, and nothing now")
                continue
            now = (accepted.completed_hlc, accepted.term, accepted.id)
            if before is not None and now > before:
                raise Wrong("I6", f"{machine.name} accepted {before[2]}, now the later {now[2]}")
            self._best[key] = now

    # --- I5 ---------------------------------------------------------------------------------------

    def answered(self, machine: Machine, ask: Ask) -> None:
        if isinstance(ask.answer, JobReading):
            accepted = [one for one in ask.answer.attempts if one.accepted]
            slots = Counter((one.version_number, one.index) for one in accepted)
            if any(count > 1 for count in slots.values()):
                raise Wrong("I5", f"{machine.name} answers with two accepted results of one slot")

    def at_rest(self, world: World) -> None:
        for machine in world.up():
            for job in machine.running.facts.view.jobs.values():
                self._check_job(machine, job)

    def _check_job(self, machine: Machine, job: JobView) -> None:
        if job.version is None:
            raise Wrong("I5", f"{machine.name} knows no version of {job.name}")
        if job.state() is JobState.COMPLETED:
            self.completed[job.id] = None
        for index in range(job.version.count):
            accepted = job.accepted(index)
            have = None if accepted is None else accepted.id
            want = self._oracle.first_success(job.version.dot, index)
            if have != want:
                raise Wrong(
                    "I5",
                    f"{machine.name} accepts {have} for slot {index} of {job.name}, "
                    f"the first success on any disk is {want}",
                )
            if have is None and job.state() is JobState.COMPLETED:
                raise Wrong("I5", f"{job.name} is Completed without a result of slot {index}")
