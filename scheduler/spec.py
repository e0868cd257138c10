"""What a user asks for: from a document to a JobSpec with every level checked, and back.

The document is Bacalhau's job, with the mesh's own additions: `Retry` and `Disconnect` stand beside
`Tasks`, `SuccessCodes` stands in the task. Every key at every level is known or refused; every
problem is in one SpecError. `docs/job-spec.md` has each field with its default and its rule.

A parsed spec holds params by the tables' own spelling, without nulls; targets with a leading `/`; a
module given as an object is an input like others. Its one encoding names it by digest.
"""

from __future__ import annotations

import re
from typing import Any

from scheduler import cbor
from scheduler.constraints import label_key, label_value, read_constraints
from scheduler.errors import SpecError, SpecProblem
from scheduler.ids import Digest
from scheduler.jobs import (
    DEFAULT_ATTEMPTS,
    Input,
    JobSpec,
    JobType,
    Network,
    Port,
    ResultPath,
    Source,
    Task,
    Timeouts,
)
from scheduler.reading import (
    Problems,
    Reader,
    Table,
    choice,
    flag,
    ignored,
    later,
    list_of,
    map_of,
    nested,
    read_map,
    shown,
    whole,
    word,
)
from scheduler.resources import DEFAULT_TEXTS, read_resources, resources_of
from scheduler.spec_checks import check_task
from scheduler.spec_document import job_document
from scheduler.spec_fields import environment, identity, meta
from scheduler.spec_types import (
    DEFAULT_ENTRYPOINT,
    INPUT,
    RESULT_PATH,
    TIMEOUTS,
    engine,
    network,
    publisher,
)

__all__ = [
    "MAX_SPEC_BYTES",
    "SpecError",
    "SpecProblem",
    "decode_spec_untrusted",
    "encode_spec",
    "job_document",
    "named_blobs",
    "parse_and_encode_untrusted",
    "parse_job_untrusted",
]

MAX_SPEC_BYTES = 1 << 20
"""Encoded: what is pushed with a job's birth to every orchestrator, in one frame."""
MAX_COUNT = 10_000
"""Twice the largest job measured; a slot costs every member memory."""
MAX_PRIORITY = (1 << 31) - 1
MAX_ATTEMPTS = 100
MAX_DURATION_S = 31_536_000
"""A year."""
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _duration(problems: Problems, path: str, value: Any) -> str | None:
    """Seconds as a number, or `30s`, `2m`, `1h`, `1d`, or `never`; gives `Ns` or `never`."""
    written = f"{value}s" if type(value) is int and 0 <= value <= MAX_DURATION_S else value
    if written == "never":
        return "never"
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", written) if type(written) is str else None
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match else -1
    if not 0 <= seconds <= MAX_DURATION_S:
        problems.add(
            path, f"{shown(value)} is no duration such as 30s, 2m, 1h or never (1 year at most)"
        )
        return None
    return f"{seconds}s"


def _kept(read: Reader, honoured: tuple[Any, ...], what: str) -> Reader:
    """A reader that refuses values promising more than this release keeps."""

    def checked(problems: Problems, path: str, value: Any) -> Any:
        result = read(problems, path, value)
        if result is not None and result not in honoured:
            problems.add(path, f"{shown(value)}: {what} are not there yet; leave this out")
            return None
        return result

    return checked


_RUNNING = ("longest_running", "keep_original", "keep_replacement", "best_score", "race")
_DONE = ("first_complete", "keep_original", "keep_replacement", "best_score")

