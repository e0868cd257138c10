"""Jobs taken in: the birth of a new one, a new version of one that is there, and what would change.

One name made again is an update of that job: the next version, with everything that stopped an
earlier one seen. One submission sent twice under an idempotency key is one job, or one version.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mesh.member.commands import (
    DiffJob,
    JobDiff,
    Problem,
    Reply,
    Reran,
    RerunJob,
    SubmitJob,
    Submitted,
)
from mesh.member.facts import Facts
from scheduler.errors import SpecError
from scheduler.ids import Digest, Dot, JobId, blob_digest, keyed_job_id, named_job_id, random_job_id
from scheduler.instant import Instant
from scheduler.job_view import JobView
from scheduler.jobs import FOLD_VERSION, JobSpec, JobState
from scheduler.ownership import FIRST_TERM, ORCHESTRATE
from scheduler.records import Kind
from scheduler.spec import encode_spec, job_document, parse_and_encode_untrusted
from scheduler.spec_changes import spec_changes
from scheduler.spec_checks import not_offered

MAX_PUSHED_BYTES = (1 << 20) - 1024
"""A spec and the modules it names, pushed with the birth: 1 MiB, less what frames them."""
SUBMIT_ROLES = ("submit", ORCHESTRATE)
MAX_KEY = 255
"""Characters of an idempotency key or a submitter's name, as of a job's name."""
MAX_REASON = 1000
"""Characters of a reason that are kept: a text in a record is 4 KiB at most."""
RERUN = "job rerun"
"""Bacalhau's reason of a version that was asked for again."""


