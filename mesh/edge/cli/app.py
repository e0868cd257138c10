"""The command line: all commands, and how they end."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from mesh.edge.cli import jobs, nodes, run, start, versions
from mesh.edge.cli.errors import CommandFailed, Exit, report
from mesh.edge.cli.options import ClientCommand
from mesh.edge.cli.runflags import WaitingCommand

PROGRAM = "bacalhau-mesh"

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
app.command("version", cls=ClientCommand)(nodes.version)

# Bacalhau's flags are Go's, which take a value: `--wait=false`.
GO_FLAGS = {"--wait=false": "--no-wait", "--wait=true": "--wait"}


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. Errors are told on stderr in a sentence and a hint."""
    try:
        app([GO_FLAGS.get(one, one) for one in arguments], prog_name=PROGRAM)
    except CommandFailed as failure:
        return report(failure)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(Exit.DONE)
    return int(Exit.DONE)
