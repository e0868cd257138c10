"""A job's output at the terminal: its stdout to ours, its stderr to ours."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from mesh.edge import render
from mesh.edge.cli.connect import NodeApi, WaitedTooLong, mesh_job_path
from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.cli.options import parameters, say

STDERR = 2
NO_LIMIT_S = 10 * 365 * 86_400.0


def copy_logs(
    api: NodeApi,
    job: str,
    *,
    execution: str = "",
    namespace: str = "",
    follow: bool = False,
    tail: bool = False,
    timeout_s: float = NO_LIMIT_S,
) -> None:
    """Copy until the node ends the feed. CommandFailed: 1 with its reason, 4 on time-out."""
    query = parameters(
        execution_id=execution,
        namespace=namespace,
        follow="true" if follow else "",
        tail="true" if tail else "",
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


def _show(frame: Any) -> None:
    if frame.get("error"):
        raise CommandFailed(str(frame["error"]), Exit.JOB_FAILED)
    value = frame["value"]
    out: TextIO = sys.stderr if value["Type"] == STDERR else sys.stdout
    # Into a file or a pipe goes what the program wrote; a terminal would obey some of it.
    out.write(render.plain_lines(value["Line"]) if out.isatty() else value["Line"])
    out.flush()