class Submissions:
    """Writes births and versions; what they brought to keep waits in `blobs` for the flush."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.blobs: list[tuple[Digest, bytes]] = []

    # --- submit -----------------------------------------------------------------------------------

    def submit(self, command: SubmitJob, now: Instant) -> Reply:
        """A new job, the next version of a named one, or the same submission once more."""
        if not self._may_submit():
            return _FORBIDDEN
        if max(len(command.key), len(command.submitter), len(command.namespace)) > MAX_KEY:
            return _invalid(f"an idempotency key or a namespace is over {MAX_KEY} characters")
        parsed = _parsed_untrusted(command.document, command.namespace, command.parsed)
        if isinstance(parsed, Problem):
            return parsed
        spec, data = parsed
        if len(data) + sum(map(len, command.blobs)) > MAX_PUSHED_BYTES:
            return _invalid(
                "the spec and what it carries inline are over 1 MiB; send large inputs as blobs"
            )
        job = self._job_id(spec, command)
        known = self._facts.view.jobs.get(job)
        if known is not None:
            met = self._met_again(known, spec, command)
            if met is not None:
                return met
        digest = blob_digest(data)
        if digest not in self._facts.specs:  # else it was pushed with the job that brought it
            self._facts.add_spec(digest, spec)
            self.blobs.append((digest, data))
        brought = [(blob_digest(blob), blob) for blob in command.blobs]
        self.blobs += [one for one in brought if not self._facts.is_everywhere(one[0])]
        if known is not None:
            number = self._write_version(known, spec, digest, now, key=command.key)
            return Submitted(job, version_number=number)
        self._write_birth(job, spec, command, digest, now)
        return Submitted(job)

    def _may_submit(self) -> bool:
        return any(role in self._facts.own.roles for role in SUBMIT_ROLES)

    def _job_id(self, spec: JobSpec, command: SubmitJob) -> JobId:
        if spec.name:
            return named_job_id(spec.namespace, spec.name)
        if command.key:
            return keyed_job_id(spec.namespace, command.submitter, command.key)
        return random_job_id(self._facts.random)

    def _met_again(self, known: JobView, spec: JobSpec, command: SubmitJob) -> Reply | None:
        """The answer where nothing is to be written: sent twice, key used up, or unchanged."""
        for number, digest in self._under_key(known, command.key):
            if self._facts.specs.get(digest, spec) == spec:
                return Submitted(known.id, created=False, version_number=number)
            return Problem(
                "ResourceInUse",
                "this idempotency key was used with another job",
                hint="Use a new key for a new job.",
                status=409,
            )
        if self._facts.spec_of(known) == spec and not command.force:
            return Problem(
                "ResourceInUse",
                f"no changes detected for new job spec. Job Name: {known.name!r}, "
                f"Job Id: '{known.id}'",
                hint="Use --force, or `job rerun`, to run it again as it is.",
                status=409,
            )
        return None

    def _under_key(self, known: JobView, key: str) -> list[tuple[int, Digest]]:
        """Versions, by number and spec, that this idempotency key has made."""
        if not key:
            return []
        born = [one.body for one in known.births.values() if one.body.get("key") == key]
        records = (self._facts.ledger.record(dot) for dot in sorted(known.versions))
        added = [one.body for one in records if one is not None and one.body.get("key") == key]
        return [(1, body["spec"]) for body in born] + [
            (body["number"], body["spec"]) for body in added
        ]

    def _write_birth(
        self, job: JobId, spec: JobSpec, command: SubmitJob, digest: Digest, now: Instant
    ) -> None:
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
        version = {"job": job, "birth": birth, "number": 1, "seen_stops": ()}
        self._facts.write(
            Kind.VERSION_ADDED, version | _version_body(spec, digest), now, cause=birth
        )
        if ORCHESTRATE in self._facts.own.roles:
            claim = {"job": job, "birth": birth, "term": FIRST_TERM}
            self._facts.write(Kind.OWNER_CLAIMED, claim, now, cause=birth)

    def _write_version(
        self,
        job: JobView,
        spec: JobSpec,
        digest: Digest,
        now: Instant,
        *,
        key: str = "",
        reason: str = "",
    ) -> int:
        """The next version; it has seen every stop that is known here (P8)."""
        number = 1 + max((one.number for one in job.versions.values()), default=0)
        version: dict[str, Any] = {
            "job": job.id,
            "birth": job.birth,
            "number": number,
            "seen_stops": tuple(sorted(job.stops)),
            "reason": reason or None,
            "key": key or None,
        }
        replaced: Dot = job.birth if job.version is None else job.version.dot
        self._facts.write(
            Kind.VERSION_ADDED, version | _version_body(spec, digest), now, cause=replaced
        )
        return number

    # --- rerun and diff ---------------------------------------------------------------------------

    def rerun(self, job: JobView, command: RerunJob, now: Instant) -> Reply:
        """The next version, with the spec of the one named (the latest for 0)."""
        if not self._may_submit():
            return _FORBIDDEN
        if job.state() in (JobState.PENDING, JobState.QUEUED):
            return Problem(
                "ConflictJobState",
                f"cannot rerun job in state {job.state().value}",
                hint="It has not begun yet; wait for it, or stop it first.",
                status=409,
            )
        version = job.version_numbered(command.version_number)
        if version is None:
            return no_version(job, command.version_number)
        spec = self._facts.specs.get(version.spec)
        if spec is None:
            return Problem(
                "ServiceUnavailable",
                f"the spec of version {version.number} has not arrived at this node yet",
                hint="Ask again in a moment, or ask another node.",
                status=503,
            )
        reason = command.reason[:MAX_REASON] or RERUN
        number = self._write_version(job, spec, version.spec, now, reason=reason)
        return Reran(job.id, number)

    def diff(self, command: DiffJob) -> Reply:
        """What a submission would change; nothing is written."""
        parsed = _parsed_untrusted(command.document, command.namespace)
        if isinstance(parsed, Problem):
            return parsed
        spec, _ = parsed
        if not spec.name:
            return _invalid("Name is required: a job is compared with the one of its name")
        known = self._facts.view.job_by_name(spec.namespace, spec.name)
        if known is None:
            return Problem(
                "NotFound",
                f"job name index not found: {spec.name}:{spec.namespace}",
                hint="A job of this name would be new.",
                status=404,
            )
        before = self._facts.spec_of(known)
        old = {} if before is None else job_document(before)
        return JobDiff(tuple(spec_changes(old, job_document(spec))))


def no_version(job: JobView, number: int) -> Problem:
    """The job is there, the version is not."""
    latest = 0 if job.version is None else job.version.number
    return Problem(
        "NotFound",
        f"job {job.id} has no version {number}: its latest is {latest}",
        hint=f"`bacalhau-mesh job versions {job.id}` shows those that this node has heard of.",
        status=404,
    )


_FORBIDDEN = Problem(
    "Forbidden",
    "this node's certificate does not let it take jobs; submit at another node",
    status=403,
)


def _invalid(message: str) -> Problem:
    return Problem("ValidationError", message, component="APIServer")


def _parsed_untrusted(
    document: Any, namespace: str, parsed: tuple[JobSpec, bytes] | None = None
) -> tuple[JobSpec, bytes] | Problem:
    try:
        spec, data = parse_and_encode_untrusted(document) if parsed is None else parsed
    except SpecError as error:
        return _invalid(str(error))
    if wanting := not_offered(spec.task.network):
        return _invalid(wanting)
    if _is_elsewhere(spec, namespace):
        spec = replace(spec, namespace=namespace)
        data = encode_spec(spec)
    return spec, data


def _is_elsewhere(spec: JobSpec, namespace: str) -> bool:
    """The call names a namespace, and the job none of its own."""
    return bool(namespace) and spec.namespace == "default"


def _version_body(spec: JobSpec, digest: Digest) -> dict[str, Any]:
    """What the fold reads of a spec, carried inline."""
    return {
        "type": spec.type.value,
        "count": spec.count,
        "priority": spec.priority,
        "spec": digest,
        "retry_attempts": spec.retry_attempts,
        "retry_program": int(spec.retry_program),
        "execution_timeout_s": spec.task.timeouts.execution_s,
        "queue_timeout_s": spec.task.timeouts.queue_s,
        "total_timeout_s": spec.task.timeouts.total_s,
        "disconnect": spec.disconnect,
    }
