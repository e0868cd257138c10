"""`job versions | history | executions | rerun | validate`: what a job was, and once more."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.edge import render
from mesh.edge.cli.arguments import JobArgument
from mesh.edge.cli.options import (
    NamespaceOption,
    Output,
    OutputOption,
    WideOption,
    connect,
    parameters,
    show_table,
)
from mesh.edge.cli.paths import job_path
from mesh.edge.cli.run import job_as_stored, wait_until_over
from mesh.edge.cli.runflags import waiting_of

VersionOption = Annotated[
    int, typer.Option("-v", "--version", min=0, help="Of this version; the latest if not given.")
]
AllVersions = Annotated[bool, typer.Option("--all-versions", help="Of every version.")]


def job_versions(
    ctx: typer.Context,
    job_id: JobArgument,
    namespace: NamespaceOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the versions of a job, each as it ended."""
    answer = connect(ctx).get(job_path(job_id, "versions"), parameters(namespace=namespace))
    versions = answer["Items"]
    rows = [
        (
            str(one["Version"]),
            render.show_time(one["ModifyTime"]),
            one["State"]["StateType"],
            one["State"].get("Message", ""),
        )
        for one in versions
    ]
    headers = ("VERSION", "CHANGED", "STATE", "COMMENT")
    show_table(versions, output, lambda _: render.Table(headers, rows))


def job_history(
    ctx: typer.Context,
    job_id: JobArgument,
    version: VersionOption = 0,
    all_versions: AllVersions = False,
    execution_id: Annotated[
        str, typer.Option("-e", "--execution-id", help="Of this execution alone.")
    ] = "",
    namespace: NamespaceOption = "",
    wide: WideOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what happened to a job, line by line."""
    query = parameters(
        job_version=version,
        all_job_versions="true" if all_versions else "",
        execution_id=execution_id,
        namespace=namespace,
    )
    api = connect(ctx)
    items, token = [], ""
    while True:
        page = api.get(job_path(job_id, "history"), {**query, **parameters(next_token=token)})
        items += page["Items"]
        # A job that goes on always has a token: a page without a line is the end for now.
        if not page["Items"] or not page["NextToken"]:
            break
        token = page["NextToken"]
    show_table(items, output, lambda now_ms: render.history_table(items, now_ms), wide=wide)


def job_executions(
    ctx: typer.Context,
    job_id: JobArgument,
    version: VersionOption = 0,
    all_versions: AllVersions = False,
    namespace: NamespaceOption = "",
    wide: WideOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the executions of a job."""
    query = parameters(
        job_version=version,
        all_job_versions="true" if all_versions else "",
        namespace=namespace,
    )
    executions = connect(ctx).get(job_path(job_id, "executions"), query)["Items"]
    show_table(
        executions, output, lambda now_ms: render.execution_table(executions, now_ms), wide=wide
    )


def job_rerun(
    ctx: typer.Context,
    job_id: JobArgument,
    version: VersionOption = 0,
    reason: Annotated[str, typer.Option("--reason", help="Shown in the job's history.")] = "",
    namespace: NamespaceOption = "",
) -> None:
    """Run a job once more, as its next version, and wait for the result."""
    waiting = waiting_of(ctx)
    api = connect(ctx)
    body = {"JobVersion": version, "Reason": reason, "Namespace": namespace}
    answer = api.send("PUT", job_path(job_id, "rerun"), body)
    job = str(answer["JobID"])
    line = job if waiting.id_only else f"Job submitted: {job}, version {answer['JobVersion']}"
    print(line, flush=True)
    if waiting.wait:
        raise typer.Exit(wait_until_over(api, job, waiting))


def job_validate(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="A job in YAML or JSON; - reads stdin.")
    ],
) -> None:
    """Check the job of a file without sending it: every problem, at every level."""
    from mesh.edge.cli.jobfile import read_job_file

    job_as_stored(read_job_file(file))
    print("The job is valid")
