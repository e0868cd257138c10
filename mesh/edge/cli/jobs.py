"""`job list | describe | get | ls | logs | stop | explain | wait`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from mesh.edge import render
from mesh.edge.cli.arguments import JobArgument
from mesh.edge.cli.completion import jobs_that_begin
from mesh.edge.cli.options import (
    ClientCommand,
    NamespaceOption,
    Output,
    OutputOption,
    WideOption,
    connect,
    parameters,
    say,
    show,
    show_table,
)
from mesh.edge.cli.paths import JOBS, job_path, mesh_job_path
from mesh.edge.cli.run import job_run
from mesh.edge.cli.runflags import DEFAULT_WAIT_S, WaitingCommand

LIST_LIMIT = 10
"""Bacalhau's."""
HIDDEN = "bacalhau_canary!=true"
"""Jobs that Bacalhau's own monitoring submits are not listed, as there."""

job = typer.Typer(no_args_is_help=True, help="Submit jobs, look at them, fetch their results.")
job.command("run", cls=WaitingCommand)(job_run)


@job.command("list", cls=ClientCommand)
def job_list(
    ctx: typer.Context,
    labels: Annotated[
        str, typer.Option("--labels", help="Only jobs with these labels: team=field,stage!=test.")
    ] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", help="Only jobs of this namespace; all if not given.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to show.")] = LIST_LIMIT,
    next_token: Annotated[str, typer.Option("--next-token", help="Where to go on.")] = "",
    order_by: Annotated[
        str, typer.Option("--order-by", help="created_at, modified_at or id.")
    ] = "created_at",
    order_reversed: Annotated[
        bool, typer.Option("--order-reversed", help="Oldest first; newest first if not given.")
    ] = False,
    wide: WideOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List jobs, the newest first."""
    query = parameters(
        labels=labels or HIDDEN,
        namespace=namespace,
        limit=limit,
        next_token=next_token,
        order_by=order_by,
        reverse="" if order_reversed else "true",
    )
    answer = connect(ctx).get(JOBS, query)
    jobs = answer["Items"]
    show_table(jobs, output, lambda now_ms: render.job_table(jobs, now_ms), wide=wide)
    if answer["NextToken"] and output is Output.TABLE:
        say(f"More with: bacalhau-mesh job list --next-token {answer['NextToken']}")


@job.command("describe", cls=ClientCommand)
def job_describe(
    ctx: typer.Context,
    job_id: JobArgument,
    namespace: NamespaceOption = "",
    wide: WideOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a job with its executions, its history and the end of its output."""
    query = parameters(include="executions,history", namespace=namespace)
    answer = connect(ctx).get(job_path(job_id), query)
    now_ms = None if wide else time.time_ns() // 1_000_000
    show(answer, output, lambda width: render.describe(answer, width, now_ms))


@job.command("explain", cls=ClientCommand)
def job_explain(
    ctx: typer.Context,
    job_id: JobArgument,
    namespace: NamespaceOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Say why a job runs where it runs, or why it waits."""
    answer = connect(ctx).get(mesh_job_path(job_id, "explain"), parameters(namespace=namespace))
    show(answer, output, lambda width: render.explain_text(answer, width))


@job.command("story", cls=ClientCommand)
def job_story(
    ctx: typer.Context,
    job_id: JobArgument,
    wide: WideOption = False,
    namespace: NamespaceOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell everything that happened to a job: what, where, when and because of what."""
    from mesh.edge.render_story import story_text

    answer = connect(ctx).get(mesh_job_path(job_id, "story"), parameters(namespace=namespace))
    show(answer, output, lambda width: story_text(answer, width, wide=wide))


@job.command("logs", cls=ClientCommand)
def job_logs(
    ctx: typer.Context,
    job_id: JobArgument,
    execution_id: Annotated[
        str, typer.Option("-e", "--execution-id", help="Whose output, if there are several.")
    ] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Until the program ends.")] = False,
    tail: Annotated[
        bool, typer.Option("-t", "--tail", help="Only what is printed from now on.")
    ] = False,
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=0, help="Of what is there, only the last lines.")
    ] = 0,
    since: Annotated[
        str, typer.Option("--since", metavar="AGO|TIME", help="As 10m, 2h30m or a date with time.")
    ] = "",
    namespace: NamespaceOption = "",
) -> None:
    """Print a job's output: its stdout to stdout, its stderr to stderr.

    With -f as it comes, from whatever node runs it, until the job is over.
    """
    from mesh.edge.cli.loglines import copy_logs, parse_since

    copy_logs(
        connect(ctx),
        job_id,
        execution=execution_id,
        namespace=namespace,
        follow=follow,
        tail=tail,
        lines=lines,
        since_s=parse_since(since, time.time()),
    )


