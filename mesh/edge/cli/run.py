"""`wasm run` and `job run`: a job made, submitted and waited for."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.edge.cli import flags
from mesh.edge.cli.connect import NodeApi
from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import ClientCommand, connect, say, yaml_text

MAX_MODULE_BYTES = 100 << 20
"""What a node takes in one upload."""
DEFAULT_WAIT_S = 600
"""Bacalhau's."""
JOBS = "/api/v1/orchestrator/jobs"
Document = dict[str, Any]

wasm = typer.Typer(no_args_is_help=True, help="Run WebAssembly modules.")

Texts = list[str]
IdOnly = Annotated[bool, typer.Option("--id-only", help="Print the job's id and nothing else.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the job is over.")]
WaitTimeout = Annotated[
    int,
    typer.Option("--wait-timeout-secs", min=0, help="Wait so long at most; then exit code 4."),
]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Show the output while it runs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and print the job, send nothing.")]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What to do once the job is taken."""

    wait: bool
    timeout_s: int
    id_only: bool
    follow: bool


@wasm.command("run", cls=ClientCommand)
def wasm_run(
    ctx: typer.Context,
    module: Annotated[
        str,
        typer.Argument(
            metavar="MODULE[:TARGET]",
            help="A local file, a URI as of --input, or the path of a module that an input mounts.",
        ),
    ],
    args: Annotated[Texts | None, typer.Argument(help="Arguments; after -- any text.")] = None,
    name: Annotated[str, typer.Option("--name", help="The job's own name.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", help="Where its name is unique.")] = (
        "default"
    ),
    priority: Annotated[int, typer.Option("--priority", help="Higher goes first.")] = 0,
    labels: Annotated[
        Texts | None, typer.Option("-l", "--labels", metavar="K=V", help="A label of the job.")
    ] = None,
    count: Annotated[int, typer.Option("--count", help="How many partitions to run.")] = 1,
    constraints: Annotated[
        str, typer.Option("--constraints", help="Which nodes: site=north,arch in (amd64,arm64).")
    ] = "",
    env: Annotated[
        Texts | None, typer.Option("-e", "--env", metavar="K=V", help="A variable for the program.")
    ] = None,
    inputs: Annotated[
        Texts | None,
        typer.Option(
            "-i",
            "--input",
            metavar="URI[:TARGET]",
            help="Data for the program, also as src=URI,dst=PATH,opt=K=V; /inputs if no target.",
        ),
    ] = None,
    outputs: Annotated[
        Texts | None,
        typer.Option("-o", "--output", metavar="NAME:PATH", help="A folder to keep as a result."),
    ] = None,
    publisher: Annotated[
        str, typer.Option("-p", "--publisher", help="Where results go; the mesh if not given.")
    ] = "",
    cpu: Annotated[str, typer.Option("--cpu", help="Cores: 500m, 0.5, 2.")] = "",
    memory: Annotated[str, typer.Option("--memory", help="512mb, 2GiB.")] = "",
    disk: Annotated[str, typer.Option("--disk", help="1gb.")] = "",
    gpu: Annotated[str, typer.Option("--gpu", help="Whole devices.")] = "",
    network: Annotated[str, typer.Option("--network", help="none, http, full, ...")] = "",
    domains: Annotated[
        Texts | None, typer.Option("--domain", help="A host that --network http may reach.")
    ] = None,
    timeout: Annotated[int, typer.Option("--timeout", help="Seconds in all.")] = 0,
    queue_timeout: Annotated[int, typer.Option("--queue-timeout", help="Seconds unplaced.")] = 0,
    entry_point: Annotated[
        str, typer.Option("--entry-point", help="The function that is called.")
    ] = "_start",
    import_modules: Annotated[
        Texts | None,
        typer.Option("-I", "--import-modules", help="A module to link, given like MODULE."),
    ] = None,
    wait: Wait = True,
    wait_timeout_secs: WaitTimeout = DEFAULT_WAIT_S,
    id_only: IdOnly = False,
    follow: Follow = False,
    dry_run: DryRun = False,
) -> None:
    """Run a WebAssembly module on the node that suits it best, and wait for the result."""
    sources = [flags.input_source(text) for text in inputs or ()]
    mounted = [source["Target"] for source in sources]
    blobs: dict[str, bytes] = {}
    entry = _mount(module, "/main.wasm", sources, mounted, blobs)
    imports = [
        _mount(text, f"/{Path(text).name}", sources, mounted, blobs)
        for text in import_modules or ()
    ]
    job: Document = {
        "Name": name,
        "Namespace": namespace,
        "Type": "batch",
        "Priority": priority,
        "Count": count,
        "Labels": flags.pairs(labels or (), "--labels"),
        "Constraints": flags.constraints(constraints),
        "Tasks": [
            {
                "Name": "main",
                "Engine": {
                    "Type": "wasm",
                    "Params": {
                        "EntryModule": entry,
                        "Entrypoint": entry_point,
                        "Parameters": list(args or ()),
                        "ImportModules": imports,
                    },
                },
                "Publisher": flags.publisher(publisher),
                "Env": flags.pairs(env or (), "--env"),
                "InputSources": sources,
                "ResultPaths": [flags.result_path(text) for text in outputs or ()],
                "Resources": _given(CPU=cpu, Memory=memory, Disk=disk, GPU=gpu),
                "Network": _given(Type=network or ("HTTP" if domains else ""), Domains=domains),
                "Timeouts": _given(TotalTimeout=timeout, QueueTimeout=queue_timeout),
            }
        ],
    }
    if not job["Tasks"][0]["Network"]:
        del job["Tasks"][0]["Network"]
    waiting = Waiting(wait, wait_timeout_secs, id_only, follow)
    run_document(ctx, job, blobs, waiting, dry_run=dry_run)