DISCONNECT = Table(
    "Disconnect",
    {
        "ReplaceAfter": _duration,
        "StopAfter": _kept(_duration, ("never",), "attempts that stop themselves when cut off"),
        "Contact": _kept(
            choice("owner", "any_member", "majority"), ("owner",), "other kinds of contact"
        ),
        "ReconcileRunning": choice(*_RUNNING),
        "ReconcileDone": _kept(choice(*_DONE), ("first_complete",), "other choices among results"),
        "Exclusive": _kept(flag, (False,), "exclusive jobs"),
        "PlaceWith": _kept(choice("any", "majority"), ("any",), "placements by a majority"),
        "OnConflict": _kept(choice("highest", "hold"), ("highest",), "held versions"),
        "ValidFor": later("ops jobs, which alone have this,"),
    },
)
RETRY = Table(
    "Retry",
    {
        "Attempts": whole(1, MAX_ATTEMPTS),
        "On": list_of(choice("infrastructure", "program"), minimum=1),
    },
)
TASK = Table(
    "a task",
    {
        "Name": word,
        "Engine": engine,
        "Publisher": publisher,
        "Env": environment,
        "Meta": meta,
        "InputSources": list_of(nested(INPUT)),
        "ResultPaths": list_of(nested(RESULT_PATH)),
        "Resources": read_resources,
        "Network": network,
        "Timeouts": nested(TIMEOUTS),
        "SuccessCodes": list_of(whole(0, 255), minimum=1),
    },
    required=("Name", "Engine"),
)


def _tasks(problems: Problems, path: str, value: Any) -> Any:
    if not isinstance(value, list) or len(value) != 1:
        held = f"a list of {len(value)}" if isinstance(value, list) else shown(value)
        problems.add(path, f"must be a list of exactly one task, not {held}")
        return None
    task = read_map(problems, f"{path}[0]", value[0], TASK)
    check_task(problems, f"{path}[0]", task)
    return task


def _count(problems: Problems, path: str, value: Any) -> Any:
    """1 to 10,000; what 0 means depends on the type of the job."""
    if type(value) is int and value == 0:
        return 0
    return whole(1, MAX_COUNT)(problems, path, value)


JOB = Table(
    "a job",
    {
        "Name": identity,
        "Namespace": identity,
        "Type": choice(*(kind.value for kind in JobType)),
        "Priority": whole(0, MAX_PRIORITY),
        "Count": _count,
        "Constraints": read_constraints,
        "Meta": meta,
        "Labels": map_of(label_key, label_value),
        "Tasks": _tasks,
        "Retry": nested(RETRY),
        "Disconnect": nested(DISCONNECT),
        "ReplicateResults": later("results kept on several nodes"),
        "Schedule": later("schedules"),
        "DependsOn": later("jobs that wait for others"),
    }
    | dict.fromkeys(("ID", "State", "Version", "Revision", "CreateTime", "ModifyTime"), ignored),
    required=("Type", "Tasks"),
)


def parse_job_untrusted(document: Any) -> JobSpec:
    """The job that a document (what JSON or YAML decodes to) asks for, defaults filled in.

    Raises SpecError with every problem, and nothing else.
    """
    return parse_and_encode_untrusted(document)[0]


def parse_and_encode_untrusted(document: Any) -> tuple[JobSpec, bytes]:
    """As `parse_job_untrusted`, with the spec's one encoding."""
    spec = _parse_untrusted(document)
    data = encode_spec(spec)
    if len(data) > MAX_SPEC_BYTES:
        raise SpecError([SpecProblem("", _TOO_LARGE.format(len(data)))])
    return spec, data


def _parse_untrusted(document: Any) -> JobSpec:
    problems = Problems()
    read = read_map(problems, "", document, JOB)
    _check_job(problems, read)
    if problems.found():
        raise SpecError(problems.found())
    return _build_job(read)


_TOO_LARGE = (
    f"the job has {{}} bytes where {MAX_SPEC_BYTES} are allowed; send large inputs to the mesh as "
    "blobs and name their digests"
)


def _check_job(problems: Problems, read: dict[str, Any]) -> None:
    kind = read.get("Type", JobType.BATCH.value)
    if kind != JobType.BATCH.value:
        problems.add("Type", f"{kind} jobs are not there yet; this release runs batch jobs")
    elif read.get("Count") == 0:
        problems.add("Count", "0 asks for nothing; write 1 or more, or leave it out for 1")
    reasons = read.get("Retry", {}).get("On", ("infrastructure",))
    if "infrastructure" not in reasons and None not in reasons:
        problems.add(
            "Retry.On",
            "must name infrastructure too; for no second attempt at all write Attempts: 1",
        )


