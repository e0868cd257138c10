"""The shipped fake: an engine that plays a script instead of running a program.

Parameters: `DurationMs`, `ExitCode`, `Stdout`, `Stderr`, and `Fail`, the name of a failure to end
with.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from runtime.attempt import EngineEnded, tail_text
from runtime.outputs import STDERR, STDOUT, OutputStream
from runtime.ports import EngineJob, EngineReport, EngineSetup, Running
from scheduler.ids import AttemptId
from scheduler.jobs import Failure

SCRIPT_VERSION = "1"


class ScriptedEngine:
    """Plays scripts, any number at once."""

    name = "scripted"

    def __init__(self, setup: EngineSetup) -> None:
        self._running = Running()

    async def probe(self) -> EngineReport:
        """Always there."""
        return EngineReport(available=True, version=SCRIPT_VERSION)

    async def serve(self) -> None:
        """Nothing is kept between jobs."""

    async def run(self, job: EngineJob, started: Callable[[], None]) -> EngineEnded:
        """Print, wait, end as the script says."""
        script = {key.lower(): value for key, value in job.task.engine.params.items()}
        failure = str(script.get("fail") or "")
        if failure and failure not in Failure._value2member_map_:
            failure = Failure.ENGINE.value
        if failure == Failure.ENGINE:
            sentence = "The script says that its program cannot be started."
            return _ended(_streams(job), None, failure, sentence)
        exit_code: int | None = None
        streams = _streams(job)
        with self._running.open(job.attempt):
            try:
                started()
                for stream, name in zip(streams, ("stdout", "stderr"), strict=True):
                    stream.write(str(script.get(name) or "").encode())
                    stream.close()
                await trio.sleep(int(script.get("durationms") or 0) / 1000)
                exit_code = int(script.get("exitcode") or 0)
            finally:
                self._running.shut(job.attempt)
        if exit_code is None:
            return _ended(streams, None, "", "The script was ended at our asking.")
        message = f"The script fails by {failure}." if failure else ""
        return _ended(streams, None if failure else exit_code, failure, message)

    async def stop(self, attempt: AttemptId, grace_s: float) -> None:
        """End a script."""
        self._running.stop(attempt)


def _streams(job: EngineJob) -> tuple[OutputStream, OutputStream]:
    log, limit_bytes = str(job.log), job.output_limit_bytes
    return (
        OutputStream(STDOUT, str(job.stdout), log, limit_bytes),
        OutputStream(STDERR, str(job.stderr), log, limit_bytes),
    )


def _ended(
    streams: tuple[OutputStream, OutputStream], exit_code: int | None, failure: str, message: str
) -> EngineEnded:
    stdout, stderr = streams
    return EngineEnded(
        exit_code,
        failure,
        message,
        tail_text(stdout.tail),
        tail_text(stderr.tail),
        stdout.size_bytes,
        stderr.size_bytes,
    )
