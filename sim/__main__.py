"""`python -m sim`: runs of a seed, of many seeds, and of written scenarios.

Exit codes: 0 all is well; 1 a judge or a transcript says wrong; 2 bad usage; 3 something never
ended; 4 a core raised; 5 no job completed, so that the run proves nothing.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import time
import traceback
from pathlib import Path

from sim.drawing import draw, swarm
from sim.faults import Fault, Plan
from sim.report import Report, say, verdict_lines
from sim.scenario import ScenarioError, run
from sim.trial import Outcome, Trial, Verdict
from sim.watcher import Wrong

USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.act(options)
    except BrokenPipeError:
        # Whoever read this has gone; the interpreter's last flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sim", description="Run the mesh's own member under simulated faults."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("run", help="one seed: its options, its story, its verdict")
    one.add_argument("--seed", type=int, required=True)
    one.set_defaults(act=_run)
    many = commands.add_parser("seeds", help="many seeds, one line each")
    many.add_argument("--from", dest="first", type=int, default=1)
    many.add_argument("--count", type=int, default=20)
    many.set_defaults(act=_seeds)
    for command in (one, many):
        command.add_argument("--nodes", type=int, default=5, choices=range(1, 17), metavar="1..16")
        command.add_argument("--minutes", type=float, default=1.0, help="how long faults go on")
        command.add_argument("--jobs", type=int, default=14)
        command.add_argument(
            "--with",
            dest="require",
            action="append",
            default=[],
            choices=[fault.name.lower() for fault in Fault],
            help="a kind of fault that each run must have; may be repeated",
        )
        command.add_argument(
            "--swarm",
            action="store_true",
            help="size, length and faults by the seed too, as in the suite of many seeds",
        )
    replay = commands.add_parser("replay", help="a scenario file: does it still say the truth?")
    replay.add_argument("files", nargs="+", type=Path)
    replay.add_argument("--rewrite", action="store_true", help="write what really comes of it")
    replay.set_defaults(act=_replay)
    return parser


def _plan(options: argparse.Namespace, seed: int) -> Plan:
    if options.swarm:
        return swarm(seed)
    return draw(
        seed,
        machines=options.nodes,
        jobs=options.jobs,
        safety_s=options.minutes * 60,
        require=[Fault[name.upper()] for name in options.require],
    )


def _run(options: argparse.Namespace) -> int:
    plan = _plan(options, options.seed)
    trial = Trial(plan)
    trial.watch(Report(plan, trial.oracle))
    verdict = trial.run()
    _show_error(verdict)
    for line in verdict_lines(options.seed, verdict):
        say(line)
    return verdict.outcome.value


def _seeds(options: argparse.Namespace) -> int:
    worst = Outcome.RIGHT
    for seed in range(options.first, options.first + options.count):
        began_s = time.monotonic()
        verdict = Trial(_plan(options, seed)).run()
        _show_error(verdict)
        took_s = time.monotonic() - began_s
        say(
            f"seed {seed}: {verdict.outcome.name}, {verdict.completed} of {verdict.jobs} jobs "
            f"completed, {verdict.crashes} crashes, {took_s:.1f} s, trace {verdict.trace[:16]}"
        )
        if verdict.outcome is not Outcome.RIGHT:
            say(f"  {verdict.sentence}; see it with `run --seed {seed}` and the same options")
            if worst is Outcome.RIGHT:
                worst = verdict.outcome
    return worst.value


def _replay(options: argparse.Namespace) -> int:
    code = 0
    for path in options.files:
        try:
            before = path.read_text()
            after = run(before)
        except (OSError, ScenarioError) as error:
            say(f"{path}: {error}")
            return USAGE
        except Wrong as error:
            say(f"{path}: {error}")
            return Outcome.WRONG.value
        if before == after:
            say(f"{path}: as written")
        elif options.rewrite:
            path.write_text(after)
            say(f"{path}: rewritten")
        else:
            code = Outcome.WRONG.value
            for line in difflib.unified_diff(
                before.splitlines(), after.splitlines(), str(path), "what came of it", lineterm=""
            ):
                say(line)
    return code


def _show_error(verdict: Verdict) -> None:
    if verdict.error is not None:
        traceback.print_exception(verdict.error, file=sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
