"""A job's output at the terminal: its stdout to ours, its stderr to ours."""

from __future__ import annotations

import re
import sys
import time
from typing import Any, TextIO

from mesh.edge import render
from mesh.edge.cli.connect import NodeApi, WaitedTooLong
from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import parameters, say
from mesh.edge.cli.paths import mesh_job_path

STDERR = 2
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGO = re.compile(r"(?:[0-9]{1,9}[smhd])+")
_AGO_PART = re.compile(r"([0-9]+)([smhd])")
NO_LIMIT_S = 10 * 365 * 86_400.0


def copy_logs(
    api: NodeApi,
    job: str,
    *,
    execution: str = "",
    namespace: str = "",
    follow: bool = False,
    tail: bool = False,
    lines: int = 0,
    since_s: int = 0,
    timeout_s: float = NO_LIMIT_S,
) -> None:
    """Copy until the node ends the feed. CommandFailed: 1 with its reason, 4 on time-out."""
    query = parameters(
        execution_id=execution,
        namespace=namespace,
        follow="true" if follow else "",
        tail="true" if tail else "",
        lines=lines,
        since=since_s,
    )
    deadline_s = time.monotonic() + timeout_s
    short = render.short_id(job)
    try:
        for frame in api.events(mesh_job_path(job, "logs"), query, deadline_s=deadline_s):
            _show(frame)
    except WaitedTooLong:
        raise CommandFailed(
            f"waited {timeout_s:.0f} s for the output of {short}, which goes on",
            Exit.WAITED_TOO_LONG,
            f"Look again with: bacalhau-mesh job describe {short}",
        ) from None
    except KeyboardInterrupt:
        say(f"\nThe job goes on. Stop it with: bacalhau-mesh job stop {short}")
        raise


def parse_since(text: str, now_s: float) -> int:
    """`90s`, `10m`, `2h30m`, `3d` ago, a time with date, or Unix seconds: Unix seconds; 0 for "".

    CommandFailed for anything else.
    """
    if not text:
        return 0
    if text.isascii() and text.isdecimal():
        return int(text)
    if _AGO.fullmatch(text):
        ago_s = sum(int(number) * _UNITS_S[unit] for number, unit in _AGO_PART.findall(text))
        return max(int(now_s - ago_s), 1)
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
        # A time without a zone is that of the person who typed it.
        return max(int(moment.timestamp()), 1)
    except (ValueError, OverflowError):
        raise bad_input(
            f"--since {text!r} is no time",
            "Write how long ago, as 90s, 10m, 2h30m or 3d, or a time as 2030-01-31T12:00:00Z",
        ) from None


def _show(frame: Any) -> None:
    if frame.get("error"):
        raise CommandFailed(str(frame["error"]), Exit.JOB_FAILED)
    value = frame["value"]
    out: TextIO = sys.stderr if value["Type"] == STDERR else sys.stdout
    # Into a file or a pipe goes what the program wrote; a terminal would obey some of it.
    out.write(render.plain_lines(value["Line"]) if out.isatty() else value["Line"])
    out.flush()
