"""What a member answers at its doors: every command of `commands`, one function each.

Commands that write are answered when what they wrote is on disk; readings when what they read is.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from itertools import islice

from mesh.member.commands import (
    Command,
    DescribeNode,
    DiffJob,
    ExplainJob,
    Explanation,
    GetJob,
    JobReading,
    JobsPage,
    JobVersions,
    ListJobs,
    ListNodes,
    ListVersions,
    Problem,
    Reply,
    RerunJob,
    SetIntent,
    StopJob,
    StopTaken,
    Story,
    SubmitJob,
    TellStory,
)
from mesh.member.facts import Facts
from mesh.member.intent import set_intent
from mesh.member.nodework import node_work
from mesh.member.orchestrate import Orchestrate
from mesh.member.paging import ORDERS, Paging, read_token_untrusted
from mesh.member.readings import read_job
from mesh.member.seen import Seen
from mesh.member.story import story_of
from mesh.member.submissions import MAX_REASON, Submissions, no_version
from scheduler.constraints import matches
from scheduler.decide import verdicts, why_waiting
from scheduler.ids import Digest, JobId
from scheduler.instant import Instant
from scheduler.job_view import JobView
from scheduler.jobs import Constraint, JobState, Waiting
from scheduler.ranking import bytes_there
from scheduler.records import Kind
from scheduler.versions import VersionView

NEAR_NAMES = 500
"""Of the newest jobs, so many names are compared with one that is not known: some milliseconds."""
FOREIGN_WAITS_MAX = 20
"""Of one list: each asks every node, 2 ms with 100 of them; the others show their state alone."""
FULL_ID_LENGTH = 38
"""`j-` and a UUID: a shorter text is a prefix."""


class Desk:
    """Answers commands; what a submission brought to keep waits for the next flush."""

    def __init__(self, facts: Facts, orchestrate: Orchestrate, seen: Seen) -> None:
        self._facts = facts
        self._seen = seen
        self._orchestrate = orchestrate
        self._submissions = Submissions(facts)
        self._looked = 0
        """Jobs of other owners that this answer has asked every node about."""

    def take_blobs(self) -> list[tuple[Digest, bytes]]:
        """Specs and modules to persist and push with what was just written."""
        taken, self._submissions.blobs = self._submissions.blobs, []
        return taken

    def answer(self, command: Command, now: Instant) -> Reply:
        """The answer, to be given out when everything written so far is on disk."""
        self._looked = 0
        match command:
            case SubmitJob():
                return self._submissions.submit(command, now)
            case DiffJob():
                return self._submissions.diff(command)
            case RerunJob():
                return self._rerun(command, now)
            case StopJob():
                return self._stop(command, now)
            case GetJob():
                return self._get(command)
            case ListVersions():
                return self._versions(command)
            case ListJobs():
                return self._list(command)
            case DescribeNode(node):
                return node_work(self._facts, node)
            case SetIntent():
                return set_intent(self._facts, command, now)
            case TellStory():
                return self._tell(command)
            case ExplainJob():
                return self._explain(command)
            case ListNodes():
                raise AssertionError("the member answers this one: it knows the links")

    # --- rerun and stop ---------------------------------------------------------------------------

    def _rerun(self, command: RerunJob, now: Instant) -> Reply:
        job = self.find(command.job, command.namespace)
        if isinstance(job, Problem):
            return job
        return self._submissions.rerun(job, command, now)

    def _stop(self, command: StopJob, now: Instant) -> Reply:
        job = self.find(command.job, command.namespace)
        if isinstance(job, Problem):
            return job
        state = job.state()
        if state is JobState.STOPPED:
            return StopTaken(job.id, already=True)
        if state.terminal:
            return Problem(
                "ConflictJobState",
                f"cannot stop job in state {state.value}",
                hint="It has ended; nothing of it runs any more.",
                status=409,
            )
        body = {"job": job.id, "birth": job.birth, "reason": command.reason[:MAX_REASON]}
        self._facts.write(Kind.STOP_REQUESTED, body, now)
        return StopTaken(job.id)

    # --- readings ---------------------------------------------------------------------------------

    def find(self, text: str, namespace: str) -> JobView | Problem:
        """A job by its id, its name (which cannot be another's id), or a prefix that no other job's
        id has."""
        view = self._facts.view
        known = view.jobs.get(JobId(text)) or view.job_by_name(namespace or "default", text)
        if known is not None:
            return known
        prefix = text if text.startswith("j-") else f"j-{text}"
        found = [job for job in view.jobs if job.startswith(prefix)] if len(text) > 2 else []
        if len(found) == 1 and len(text) < FULL_ID_LENGTH:
            return view.jobs[found[0]]
        if len(found) > 1:
            return Problem(
                "MultipleJobsFound",
                f"{len(found)} jobs have an id that starts with {text}",
                hint="Give more of the id.",
                status=409,
            )
        recent = islice(reversed(view.jobs.values()), NEAR_NAMES)
        near = difflib.get_close_matches(
            text, [one.name for one in recent if one.name != one.id], 1
        )
        meant = f"Did you mean {near[0]}? " if near else ""
        return Problem(
            "NotFound",
            f"job not found: {text}",
            hint=f"{meant}`bacalhau-mesh job list` shows the jobs that this node has heard of.",
            status=404,
        )

    def read(self, job: JobView) -> JobReading:
        """The winning version of a job, without its attempts."""
        return self._read(job, job.version)

    def _get(self, command: GetJob) -> Reply:
        job = self.find(command.job, command.namespace)
        if isinstance(job, Problem):
            return job
        version = job.version
        if command.version_number:
            version = job.version_numbered(command.version_number)
            if version is None:
                return no_version(job, command.version_number)
        reading = self._read(
            job,
            version,
            attempts=command.attempts,
            history=command.history,
            all_versions=command.all_versions and not command.version_number,
        )
        if reading.waiting is None:
            return reading
        # For one job alone: a list of all that wait would sort the queue for each of them.
        position = self._orchestrate.queue_position(job.id) or 0
        return replace(reading, waiting=replace(reading.waiting, position=position))

    def _versions(self, command: ListVersions) -> Reply:
        job = self.find(command.job, command.namespace)
        if isinstance(job, Problem):
            return job
        return JobVersions(tuple(self._read(job, one) for one in job.versions_in_order()))

    def _read(
        self,
        job: JobView,
        version: VersionView | None,
        *,
        attempts: bool = False,
        history: bool = False,
        all_versions: bool = False,
    ) -> JobReading:
        return read_job(
            self._facts,
            job,
            version,
            self._waiting(job),
            settled=self._seen.is_settled(job.id),
            attempts=attempts,
            history=history,
            all_versions=all_versions,
        )

    def _waiting(self, job: JobView) -> Waiting | None:
        """Why slots stay unplaced: its owner knows; of another's job, what is seen from here."""
        spec, owner = self._facts.spec_of(job), job.owner
        ours = owner is not None and owner[1] == self._facts.node
        if ours or owner is None or spec is None or self._looked >= FOREIGN_WAITS_MAX:
            return self._orchestrate.waiting(job.id)
        if job.state() is not JobState.QUEUED:
            return None
        self._looked += 1
        return why_waiting(job, spec, self._facts.index)

    def _list(self, command: ListJobs) -> Reply:
        if command.order_by not in ORDERS:
            return _bad(f"order_by {command.order_by!r} is not one of {', '.join(ORDERS)}")
        if command.limit < 0:
            return _bad("limit is negative")
        paging: Paging | None = Paging(command.order_by, command.reverse, command.limit)
        if command.next_token:
            paging = read_token_untrusted(command.next_token)
        if paging is None:
            return _bad("next_token is not one that a list gave out")
        constraints = [Constraint(*one) for one in command.labels]
        page, token = paging.cut(
            job
            for job in paging.in_order(self._facts.view)
            if command.namespace in ("", "*", job.namespace) and self._has_labels(job, constraints)
        )
        return JobsPage(tuple(self._read(job, job.version) for job in page), token)

    def _has_labels(self, job: JobView, constraints: list[Constraint]) -> bool:
        spec = self._facts.spec_of(job)
        labels = {} if spec is None else spec.labels
        return all(matches(one, labels) for one in constraints)

    def _tell(self, command: TellStory) -> Reply:
        job = self.find(command.job, command.namespace)
        if isinstance(job, Problem):
            return job
        return Story(self._read(job, job.version), story_of(self._facts, job))

    def _explain(self, command: ExplainJob) -> Reply:
        job = self.find(command.job, command.namespace)
        if isinstance(job, Problem):
            return job
        spec = self._facts.spec_of(job)
        answers = () if spec is None else verdicts(job, spec, self._facts.index)
        names = {node: self._facts.name_of(node) for node in sorted(self._facts.readings)}
        there = {} if spec is None else bytes_there(spec, self._facts.readings.values())
        return Explanation(self._read(job, job.version, attempts=True), answers, names, there)


def _bad(message: str) -> Problem:
    return Problem("BadRequest", message, component="APIServer")
