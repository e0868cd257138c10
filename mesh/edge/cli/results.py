"""`job get` and `job ls`: results written to a folder, each file proved by its digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh.edge import render
from mesh.edge.cli.connect import NodeApi
from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import parameters, say
from mesh.edge.cli.paths import job_path, mesh_job_path
from storage.digest import check_path_untrusted

STREAMS = ("stdout", "stderr")
EXIT_CODE = "exitCode"
TRIES = 3
"""How often a transfer that was cut goes on by itself; after that by the next `job get`."""
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which results: a job, and what of it."""

    job: str
    path: str = ""
    """Below each result: a file, a folder, or `stdout`, `stderr`, `exitCode`; "" for all."""
    execution: str = ""
    everything: bool = False
    namespace: str = ""


def parse_target(text: str) -> tuple[str, str]:
    """`ID[/PATH]` in two. A name may hold slashes itself: then the id is what works."""
    job, _, path = text.partition("/")
    return job, path.strip("/")


def list_results(api: NodeApi, wish: Wish) -> list[Document]:
    """The results with those of their entries that are wanted. CommandFailed if there are none."""
    query = parameters(
        namespace=wish.namespace,
        execution_id=wish.execution,
        all="true" if wish.everything else "",
    )
    items = api.get(mesh_job_path(wish.job, "results"), query)["Items"]
    if not items:
        raise _nothing_yet(api.get(job_path(wish.job), parameters(namespace=wish.namespace))["Job"])
    found = [item | {"Entries": _wanted(item, wish.path)} for item in items]
    if not any(item["Entries"] for item in found):
        raise CommandFailed(
            f"the results of {wish.job} have no {wish.path}",
            Exit.JOB_FAILED,
            f"See what there is with: bacalhau-mesh job ls {wish.job}",
        )
    return found


def _wanted(item: Document, path: str) -> list[Document]:
    """Every file of a result as an entry, its streams and exit code too, as far as below `path`."""
    code = "" if item["ExitCode"] is None else str(item["ExitCode"])
    own = [
        {"Path": name, "Kind": "File", "Size": None, "Digest": item[name.capitalize()]}
        for name in STREAMS
    ]
    own.append({"Path": EXIT_CODE, "Kind": "Text", "Size": len(code), "Text": code})
    return [
        {"Mode": 0o644, **entry}
        for entry in (*own, *item["Entries"])
        if not path or entry["Path"] == path or str(entry["Path"]).startswith(f"{path}/")
    ]


def fetch_results(api: NodeApi, wish: Wish, output_dir: Path | None) -> Path:
    """The folder that now holds the results.

    One execution's files stand in it directly; of several, each has a folder of its own, named by
    its id, and `stdout`, `stderr` and `exitCode` at the top hold those of all in order.
    """
    items = list_results(api, wish)
    folder = output_dir or Path(f"job-{_file_name(wish.job)}")
    try:
        if len(items) == 1:
            _write_result(api, items[0], folder)
            return folder
        for item in items:
            _write_result(api, item, folder / str(item["ExecutionID"]))
        _merge(items, folder)
    except OSError as error:
        raise bad_input(
            f"{error.filename or folder} cannot be written ({error.strerror})",
            "Name another folder with --output-dir",
        ) from None
    return folder


def _file_name(job: str) -> str:
    """The id or name as it was typed, as one part of a path."""
    return "".join(one if one.isalnum() or one in "-_. " else "_" for one in job)[:200]


def _nothing_yet(job: Any) -> CommandFailed:
    state, message = job["State"]["StateType"], job["State"].get("Message", "")
    why = f": {render.plain(message)}" if message else ""
    short = render.short_id(job["ID"])
    return CommandFailed(
        f"{short} has no results, it is {state}{why}",
        Exit.JOB_FAILED,
        f"See what it printed with: bacalhau-mesh job logs {short}",
    )


def _write_result(api: NodeApi, item: Document, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in item["Entries"]:
        path = folder / _relative(entry["Path"])
        if entry["Kind"] == "Folder":
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry["Kind"] == "Text":
            path.write_text(entry["Text"])
        elif entry["Digest"]:
            _write_blob(api, str(entry["Digest"]), str(item["NodeID"]), path)
            os.chmod(path, int(entry["Mode"]) & 0o755)
        else:
            say(f"Not kept by the node: {render.plain(entry['Path'])}")


def _relative(path: Any) -> str:
    try:
        return check_path_untrusted(path)
    except ValueError as error:
        raise CommandFailed(f"the result holds a bad path: {error}", Exit.JOB_FAILED) from None


def _write_blob(api: NodeApi, digest: str, holder: str, path: Path) -> None:
    """The file at `path`: as it is there already, or fetched from where a try before broke off."""
    if _digest_of(path) == digest:
        return
    partial = path.with_name(f".{path.name[:100]}.{digest[:12]}.part")
    resumed = partial.exists()
    if _digest_of(partial) != digest:
        _fetch(api, digest, holder, partial)
    if _digest_of(partial) != digest:
        partial.unlink()
        if not resumed:
            raise CommandFailed(
                f"{path} arrived damaged: its bytes are not those of {digest[:12]}",
                Exit.JOB_FAILED,
                "Ask again, also at another node",
            )
        # What an earlier try left need not be the beginning of this file.
        _write_blob(api, digest, holder, path)
        return
    os.replace(partial, path)


def _fetch(api: NodeApi, digest: str, holder: str, partial: Path) -> None:
    """All bytes there are, behind those that are here. CommandFailed once a cut comes too often;
    what came until then stays, for the next try."""
    address = f"/api/v1/mesh/blobs/{digest}?holder={holder}"
    for tries_left in reversed(range(TRIES)):
        try:
            with open(partial, "ab") as file:
                begin, chunks = api.download(address, begin=file.tell())
                file.truncate(begin)
                for chunk in chunks:
                    file.write(chunk)
            return
        except CommandFailed as failure:
            if failure.code is not Exit.NO_NODE or not tries_left:
                if not partial.stat().st_size:
                    partial.unlink()
                raise


def _digest_of(path: Path) -> str:
    """ "" where no file is."""
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _merge(items: Sequence[Document], folder: Path) -> None:
    for name in (*STREAMS, EXIT_CODE):
        parts = list(_parts(items, folder, name))
        if not parts:
            continue
        with open(folder / name, "wb") as merged:
            for part in parts:
                merged.write(part.read_bytes())
                if name == EXIT_CODE:
                    merged.write(b"\n")


def _parts(items: Sequence[Document], folder: Path, name: str) -> Iterator[Path]:
    for item in items:
        if any(entry["Path"] == name for entry in item["Entries"]):
            yield folder / str(item["ExecutionID"]) / name
