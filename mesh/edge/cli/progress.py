"""Waiting for a job at the terminal, from the node's live feed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from mesh.edge import render
from mesh.edge.cli.connect import NodeApi, WaitedTooLong
from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.cli.options import parameters, say
from mesh.edge.cli.paths import mesh_job_path


class _Screen(Protocol):
    def line(self, text: str) -> None: ...

    def status(self, text: str) -> None: ...


class _Lines:
    """Where no terminal is: what happened, a line each."""

    def line(self, text: str) -> None:
        say(text)

    def status(self, text: str) -> None:
        """A line that would be drawn over and over belongs on a terminal only."""


class _Quiet(_Lines):
    def line(self, text: str) -> None:
        """Nothing is said."""


class _Live:
    """A terminal: lines above, one status line that moves below them."""

    def __init__(self, console: Any, status: Any) -> None:
        self._console = console
        self._status = status

    def line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def status(self, text: str) -> None:
        from rich.text import Text

        self._status.update(Text(text))


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
) -> Any:
    """Follow a job until it is over, or with `settled` until every member has confirmed that: the
    last change. CommandFailed (4) when time is up."""
    deadline_s = time.monotonic() + timeout_s
    told: dict[str, str] = {}
    last: Any = None
    try:
        with _screen(quiet=quiet) as screen:
            query = parameters(namespace=namespace, settled="true" if settled else "")
            for change in api.events(mesh_job_path(job, "follow"), query, deadline_s=deadline_s):
                last = change
                new = render.progress_lines(change, told)
                told |= new
                for text in new.values():
                    screen.line(f"  {text}")
                screen.status(render.status_line(change))
    except WaitedTooLong:
        raise CommandFailed(
            f"waited {timeout_s:.0f} s for {render.short_id(job)}, which goes on",
            Exit.WAITED_TOO_LONG,
            f"Look again with: bacalhau-mesh job describe {render.short_id(job)}",
        ) from None
    except CommandFailed as failure:
        if failure.code is not Exit.NO_NODE:
            raise
        message = f"{failure.message}; {render.short_id(job)} goes on"
        raise CommandFailed(message, failure.code, failure.hint) from None
    except KeyboardInterrupt:
        say(f"\nThe job goes on. Stop it with: bacalhau-mesh job stop {render.short_id(job)}")
        raise
    if last is None or last["Job"]["State"]["StateType"] not in render.FINAL_STATES:
        raise CommandFailed(
            f"the node at {api.endpoint} ended its feed of {render.short_id(job)}; the job goes on",
            Exit.NO_NODE,
            "Ask again, also at another node",
        )
    return last


def wait_until_begun(api: NodeApi, job: str, *, timeout_s: float) -> None:
    """Say why a job waits, until something of it has begun, it is over, or time is up."""
    told = ""
    deadline_s = time.monotonic() + timeout_s
    try:
        for change in api.events(mesh_job_path(job, "follow"), {}, deadline_s=deadline_s):
            state = change["Job"]["State"]
            if state["StateType"] not in ("Pending", "Queued"):
                return
            reason = render.plain(state.get("Message", ""))
            if reason and reason != told:
                say(f"{state['StateType'].lower()}: {reason}")
                told = reason
    except WaitedTooLong:
        return  # who waits for the output after this says so


def final_code(job: Any) -> Exit:
    """The exit code for a job that is over."""
    return Exit.DONE if job["State"]["StateType"] == "Completed" else Exit.JOB_FAILED


def final_sentence(job: Any) -> str:
    """How the job ended and what to do next."""
    state, message = job["State"]["StateType"], job["State"].get("Message", "")
    short = render.short_id(job["ID"])
    elapsed_ms = (job["ModifyTime"] - job["CreateTime"]) // 1_000_000
    why = f": {render.plain(message)}" if message else ""
    head = f"{short} {state.lower()} after {render.show_seconds(elapsed_ms)}{why}"
    if state == "Completed":
        return f"{head}\nFetch its results with: bacalhau-mesh job get {short}"
    return f"{head}\nSee what happened with: bacalhau-mesh job describe {short}"
