"""I16, work is repeated within bounds. I18, what can run does run, in every part of a split."""

from __future__ import annotations

from collections import Counter

from mesh.member.events import Persist
from scheduler.ids import AttemptId, Dot, JobId
from scheduler.job_view import JobView
from scheduler.jobs import INFRASTRUCTURE_FAILURES, AttemptState, JobState, StopReason
from scheduler.lifecycle import SlotState
from scheduler.records import Kind
from sim.judges.oracle import Oracle
from sim.quiet import Quiet
from sim.watcher import Watcher, Wrong
from sim.world import Machine, World

STABLE_S = 60.0
"""A part that nothing has happened to for so long has got on with all of its work (I18)."""
_INFRASTRUCTURE = {failure.value for failure in INFRASTRUCTURE_FAILURES}
PLACES = 4
"""Attempts of the default size that a machine takes at once."""
QUEUED_S = 5.0
"""A placement, an answer and the next placement take a few round trips."""


class Progress(Watcher):
    """Looks for work that waits beside a machine with room."""

    def __init__(self, quiet: Quiet) -> None:
        self._quiet = quiet
        self._waiting_since_s: dict[tuple[str, JobId], float] = {}

    def looked(self, world: World) -> None:
        since_s: dict[tuple[str, JobId], float] = {}
        if world.now_s - self._quiet.since_s >= STABLE_S:
            for component in world.components():
                for job in _waiting(component):
                    key = (component[0].name, job)
                    since_s[key] = self._waiting_since_s.get(key, world.now_s)
                    if world.now_s - since_s[key] > QUEUED_S:
                        names = " ".join(one.name for one in component)
                        raise Wrong("I18", f"{job} waits among {names}, where there is room")
        self._waiting_since_s = since_s


def _waiting(component: list[Machine]) -> list[JobId]:
    """Jobs with a slot that does not run though a machine has room and takes work, as all of them
    know them."""
    facts = component[0].running.facts
    taking = [one for one in component if not facts.intent_of(one.node)]
    busy = [one.running.compute.running + one.running.compute.queued for one in taking]
    if min(busy, default=PLACES) >= PLACES:
        return []
    return [
        job
        for job in facts.active
        if facts.spec_of(facts.view.jobs[job]) is not None
        and facts.view.jobs[job].placing()
        and facts.view.jobs[job].slots.count(SlotState.OPEN)
        + facts.view.jobs[job].slots.count(SlotState.ASSIGNED)
    ]


class Duplicates(Watcher):
    """Counts attempts that were accepted, and neither sent back nor moved by a drain, by slots."""

    def __init__(self, oracle: Oracle, quiet: Quiet, *, faultless: bool) -> None:
        self._oracle = oracle
        self._quiet = quiet
        self._faultless = faultless
        self._accepted: dict[AttemptId, None] = {}
        self._spent_nothing: dict[AttemptId, None] = {}

    def written(self, machine: Machine, persist: Persist) -> None:
        for _, record in self._oracle.own_records(machine, persist):
            if record.kind != Kind.ATTEMPT_OBSERVED:
                continue
            if record.body["state"] == AttemptState.ACCEPTED:
                self._accepted[record.body["attempt"]] = None
            elif (
                record.body["state"] == AttemptState.REFUSED
                or record.body.get("reason") == StopReason.DRAINED.value
            ):
                self._spent_nothing[record.body["attempt"]] = None

    def begun(self) -> Counter[tuple[JobId, Dot, int]]:
        """(job, version, index) -> attempts of that slot that count against its budget."""
        slots = Counter[tuple[JobId, Dot, int]]()
        for attempt in self._accepted:
            placed = self._oracle.placed.get(attempt)
            if placed is not None and attempt not in self._spent_nothing:
                slots[placed.job, placed.version, placed.index] += 1
        return slots

    def at_rest(self, world: World) -> None:
        view, slots = world.up()[0].running.facts.view, self.begun()
        for (job, version, index), count in slots.items():
            budget = view.jobs[job].versions[version].retry_attempts
            bound = 1 if self._faultless else budget * self._quiet.most_parts
            if count > bound:
                raise Wrong(
                    "I16",
                    f"slot {index} of {view.jobs[job].name} was begun {count} times, in "
                    f"{self._quiet.most_parts} parts with {budget} attempts each",
                )
        for failed in view.jobs.values():
            if failed.state() is JobState.FAILED and failed.expired() is None:
                self._check_failed(failed, slots)

    def _check_failed(self, job: JobView, slots: Counter[tuple[JobId, Dot, int]]) -> None:
        """It failed for a reason: a program's own failure, or a slot that used its retries up."""
        version = job.version
        assert version is not None, "a failed job has a version"
        programs = any(
            one.state is AttemptState.FAILED and one.observation.reason not in _INFRASTRUCTURE
            for one in job.attempts.values()
            if one.version == version.dot
        )
        used = [
            slots[job.id, version.dot, index]
            + sum(one.live and not one.taken for one in job.slot_attempts(version.dot, index))
            for index in range(version.count)
        ]
        if not programs and max(used) < version.retry_attempts:
            raise Wrong(
                "I16", f"{job.name} failed, and no slot of it was tried more than {max(used)} times"
            )
