"""The command line: all commands, and how they end."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from mesh.edge.cli import completion, events, jobs, nodes, page, run, start, top, versions
from mesh.edge.cli.errors import CommandFailed, Exit, bad_input, report
from mesh.edge.cli.examples import with_examples
from mesh.edge.cli.options import ClientCommand
from mesh.edge.cli.runflags import WaitingCommand

PROGRAM = completion.PROGRAM

app = typer.Typer(
    name=PROGRAM,
    help="A compute mesh with no control plane: jobs run next to the data.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("join", cls=start.JoinCommand)(start.join)
app.command("devstack")(start.devstack)
app.add_typer(run.wasm, name="wasm")
app.add_typer(run.docker, name="docker")
jobs.job.command("versions", cls=ClientCommand)(versions.job_versions)
jobs.job.command("history", cls=ClientCommand)(versions.job_history)
jobs.job.command("executions", cls=ClientCommand)(versions.job_executions)
jobs.job.command("rerun", cls=WaitingCommand)(versions.job_rerun)
jobs.job.command("validate")(versions.job_validate)
app.add_typer(jobs.job, name="job")
app.add_typer(nodes.node, name="node")
app.add_typer(nodes.agent, name="agent")
app.add_typer(nodes.faults, name="faults")
app.command("page")(page.page)
app.command("top", cls=ClientCommand)(top.top)
app.command("events", cls=ClientCommand)(events.events)
app.command("version", cls=ClientCommand)(nodes.version)
app.command("completion")(completion.completion)

# Bacalhau's flags are Go's, which take a value: `--wait=false`.
GO_FLAGS = {"--wait=false": "--no-wait", "--wait=true": "--wait"}


OUTPUT_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
CLIENT_FLAGS = frozenset({"--api-host", "--api-port", "--data-dir"})


def command_tree() -> Any:
    """All commands, each with its example."""
    return with_examples(typer.main.get_command(app))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. Errors are told on stderr in a sentence and a hint."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Marks and names that the terminal's alphabet lacks are no reason to show nothing.
        sys.stdout.reconfigure(errors="replace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in OUTPUT_FULL or error.filename:
            raise
        # What is left of it would be tried again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        why = f"the output cannot be written: {error.strerror}"
        return report(CommandFailed(why, Exit.JOB_FAILED, "Make room there, or send it elsewhere"))
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        tree = command_tree()
        if completion.VARIABLE in os.environ:
            from typer.completion import completion_init  # type: ignore[attr-defined]

            completion_init()
        _refuse_misplaced(tree, arguments)
        words = [GO_FLAGS.get(one, one) for one in arguments]
        tree(words, prog_name=PROGRAM, complete_var=completion.VARIABLE)
    except CommandFailed as failure:
        return report(failure)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(Exit.DONE)
    return int(Exit.DONE)


def _refuse_misplaced(tree: Any, arguments: Sequence[str]) -> None:
    """A flag of every command before it; and `job top`, which is no command, though `top` is one:
    the nearest word in the group would mislead."""
    group, word = (*arguments[:2], "", "")[:2]
    flag = group.partition("=")[0]
    if flag in CLIENT_FLAGS:
        raise bad_input(
            f"{flag} stands after the command", f"As in: {PROGRAM} node list {flag} ..."
        )
    inner = getattr(tree.commands.get(group), "commands", None)
    if inner is not None and word in tree.commands and word not in inner:
        raise bad_input(
            f"there is no command '{group} {word}'", f"Did you mean '{PROGRAM} {word}'?"
        )
