"""What becomes of one job, in lines for those who wait for it, from rows of the feed (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mesh.edge.render import plain, short_id, show_seconds

if TYPE_CHECKING:
    from mesh.edge.feed_rows import ExecutionRow, JobRow

EXECUTION_WORDS: Mapping[str, str] = {"Assigned": "goes to", "Succeeded": "completed on"}
"""Of a state; of any other its own name in lower case, `on` the node."""


def progress_lines(
    job: JobRow | None, executions: Iterable[ExecutionRow], told: Mapping[str, str]
) -> dict[str, str]:
    """What is new, lines by the id that they are about.

    `told` holds the line last told about each; what would be told again is left out.
    """
    lines = {one["ID"]: execution_line(one) for one in executions}
    if job is not None and waits(job):
        lines[job["ID"]] = f"{job['State'].lower()}: {plain(job['Message'])}"
    return {about: line for about, line in lines.items() if told.get(about) != line}


def waits(job: JobRow) -> bool:
    """Whether nothing of a job has begun, and it is known why."""
    return job["State"] in ("Pending", "Queued") and bool(job["Message"])


def execution_line(execution: ExecutionRow) -> str:
    """One execution, in a line."""
    state, message = execution["State"], plain(execution["Message"])
    does = EXECUTION_WORDS.get(state, f"{state.lower()} on")
    line = f"{short_id(execution['ID'])} {does} {plain(execution['NodeName'])}"
    if execution["Attempt"] > 1:
        line += f" (attempt {execution['Attempt']})"
    if state == "Succeeded":
        code = execution["ExitCode"]
        line += f" in {show_seconds(execution['ElapsedMs'])}"
        return line if code is None else f"{line}, exit code {code}"
    return f"{line}: {message}" if state in ("Failed", "Refused", "Cancelled") else line


def preparing_text(told: dict[str, str], executions: Iterable[ExecutionRow]) -> str:
    """What is being brought for the first execution that is not ready; "" where all are. `told`, by
    execution, is kept up to date."""
    for one in executions:
        told.pop(one["ID"], None)
        if one["State"] == "Preparing":
            told[one["ID"]] = plain(one["Message"])
    return next(iter(told.values()), "")


def status_line(job: JobRow) -> str:
    """The job as a whole, for a line that is drawn over and over."""
    counts = (
        (job["Done"], "done"),
        (job["Running"], "running"),
        (job["Waiting"], "waiting"),
        (job["Failed"], "failed"),
    )
    parts = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{job['State']}: {parts}" if parts else job["State"]