@job.command("stop", cls=ClientCommand)
def job_stop(
    ctx: typer.Context,
    job_id: JobArgument,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing.")] = False,
    namespace: NamespaceOption = "",
) -> None:
    """Stop a job. Every node that hears of it obeys."""
    api = connect(ctx)
    body = {"Namespace": namespace, "Reason": "Stopped at user request"}
    answer = api.send("DELETE", job_path(job_id), body)
    if not quiet:
        already = not answer["EvaluationID"]
        name = render.plain(job_id)
        print(f"{name} was stopped before" if already else f"{name} is stopped")


ResultArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID[/PATH]",
        help="A job's id, the beginning of one, or its name; what of it.",
        autocompletion=jobs_that_begin,
    ),
]
ExecutionOption = Annotated[
    str, typer.Option("-e", "--execution-id", help="What this execution left, accepted or not.")
]
AllOption = Annotated[bool, typer.Option("--all", help="What every execution left.")]


@job.command("get", cls=ClientCommand)
def job_get(
    ctx: typer.Context,
    target: ResultArgument,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", help="Where to write; ./job-ID if not given."),
    ] = None,
    execution_id: ExecutionOption = "",
    everything: AllOption = False,
    namespace: NamespaceOption = "",
) -> None:
    """Fetch a job's results from whatever node has them, and check every byte.

    Of a part that failed, what it left. A transfer that broke off goes on where it was.
    """
    from mesh.edge.cli.results import Wish, fetch_results, parse_target

    wish = Wish(*parse_target(target), execution_id, everything, namespace)
    folder = fetch_results(connect(ctx), wish, output_dir)
    what = f"{render.plain(wish.path)} is" if wish.path else "Results are"
    print(f"{what} in {folder}")


@job.command("ls", cls=ClientCommand)
def job_ls(
    ctx: typer.Context,
    target: ResultArgument,
    execution_id: ExecutionOption = "",
    everything: AllOption = False,
    namespace: NamespaceOption = "",
    wide: WideOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List what a job's executions left."""
    from mesh.edge.cli.results import Wish, list_results, parse_target

    wish = Wish(*parse_target(target), execution_id, everything, namespace)
    items = list_results(connect(ctx), wish)
    show_table(items, output, lambda now_ms: render.result_table(items, now_ms), wide=wide)


@job.command("wait", cls=ClientCommand)
def job_wait(
    ctx: typer.Context,
    job_id: JobArgument,
    settled: Annotated[
        bool, typer.Option("--settled", help="Until every member has confirmed how it ended.")
    ] = False,
    wait_timeout_secs: Annotated[
        int,
        typer.Option("--wait-timeout-secs", min=0, help="Wait so long at most; then exit code 4."),
    ] = DEFAULT_WAIT_S,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing.")] = False,
    namespace: NamespaceOption = "",
) -> None:
    """Wait until a job is over; exit code 0 if it completed, 1 if not."""
    from mesh.edge.cli.progress import final_code, final_sentence, wait_for_job

    last = wait_for_job(
        connect(ctx),
        job_id,
        timeout_s=wait_timeout_secs,
        quiet=quiet,
        namespace=namespace,
        settled=settled,
    )
    if not quiet:
        say(final_sentence(last))
    raise typer.Exit(final_code(last))
