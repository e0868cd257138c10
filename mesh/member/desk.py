"""What a member answers at its doors: every command of `commands`, one function each.

Commands that write are answered when what they wrote is on disk; readings when what they read is.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import Any

from mesh.member.commands import (
    Command,
    ExplainJob,
    Explanation,
    GetJob,
    JobReading,
    JobsPage,
    ListJobs,
    ListNodes,
    Problem,
    Reply,
    StopJob,
    StopTaken,
    SubmitJob,
    Submitted,
)
from mesh.member.facts import Facts
from mesh.member.orchestrate import Orchestrate
from mesh.member.readings import read_job
from mesh.member.seen import Seen
from scheduler.constraints import matches
from scheduler.decide import verdicts
from scheduler.errors import SpecError
from scheduler.ids import Digest, JobId, blob_digest, keyed_job_id, named_job_id, random_job_id
from scheduler.instant import Instant
from scheduler.job_view import JobView
from scheduler.jobs import FOLD_VERSION, Constraint, JobSpec, JobState
from scheduler.ownership import FIRST_TERM, ORCHESTRATE
from scheduler.records import Kind
from scheduler.spec import encode_spec, parse_job_untrusted

MAX_PUSHED_BYTES = (1 << 20) - 1024
"""A spec and the modules it names, pushed with the birth: 1 MiB, less what frames them."""
SUBMIT_ROLES = ("submit", ORCHESTRATE)
FULL_ID_LENGTH = 38
"""`j-` and a UUID: a shorter text is a prefix."""
MAX_REASON = 1000
"""Characters of a stop's reason that are kept: a text in a record is 4 KiB at most."""
MAX_KEY = 255
"""Characters of an idempotency key or a submitter's name, as of a job's name."""
ORDERS = ("created_at", "modified_at", "id")


