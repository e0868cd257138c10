"""`job get`: results written to a folder, each file proved by its digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from mesh.edge import render
from mesh.edge.cli.connect import NodeApi, job_path, mesh_job_path
from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import parameters, say
from storage.digest import check_path_untrusted

STREAMS = ("stdout", "stderr")


def fetch_results(api: NodeApi, job: str, namespace: str, output_dir: Path | None) -> Path:
    """The folder that now holds the results.

    One execution's files stand in it directly; of several, each has a folder of its own, named by
    its id, and `stdout`, `stderr` and `exitCode` at the top hold those of all in order.
    """
    query = parameters(namespace=namespace)
    items = api.get(mesh_job_path(job, "results"), query)["Items"]
    if not items:
        raise _nothing_yet(api.get(job_path(job), query)["Job"])
    folder = output_dir or Path(f"job-{_file_name(job)}")
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


def _write_result(api: NodeApi, item: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    holder = str(item["NodeID"])
    for stream in STREAMS:
        _write_blob(api, str(item[stream.capitalize()]), holder, folder / stream, 0o644)
    code = item["ExitCode"]
    (folder / "exitCode").write_text("" if code is None else str(code))
    for entry in item["Entries"]:
        path = folder / _relative(entry["Path"])
        if entry["Kind"] == "Folder":
            path.mkdir(parents=True, exist_ok=True)
        elif entry["Digest"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = int(entry["Mode"]) & 0o755
            _write_blob(api, str(entry["Digest"]), holder, path, mode)
        else:
            say(f"Not kept by the node: {render.plain(entry['Path'])}")


def _relative(path: Any) -> str:
    try:
        return check_path_untrusted(path)
    except ValueError as error:
        raise CommandFailed(f"the result holds a bad path: {error}", Exit.JOB_FAILED) from None


def _write_blob(api: NodeApi, digest: str, holder: str, path: Path, mode: int) -> None:
    partial = path.with_name(f".{path.name[:100]}.{digest[:12]}.part")
    sha256 = hashlib.sha256()
    try:
        with open(partial, "wb") as file:
            for chunk in api.download(f"/api/v1/mesh/blobs/{digest}?holder={holder}"):
                sha256.update(chunk)
                file.write(chunk)
        if sha256.hexdigest() != digest:
            raise CommandFailed(
                f"{path} arrived damaged: its bytes are not those of {digest[:12]}",
                Exit.JOB_FAILED,
                "Ask again, also at another node",
            )
        os.chmod(partial, mode)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _merge(items: list[Any], folder: Path) -> None:
    for name in (*STREAMS, "exitCode"):
        with open(folder / name, "wb") as merged:
            for item in items:
                merged.write((folder / str(item["ExecutionID"]) / name).read_bytes())
                if name == "exitCode":
                    merged.write(b"\n")