# --- building nouns from what was read -----------------------------------------------------------


def _build_job(read: dict[str, Any]) -> JobSpec:
    retry = read.get("Retry", {})
    disconnect = read.get("Disconnect", {})
    return JobSpec(
        type=JobType(read["Type"]),
        task=_build_task(read["Tasks"]),
        name=read.get("Name", ""),
        namespace=read.get("Namespace", "default"),
        priority=read.get("Priority", 0),
        count=read.get("Count", 1),
        constraints=tuple(read.get("Constraints", ())),
        meta=read.get("Meta", {}),
        labels=read.get("Labels", {}),
        success_codes=tuple(dict.fromkeys(read["Tasks"].get("SuccessCodes", (0,)))),
        retry_attempts=retry.get("Attempts", DEFAULT_ATTEMPTS),
        retry_program="program" in retry.get("On", ()),
        disconnect={key: _as_text(value) for key, value in disconnect.items()},
    )


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _build_task(read: dict[str, Any]) -> Task:
    network_read = read.get("Network", {})
    timeouts = read.get("Timeouts", {})
    texts = read.get("Resources", DEFAULT_TEXTS)
    return Task(
        name=read["Name"],
        engine=_build_engine(read["Engine"]),
        publisher=_build_source(read["Publisher"]) if "Publisher" in read else None,
        env=read.get("Env", {}),
        meta=read.get("Meta", {}),
        inputs=tuple(
            Input(_build_source(one["Source"]), one["Target"], one.get("Alias", ""))
            for one in read.get("InputSources", ())
        ),
        result_paths=tuple(
            ResultPath(one["Name"], one["Path"]) for one in read.get("ResultPaths", ())
        ),
        resources=resources_of(texts),
        resource_texts=texts,
        network=Network(
            type=_build_network_type(network_read.get("Type", "Default")),
            domains=tuple(network_read.get("Domains", ())),
            ports=tuple(_build_port(one) for one in network_read.get("Ports", ())),
        ),
        timeouts=Timeouts(
            execution_s=timeouts.get("ExecutionTimeout", 0),
            queue_s=timeouts.get("QueueTimeout", 0),
            total_s=timeouts.get("TotalTimeout", 0),
        ),
    )


def _build_network_type(written: str) -> str:
    """Full is the older spelling of Host."""
    return "Host" if written == "Full" else written


def _build_port(read: dict[str, Any]) -> Port:
    return Port(
        read["Name"], read.get("Static", 0), read.get("Target", 0), read.get("HostNetwork", "")
    )


def _build_source(read: dict[str, Any]) -> Source:
    return Source(read["Type"], read["Params"])


def _build_engine(read: dict[str, Any]) -> Source:
    params = read["Params"]
    if read["Type"] == "wasm" and not params.get("Entrypoint"):
        params = {**params, "Entrypoint": DEFAULT_ENTRYPOINT}
    return Source(read["Type"], params)


def encode_spec(spec: JobSpec) -> bytes:
    """The one encoding of a spec: deterministic CBOR of its document; its SHA-256 names it."""
    return cbor.encode(job_document(spec))


def decode_spec_untrusted(data: bytes) -> JobSpec:
    """The spec that these bytes encode; SpecError, and nothing else, when they encode none."""
    try:
        document = cbor.decode_untrusted(data, max_bytes=MAX_SPEC_BYTES)
    except cbor.CborError as error:
        raise SpecError([SpecProblem("", f"the stored job cannot be read: {error}")]) from error
    # With its defaults filled in it may be larger than what was read, but not twice as large.
    return (parse_job_untrusted if 2 * len(data) > MAX_SPEC_BYTES else _parse_untrusted)(document)


def named_blobs(spec: JobSpec) -> tuple[Digest, ...]:
    """The digests of the blobs that must be there before the job can run, each once."""
    digests = [
        Digest(one.source.params["Digest"]) for one in spec.task.inputs if one.source.type == "mesh"
    ]
    return tuple(dict.fromkeys(digests))
