"""Flags that all `run` commands of an engine share, and the job that they describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from mesh.edge.cli import flags
from mesh.edge.cli.options import ClientCommand, KeptFlag, kept_option

Document = dict[str, Any]
DEFAULT_WAIT_S = 600
"""Bacalhau's."""

WAITING: Sequence[KeptFlag] = (
    KeptFlag("--wait/--no-wait", "Wait until the job is over.", bool, default=True),
    KeptFlag(
        "--wait-timeout-secs",
        "Wait so long at most; then exit code 4.",
        int,
        default=DEFAULT_WAIT_S,
        least=0,
    ),
    KeptFlag("--id-only", "Print the job's id and nothing else.", bool),
    KeptFlag("-f,--follow", "Show the output while it runs.", bool),
    KeptFlag("--dry-run", "Check and print the job, send nothing.", bool),
)
JOB: Sequence[KeptFlag] = (
    KeptFlag("--name", "The job's own name."),
    KeptFlag("--namespace", "Where its name is unique.", default="default"),
    KeptFlag("--priority", "Higher goes first.", int),
    KeptFlag("-l,--labels", "A label of the job.", metavar="K=V", repeated=True),
    KeptFlag("--count", "How many partitions to run.", int, default=1),
    KeptFlag("--constraints", "Which nodes: site=north,arch in (amd64,arm64)."),
    KeptFlag("--task-name", "The task's own name.", default="main"),
    KeptFlag("-e,--env", "A variable for the program.", metavar="K=V", repeated=True),
    KeptFlag(
        "-i,--input",
        "Data for the program, also as src=URI,dst=PATH,opt=K=V; /inputs if no target.",
        metavar="URI[:TARGET]",
        repeated=True,
    ),
    KeptFlag("-o,--output", "A folder to keep as a result.", metavar="NAME:PATH", repeated=True),
    KeptFlag("-p,--publisher", "Where results go; the mesh if not given."),
    KeptFlag("--cpu", "Cores: 500m, 0.5, 2."),
    KeptFlag("--memory", "512mb, 2GiB."),
    KeptFlag("--disk", "1gb."),
    KeptFlag("--gpu", "Whole devices."),
    KeptFlag("--network", "none, bridge or host; none if not given."),
    KeptFlag("--domain", "With the network http, which no node offers yet.", repeated=True),
    KeptFlag("--timeout", "Seconds in all.", int),
    KeptFlag("--queue-timeout", "Seconds unplaced.", int),
)


class WaitingCommand(ClientCommand):
    """A command that submits a job, and may wait for it."""

    def __init__(self, *args: Any, params: Sequence[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or ()), *map(kept_option, WAITING)], **kwargs)


class RunCommand(WaitingCommand):
    """A command that makes a job of its flags."""

    def __init__(self, *args: Any, params: Sequence[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or ()), *map(kept_option, JOB)], **kwargs)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What to do once the job is taken."""

    wait: bool
    timeout_s: int
    id_only: bool
    follow: bool
    dry_run: bool


def waiting_of(ctx: typer.Context) -> Waiting:
    """The flags about waiting."""
    given = ctx.meta
    return Waiting(
        wait=given["--wait"],
        timeout_s=given["--wait-timeout-secs"],
        id_only=given["--id-only"],
        follow=given["--follow"],
        dry_run=given["--dry-run"],
    )


def input_sources(ctx: typer.Context) -> list[Document]:
    """The inputs that the flags name."""
    return [flags.input_source(text) for text in ctx.meta["--input"]]


def job_of(ctx: typer.Context, engine: Document, sources: list[Document]) -> Document:
    """The job that the flags describe, on this engine and with these inputs."""
    given: Mapping[str, Any] = ctx.meta
    network = given["--network"] or ("HTTP" if given["--domain"] else "")
    task: Document = {
        "Name": given["--task-name"],
        "Engine": engine,
        "Publisher": flags.publisher(given["--publisher"]),
        "Env": flags.pairs(given["--env"], "--env"),
        "InputSources": sources,
        "ResultPaths": [flags.result_path(text) for text in given["--output"]],
        "Resources": present(
            CPU=given["--cpu"], Memory=given["--memory"], Disk=given["--disk"], GPU=given["--gpu"]
        ),
        "Network": present(Type=network, Domains=given["--domain"]),
        "Timeouts": present(TotalTimeout=given["--timeout"], QueueTimeout=given["--queue-timeout"]),
    }
    if not task["Network"]:
        del task["Network"]
    return {
        "Name": given["--name"],
        "Namespace": given["--namespace"],
        "Type": "batch",
        "Priority": given["--priority"],
        "Count": given["--count"],
        "Labels": flags.pairs(given["--labels"], "--labels"),
        "Constraints": flags.constraints(given["--constraints"]),
        "Tasks": [task],
    }


def present(**values: Any) -> Document:
    """Those that say something."""
    return {name: value for name, value in values.items() if value}