class Desk:
    """Answers commands; what a submission brought to keep waits in `blobs` for the next flush."""

    def __init__(self, facts: Facts, orchestrate: Orchestrate, seen: Seen) -> None:
        self._facts = facts
        self._seen = seen
        self._orchestrate = orchestrate
        self.blobs: list[tuple[Digest, bytes]] = []

    def take_blobs(self) -> list[tuple[Digest, bytes]]:
        """Specs and modules to persist and push with what was just written."""
        taken, self.blobs = self.blobs, []
        return taken

    def answer(self, command: Command, now: Instant) -> Reply:
        """The answer, to be given out when everything written so far is on disk."""
        match command:
            case SubmitJob():
                return self._submit(command, now)
            case StopJob():
                return self._stop(command, now)
            case GetJob():
                return self._get(command)
            case ListJobs():
                return self._list(command)
            case ExplainJob():
                return self._explain(command)
            case ListNodes():
                raise AssertionError("the member answers this one: it knows the links")

    # --- submit -----------------------------------------------------------------------------------

    def _submit(self, command: SubmitJob, now: Instant) -> Reply:
        if not any(role in self._facts.own.roles for role in SUBMIT_ROLES):
            return Problem(
                "Forbidden",
                "this node's certificate does not let it take jobs; submit at another node",
                status=403,
            )
        if max(len(command.key), len(command.submitter), len(command.namespace)) > MAX_KEY:
            return _bad(f"an idempotency key or a namespace is over {MAX_KEY} characters")
        try:
            spec = parse_job_untrusted(command.document)
        except SpecError as error:
            return Problem("ValidationError", str(error), component="APIServer")
        if command.namespace and spec.namespace == "default":
            spec = replace(spec, namespace=command.namespace)
        spec = replace(spec, meta={**spec.meta, **command.meta})
        data = encode_spec(spec)
        if len(data) + sum(map(len, command.blobs)) > MAX_PUSHED_BYTES:
            return Problem(
                "ValidationError",
                "the spec and what it carries inline are over 1 MiB; send large inputs as blobs",
                component="APIServer",
            )
        job = self._job_id(spec, command)
        known = self._facts.view.jobs.get(job)
        if known is not None:
            return _met_again(known, spec, command, data)
        self._write_birth(job, spec, command, data, now)
        return Submitted(job)

    def _job_id(self, spec: JobSpec, command: SubmitJob) -> JobId:
        if spec.name:
            return named_job_id(spec.namespace, spec.name)
        if command.key:
            return keyed_job_id(spec.namespace, command.submitter, command.key)
        return random_job_id(self._facts.random)

    def _write_birth(
        self, job: JobId, spec: JobSpec, command: SubmitJob, data: bytes, now: Instant
    ) -> None:
        digest = self._facts.add_blob(data)
        self.blobs += [(digest, data), *((blob_digest(blob), blob) for blob in command.blobs)]
        created = {
            "job": job,
            "namespace": spec.namespace,
            "name": spec.name,
            "submitter": command.submitter,
            "key": command.key or None,
            "spec": digest,
            "fold": FOLD_VERSION,
        }
        birth = self._facts.write(Kind.JOB_CREATED, created, now)
        version = {
            "job": job,
            "birth": birth,
            "number": 1,
            "type": spec.type.value,
            "count": spec.count,
            "priority": spec.priority,
            "spec": digest,
            "seen_stops": (),
            "retry_attempts": spec.retry_attempts,
            "retry_program": int(spec.retry_program),
            "execution_timeout_s": spec.task.timeouts.execution_s,
            "queue_timeout_s": spec.task.timeouts.queue_s,
            "total_timeout_s": spec.task.timeouts.total_s,
            "disconnect": spec.disconnect,
        }
        self._facts.write(Kind.VERSION_ADDED, version, now, cause=birth)
        if ORCHESTRATE in self._facts.own.roles:
            claim = {"job": job, "birth": birth, "term": FIRST_TERM}
            self._facts.write(Kind.OWNER_CLAIMED, claim, now, cause=birth)

    # --- stop -------------------------------------------------------------------------------------

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
        """A job by its name, its id, or a prefix that no other job's id has."""
        view = self._facts.view
        named = view.job_by_name(namespace or "default", text)
        if named is not None:
            return named
        if text in view.jobs:
            return view.jobs[JobId(text)]
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
        return Problem(
            "NotFound",
            f"job not found: {text}",
            hint="`bacalhau-mesh job list` shows the jobs that this node has heard of.",
            status=404,
        )

    def _get(self, command: GetJob) -> Reply:
        job = self.find(command.job, command.namespace)
        if isinstance(job, Problem):
            return job
        return self._read(job, attempts=command.attempts, history=command.history)

    def _read(self, job: JobView, *, attempts: bool = False, history: bool = False) -> JobReading:
        waiting = self._orchestrate.waiting(job.id)
        return read_job(
            self._facts,
            job,
            waiting,
            settled=self._seen.is_settled(job.id),
            attempts=attempts,
            history=history,
        )

    def _list(self, command: ListJobs) -> Reply:
        start, order_by, reverse, limit = 0, command.order_by, command.reverse, command.limit
        if order_by not in ORDERS:
            return _bad(f"order_by {order_by!r} is not one of {', '.join(ORDERS)}")
        if limit < 0:
            return _bad("limit is negative")
        if command.next_token:
            resumed = _read_token_untrusted(command.next_token)
            if resumed is None:
                return _bad("next_token is not one that a list gave out")
            start, order_by, reverse, limit = resumed
        constraints = [Constraint(*one) for one in command.labels]
        jobs = [
            job
            for job in self._facts.view.jobs.values()
            if command.namespace in ("", "*", job.namespace) and self._has_labels(job, constraints)
        ]
        jobs.sort(key=lambda job: _ORDER_KEYS[order_by](job), reverse=reverse)
        end = start + limit if limit else len(jobs)
        token = _write_token(end, order_by, reverse, limit) if end < len(jobs) else ""
        return JobsPage(tuple(self._read(job) for job in jobs[start:end]), token)

    def _has_labels(self, job: JobView, constraints: list[Constraint]) -> bool:
        spec = self._facts.spec_of(job)
        labels = {} if spec is None else spec.labels
        return all(matches(one, labels) for one in constraints)

    def _explain(self, command: ExplainJob) -> Reply:
        job = self.find(command.job, command.namespace)
        if isinstance(job, Problem):
            return job
        spec = self._facts.spec_of(job)
        answers = () if spec is None else verdicts(job, spec, self._facts.index)
        names = {node: self._facts.name_of(node) for node in sorted(self._facts.readings)}
        return Explanation(self._read(job, attempts=True), answers, names)


def _met_again(known: JobView, spec: JobSpec, command: SubmitJob, data: bytes) -> Reply:
    """The id is taken: the same submission once more, or another one under its name or key."""
    births = [birth.body for birth in known.births.values()]
    digest = blob_digest(data)
    if command.key and any(body.get("key") == command.key for body in births):
        if any(body["spec"] == digest for body in births):
            return Submitted(known.id, created=False)
        return Problem(
            "ResourceInUse",
            "this idempotency key was used with another job",
            hint="Use a new key for a new job.",
            status=409,
        )
    return Problem(
        "ResourceInUse",
        f"a job named {spec.name} is in namespace {spec.namespace} already: {known.id}",
        hint="Choose another name: updating a job in place is not there yet.",
        status=409,
    )


def _bad(message: str) -> Problem:
    return Problem("BadRequest", message, component="APIServer")


_ORDER_KEYS: dict[str, Any] = {
    "created_at": lambda job: (job.created_hlc, job.id),
    "modified_at": lambda job: (job.modified_hlc, job.id),
    "id": lambda job: job.id,
}


def _write_token(start: int, order_by: str, reverse: bool, limit: int) -> str:
    text = f"{order_by}:{'Y' if reverse else 'N'}:{limit}:{start}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token_untrusted(token: str) -> tuple[int, str, bool, int] | None:
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        order_by, reverse, limit, start = text.split(":")
        numbers = int(start), int(limit)
    except (ValueError, binascii.Error):
        return None
    if order_by not in ORDERS or reverse not in ("Y", "N") or min(numbers) < 0:
        return None
    return numbers[0], order_by, reverse == "Y", numbers[1]
