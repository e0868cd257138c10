"""Calls to the asked node that must not hold up the screen: each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from textual.app import App

from mesh.edge.cli.connect import Endpoint, NodeApi, WaitedTooLong
from mesh.edge.cli.errors import CommandFailed
from mesh.edge.cli.feed import NO_LIMIT_S
from mesh.edge.cli.paths import mesh_job_path

BATCH_S = 0.1
"""Output is gathered for so long before it is drawn: a program may print thousands of lines."""
KEPT_TEXTS = 2_000


def ask(
    app: App[Any],
    endpoint: Endpoint,
    call: Callable[[NodeApi], Any],
    done: Callable[[Any, str], None],
) -> None:
    """Make a call; then, in the app, `done(answer, "")` or `done(None, sentence)`."""

    def run() -> None:
        answer, failure = None, ""
        try:
            answer = call(NodeApi(endpoint))
        except CommandFailed as error:
            failure = error.message
        _in_app(app, lambda: done(answer, failure))

    threading.Thread(target=run, daemon=True, name="call").start()


class LogThread:
    """Follows the output of one execution until it ends or nobody looks any more."""

    def __init__(
        self,
        app: App[Any],
        endpoint: Endpoint,
        job: str,
        execution: str,
        told: Callable[[list[tuple[int, str]]], None],
        ended: Callable[[str], None],
    ) -> None:
        self._app = app
        self._endpoint = endpoint
        self._job = job
        self._execution = execution
        self._told = told
        self._ended = ended
        self._stopped = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="logs").start()

    def stop(self) -> None:
        """Nothing more is told."""
        self._stopped.set()

    def _run(self) -> None:
        query: Mapping[str, str] = {"execution_id": self._execution, "follow": "true"}
        path = mesh_job_path(self._job, "logs")
        waiting: list[tuple[int, str]] = []
        told_s, why = 0.0, ""
        try:
            deadline_s = time.monotonic() + NO_LIMIT_S
            frames = NodeApi(self._endpoint).frames(path, query, deadline_s=deadline_s)
            for frame in frames:
                if self._stopped.is_set():
                    return
                why = str(frame.data.get("error", "")) or why
                waiting.append((int(frame.data["value"]["Type"]), frame.data["value"]["Line"]))
                del waiting[:-KEPT_TEXTS]
                if time.monotonic() - told_s > BATCH_S:
                    self._tell(waiting)
                    waiting, told_s = [], time.monotonic()
        except (CommandFailed, WaitedTooLong, ValueError) as error:
            why = getattr(error, "message", "the output broke off")
        self._tell(waiting)
        if not self._stopped.is_set():
            _in_app(self._app, lambda: self._ended(why))

    def _tell(self, texts: list[tuple[int, str]]) -> None:
        if texts and not self._stopped.is_set():
            _in_app(self._app, lambda: self._told(texts))


def _in_app(app: App[Any], function: Callable[[], None]) -> None:
    try:
        app.call_from_thread(function)
    except RuntimeError:
        pass  # the app has ended meanwhile: nobody waits for this any more
