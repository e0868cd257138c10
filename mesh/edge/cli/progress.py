"""Waiting for a job at the terminal, from the node's live feed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from mesh.edge.cli.connect import NodeApi, WaitedTooLong
from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.cli.options import parameters, say
from mesh.edge.cli.paths import WATCH
from mesh.edge.render import FINAL_STATES, plain, short_id, show_seconds
from mesh.edge.render_progress import preparing_text, progress_lines, status_line

if TYPE_CHECKING:
    from mesh.edge.feed_rows import ExecutionRow, JobRow

PREPARING_S = 10.0
"""Between two lines on how far a pull is, where lines stay."""


class _Screen(Protocol):
    def line(self, text: str) -> None: ...

    def status(self, text: str, preparing: str) -> None: ...


class _Lines:
    """Where no terminal is: what happened, a line each. A line that would be drawn over and over
    belongs on a terminal only; of what is being brought it is said now and then how far it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told = ""
        self._next_s = 0.0

    def line(self, text: str) -> None:
        say(text)

    def status(self, text: str, preparing: str) -> None:
        if preparing and preparing != self._told and self._clock() >= self._next_s:
            self._told, self._next_s = preparing, self._clock() + PREPARING_S
            say(f"  {preparing}")


class _Quiet(_Lines):
    def line(self, text: str) -> None:
        """Nothing is said."""

    def status(self, text: str, preparing: str) -> None:
        """Nor here."""


class _Live:
    """A terminal: lines above, one status line that moves below them."""

    def __init__(self, console: Any, status: Any) -> None:
        self._console = console
        self._status = status

    def line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def status(self, text: str, preparing: str) -> None:
        from rich.text import Text

        self._status.update(Text(f"{text} · {preparing}" if preparing else text))


@contextmanager
def _screen(*, quiet: bool) -> Iterator[_Screen]:
    if quiet:
        yield _Quiet()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from rich.console import Console
        from rich.text import Text

        console = Console(stderr=True)
        with console.status(Text("submitted")) as status:
            yield _Live(console, status)


def wait_for_job(
    api: NodeApi,
    job: str,
    *,
    timeout_s: float,
    quiet: bool = False,
    namespace: str = "",
    settled: bool = False,
) -> JobRow:
    """Follow a job until it is over, or with `settled` until every member has confirmed that; what
    became of it. CommandFailed (4) when time is up."""
    told: dict[str, str] = {}
    preparing: dict[str, str] = {}
    last: JobRow | None = None
    short = short_id(job)
    try:
        with _screen(quiet=quiet) as screen:
            for last, executions in _steps(api, job, namespace, timeout_s):
                new = progress_lines(last, executions, told)
                told |= new
                for text in new.values():
                    screen.line(f"  {text}")
                screen.status(status_line(last), preparing_text(preparing, executions))
                if last["State"] in FINAL_STATES and (last["Settled"] or not settled):
                    return last
    except WaitedTooLong:
        raise CommandFailed(
            f"waited {timeout_s:.0f} s for {short}, which {_goes_on(last)}",
            Exit.WAITED_TOO_LONG,
            f"Look again with: bacalhau-mesh job describe {short}",
        ) from None
    except CommandFailed as failure:
        if failure.code is not Exit.NO_NODE:
            raise
        message = f"{failure.message}; {short} goes on"
        raise CommandFailed(message, failure.code, failure.hint) from None
    except KeyboardInterrupt:
        say(f"\nThe job goes on. Stop it with: bacalhau-mesh job stop {short}")
        raise
    raise CommandFailed(
        f"the node at {api.endpoint} ended its feed of {short}; the job goes on",
        Exit.NO_NODE,
        "Ask again, also at another node",
    )


def _goes_on(job: JobRow | None) -> str:
    if job is not None and job["State"] in FINAL_STATES:
        return f"is {job['State'].lower()}, but not confirmed by every member yet"
    return "goes on"


def _steps(
    api: NodeApi, job: str, namespace: str, timeout_s: float
) -> Iterator[tuple[JobRow, list[ExecutionRow]]]:
    """The job after each change, with the executions that changed."""
    query = parameters(job=job, namespace=namespace)
    deadline_s = time.monotonic() + timeout_s
    last: JobRow | None = None
    executions: list[ExecutionRow] = []
    for frame in api.frames(WATCH, query, deadline_s=deadline_s):
        executions += frame.data.get("Executions", ())
        for row in frame.data.get("Jobs", ()):
            last = row
        if frame.data.get("Gone", {}).get("Jobs"):
            raise CommandFailed(
                f"{short_id(job)} was purged: nothing is kept of it", Exit.JOB_FAILED
            )
        if last is not None and not frame.data.get("More"):
            yield last, executions
            executions = []


def wait_until_begun(api: NodeApi, job: str, *, timeout_s: float) -> None:
    """Say why a job waits, until something of it has begun, it is over, or time is up."""
    told = ""
    try:
        for row, _ in _steps(api, job, "", timeout_s):
            if row["State"] not in ("Pending", "Queued"):
                return
            [line] = progress_lines(row, (), {}).values() or [""]
            if line not in ("", told):
                say(line)
                told = line
    except WaitedTooLong:
        return  # who waits for the output after this says so


def final_code(job: JobRow) -> Exit:
    """The exit code for a job that is over."""
    return Exit.DONE if job["State"] == "Completed" else Exit.JOB_FAILED


def final_sentence(job: JobRow) -> str:
    """How the job ended and what to do next."""
    state, message = job["State"], plain(job["Message"])
    short = short_id(job["ID"])
    head = f"{short} {state.lower()}"
    if job["Version"] == 1:  # of a later one, when it was submitted is not told
        head += f" after {show_seconds(job['Modified'] - job['Created'])}"
    head += " (settled)" if job["Settled"] else ""
    head += f": {message}" if message else ""
    if state == "Completed":
        return f"{head}\nFetch its results with: bacalhau-mesh job get {short}"
    return f"{head}\nSee what happened with: bacalhau-mesh job describe {short}"