def _given(**values: Any) -> Document:
    return {name: value for name, value in values.items() if value}


def _mount(
    text: str,
    default_target: str,
    sources: list[Document],
    mounted: list[str],
    blobs: dict[str, bytes],
) -> str:
    """Where the program finds this module; a local file becomes a blob of the mesh."""
    if text in mounted:
        return text
    path_text, target = flags.split_target(text)
    path = Path(path_text)
    if path.is_file():
        content = _module_bytes(path)
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        source: Document = {"Source": {"Type": "mesh", "Params": {"Digest": digest}}}
        source["Target"] = target or default_target
    elif "://" in text:
        source = flags.input_source(text)
        if not target:
            source["Target"] = default_target
    else:
        raise bad_input(
            f"the module {text} is neither a file here nor the target of an --input",
            "Give the path of a .wasm file",
        )
    sources.append(source)
    return str(source["Target"])


def _module_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_MODULE_BYTES:
            raise bad_input(f"the module {path} is larger than {MAX_MODULE_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise bad_input(f"the module {path} cannot be read: {error.strerror}") from None


def job_run(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="A job in YAML or JSON; - reads stdin.")
    ],
    wait: Wait = True,
    wait_timeout_secs: WaitTimeout = DEFAULT_WAIT_S,
    id_only: IdOnly = False,
    follow: Follow = False,
    dry_run: DryRun = False,
) -> None:
    """Submit the job of a file, and wait for the result."""
    from mesh.edge.cli.jobfile import read_job_file

    document = read_job_file(file)
    waiting = Waiting(wait, wait_timeout_secs, id_only, follow)
    run_document(ctx, document, {}, waiting, dry_run=dry_run)


def run_document(
    ctx: typer.Context,
    document: Document,
    blobs: dict[str, bytes],
    waiting: Waiting,
    *,
    dry_run: bool,
) -> None:
    """Check, send, wait; ends the command with the job's exit code."""
    if dry_run:
        print(yaml_text(_checked(document)), end="")
        return
    api = connect(ctx)
    for digest, content in blobs.items():
        api.put_file(f"/api/v1/mesh/blobs/{digest}", content)
    job = _submit(api, document, id_only=waiting.id_only)
    if waiting.wait:
        raise typer.Exit(_wait(api, job, waiting))


def _checked(document: Document) -> Document:
    """The job as a node would store it."""
    from scheduler.errors import SpecError
    from scheduler.spec import job_document, parse_job_untrusted

    try:
        return job_document(parse_job_untrusted(document))
    except SpecError as error:
        raise bad_input(str(error)) from None


def _submit(api: NodeApi, document: Document, *, id_only: bool) -> str:
    # One key for both tries: a submission whose answer was lost is not made twice.
    body = {"Job": document, "IdempotencyToken": secrets.token_hex(16)}
    answer = api.send_again("PUT", JOBS, body)
    job = str(answer["JobID"])
    for warning in answer["Warnings"] or ():
        say(f"Warning: {warning}")
    print(job if id_only else f"Job submitted: {job}", flush=True)
    return job


def _wait(api: NodeApi, job: str, waiting: Waiting) -> Exit:
    from mesh.edge.cli.progress import final_code, final_sentence, wait_for_job

    begun_s = time.monotonic()
    if waiting.follow:
        from mesh.edge.cli.loglines import copy_logs

        try:
            copy_logs(api, job, follow=True, timeout_s=waiting.timeout_s)
        except CommandFailed as failure:
            if failure.code is not Exit.JOB_FAILED:
                raise
    left_s = max(waiting.timeout_s - (time.monotonic() - begun_s), 0)
    quiet = waiting.id_only or waiting.follow
    last = wait_for_job(api, job, timeout_s=left_s, quiet=quiet)
    if not waiting.id_only:
        say(final_sentence(last["Job"]))
    return final_code(last["Job"])
