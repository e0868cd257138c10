"""`wasm run`, `docker run` and `job run`: a job made, submitted and waited for."""

from __future__ import annotations

import hashlib
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mesh.edge.cli import flags
from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import connect, say, yaml_text
from mesh.edge.cli.paths import JOBS
from mesh.edge.cli.runflags import (
    RunCommand,
    Waiting,
    input_sources,
    job_of,
    waiting_of,
)
from mesh.edge.render import plain_lines

if TYPE_CHECKING:
    from mesh.edge.cli.connect import NodeApi

MAX_MODULE_BYTES = 100 << 20
"""What a node takes in one upload."""
WASM_MAGIC = b"\0asm"
Document = dict[str, Any]

wasm = typer.Typer(no_args_is_help=True, help="Run WebAssembly modules.")
docker = typer.Typer(no_args_is_help=True, help="Run containers.")

Texts = list[str]
Arguments = Annotated[Texts | None, typer.Argument(help="Arguments; after -- any text.")]


@wasm.command("run", cls=RunCommand)
def wasm_run(
    ctx: typer.Context,
    module: Annotated[
        str,
        typer.Argument(
            metavar="MODULE[:TARGET]",
            help="A local file, a URI as of --input, or the path of a module that an input mounts.",
        ),
    ],
    args: Arguments = None,
    entry_point: Annotated[
        str, typer.Option("--entry-point", help="The function that is called.")
    ] = "_start",
    import_modules: Annotated[
        Texts | None,
        typer.Option("-I", "--import-modules", help="A module to link, given like MODULE."),
    ] = None,
) -> None:
    """Run a WebAssembly module on the node that suits it best, and wait for the result."""
    sources = input_sources(ctx)
    mounted = [source["Target"] for source in sources]
    blobs: dict[str, bytes] = {}
    params = {
        "EntryModule": _mount(module, "/main.wasm", sources, mounted, blobs),
        "Entrypoint": entry_point,
        "Parameters": list(args or ()),
        "ImportModules": [
            _mount(text, f"/{Path(text).name}", sources, mounted, blobs)
            for text in import_modules or ()
        ],
    }
    run_document(ctx, job_of(ctx, {"Type": "wasm", "Params": params}, sources), blobs)


@docker.command("run", cls=RunCommand)
def docker_run(
    ctx: typer.Context,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="NAME[:TAG], NAME@DIGEST or an image id.")
    ],
    args: Arguments = None,
    entrypoint: Annotated[
        Texts | None,
        typer.Option("--entrypoint", help="Instead of the image's own; repeated, one word each."),
    ] = None,
    workdir: Annotated[
        str, typer.Option("-w", "--workdir", help="Where the program starts, an absolute path.")
    ] = "",
) -> None:
    """Run a container on the node that suits it best, and wait for the result.

    An image that a node's engine has is used as it is; no registry is asked for it.
    """
    params = {
        "Image": image,
        "Entrypoint": list(entrypoint or ()),
        "Parameters": list(args or ()),
        "WorkingDirectory": workdir,
    }
    engine = {"Type": "docker", "Params": {key: one for key, one in params.items() if one}}
    run_document(ctx, job_of(ctx, engine, input_sources(ctx)), {})


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
        content = path.read_bytes()
    except OSError as error:
        raise bad_input(f"the module {path} cannot be read: {error.strerror}") from None
    if not content.startswith(WASM_MAGIC):
        raise bad_input(
            f"{path} is not a WebAssembly module: it does not begin with the bytes of one",
            "Build it for WASI preview 1, or wat2wasm it, and give the .wasm file",
        )
    return content


def job_run(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="A job in YAML or JSON; - reads stdin.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Run a named job again also where nothing changed.")
    ] = False,
) -> None:
    """Submit the job of a file, and wait for the result. A name that is there is updated."""
    from mesh.edge.cli.jobfile import read_job_file

    run_document(ctx, read_job_file(file), {}, force=force)


def run_document(
    ctx: typer.Context, document: Document, blobs: dict[str, bytes], *, force: bool = False
) -> None:
    """Check, send, wait; ends the command with the job's exit code."""
    waiting = waiting_of(ctx)
    if waiting.dry_run:
        stored = job_as_stored(document)
        print(yaml_text(stored), end="")
        if stored["Name"]:
            say(_what_would_change(connect(ctx), document))
        return
    api = connect(ctx)
    for digest, content in blobs.items():
        api.put_file(f"/api/v1/mesh/blobs/{digest}", content)
    job = _submit(api, document, id_only=waiting.id_only, force=force)
    if waiting.wait:
        raise typer.Exit(wait_until_over(api, job, waiting))


def job_as_stored(document: Document) -> Document:
    """The job as a node would store it. CommandFailed with every problem of it."""
    from scheduler.errors import SpecError
    from scheduler.spec import job_document, parse_job_untrusted

    try:
        return job_document(parse_job_untrusted(document))
    except SpecError as error:
        raise bad_input(str(error)) from None


def _what_would_change(api: NodeApi, document: Document) -> str:
    """What submitting a named job would do, for the person at the terminal."""
    try:
        changes = str(api.send("PUT", f"{JOBS}/diff", {"Job": document})["Diff"])
    except CommandFailed as failure:
        if failure.code is Exit.NO_NODE:
            return f"Whether it would change a job is not known: {failure}"
        return "It would be a new job"
    if not changes:
        return "It would change nothing: the job of this name is the same"
    return "It would change the job of this name:\n" + plain_lines(changes.rstrip("\n"))


def _submit(api: NodeApi, document: Document, *, id_only: bool, force: bool) -> str:
    # One key for both tries: a submission whose answer was lost is not made twice.
    body = {"Job": document, "Force": force, "IdempotencyToken": secrets.token_hex(16)}
    answer = api.send_again("PUT", JOBS, body)
    job = str(answer["JobID"])
    for warning in answer["Warnings"] or ():
        say(f"Warning: {warning}")
    number = answer["Mesh"]["JobVersion"]
    version = f", version {number}" if number > 1 else ""
    print(job if id_only else f"Job submitted: {job}{version}", flush=True)
    return job


def wait_until_over(api: NodeApi, job: str, waiting: Waiting) -> Exit:
    """Show what becomes of the job until it is over; the exit code that it deserves."""
    from mesh.edge.cli.progress import (
        final_code,
        final_sentence,
        wait_for_job,
        wait_until_begun,
    )

    begun_s = time.monotonic()
    if waiting.follow:
        from mesh.edge.cli.loglines import copy_logs

        try:
            wait_until_begun(api, job, timeout_s=waiting.timeout_s)
            copy_logs(api, job, follow=True, timeout_s=waiting.timeout_s)
        except CommandFailed as failure:
            if failure.code is not Exit.JOB_FAILED:
                raise
    left_s = max(waiting.timeout_s - (time.monotonic() - begun_s), 0)
    quiet = waiting.id_only or waiting.follow
    last = wait_for_job(api, job, timeout_s=left_s, quiet=quiet)
    if not waiting.id_only:
        say(final_sentence(last))
    return final_code(last)
