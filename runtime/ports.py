"""The port of engines: what one is asked to run, and what it tells back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import trio

from runtime.attempt import EngineEnded
from scheduler.ids import AttemptId
from scheduler.jobs import Task

DEFAULT_OUTPUT_LIMIT_BYTES = 10 << 20
"""Kept of stdout and of stderr each: the log cap of the security rules; the rest is counted
only."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this machine, and where the program sees it (absolute)."""

    host: Path
    guest: str
    read_only: bool


def _nothing(sentence: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class EngineJob:
    """One program to run. Folders exist; the files `stdout`, `stderr` and `log` are the engine's to
    make, and only where there is output."""

    attempt: AttemptId
    task: Task
    env: Mapping[str, str]
    """The task's, and BACALHAU_*."""
    inputs: tuple[Mount, ...]
    outputs: tuple[Mount, ...]
    """One folder per result path."""
    scratch: Path
    """Empty, the engine's own, gone with the attempt."""
    stdout: Path
    stderr: Path
    log: Path
    """Both streams in the order they came, framed as `runtime.logs` says."""
    output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES
    preparing: Callable[[str], None] = _nothing
    """Told in a sentence what takes its time before the program can begin, once."""


@dataclass(frozen=True, slots=True)
class EngineReport:
    """Whether an engine answers now. `detail` is one sentence where it does not."""

    available: bool
    version: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """What an engine is made from."""

    data_dir: Path
    options: Mapping[str, str] = field(default_factory=dict)
    """`cluster` and `node` for those that label what they leave on the machine; others are an
    engine's own."""


class Engine(Protocol):
    """A way to run programs. Nothing here raises but for cancellation: failures are EngineEnded."""

    name: str
    """The engine type it serves, in lower case."""

    async def probe(self) -> EngineReport:
        """Whether it can run anything now."""
        ...

    async def serve(self) -> None:
        """Keep what the engine needs between jobs; runs as long as the node, may return early."""
        ...

    async def run(self, job: EngineJob, started: Callable[[], None]) -> EngineEnded:
        """Run to the end; call `started` once when the program begins. Cancelled, it leaves
        nothing, or what `adopt` of a `LastingEngine` goes on with."""
        ...

    async def stop(self, attempt: AttemptId, grace_s: float) -> None:
        """End a run: `run` then returns with exit code None. An attempt not running is no error."""
        ...


@runtime_checkable
class LastingEngine(Engine, Protocol):
    """An engine whose programs outlive the node's process, and are found again after it."""

    async def survivors(self) -> tuple[AttemptId, ...]:
        """Attempts of this node that left something, whether it runs, has ended or never began."""
        ...

    async def adopt(self, job: EngineJob, started: Callable[[float], None]) -> EngineEnded | None:
        """As `run`, with what an earlier process of this node began: its output files are gone on
        with where they end, and `started` is told for how many seconds it runs already. None where
        nothing has ever begun: then it is as if never asked. The job's inputs are not looked at."""
        ...

    async def release(self, attempt: AttemptId) -> None:
        """Its result is durable, or nobody wants it: remove what is left of it."""
        ...

    async def sweep(self) -> None:
        """Remove what attempts left that were neither run nor adopted since this process began, now
        and whenever the engine comes back. For after the last `adopt` has been called."""
        ...


@runtime_checkable
class CachingEngine(Engine, Protocol):
    """An engine that begins sooner with what it has fetched before."""

    async def images(self) -> tuple[str, ...]:
        """Names of what it has, the newest first; none where it does not answer."""
        ...


EngineFactory = Callable[[EngineSetup], Engine]


class Running:
    """Attempts of an engine that can be ended by cancelling: what `stop` needs."""

    def __init__(self) -> None:
        self._scopes: dict[AttemptId, trio.CancelScope] = {}

    def open(self, attempt: AttemptId) -> trio.CancelScope:
        """A scope around the run of this attempt; close it with `shut`."""
        scope = trio.CancelScope()
        self._scopes[attempt] = scope
        return scope

    def shut(self, attempt: AttemptId) -> None:
        """The run is over."""
        self._scopes.pop(attempt, None)

    def stop(self, attempt: AttemptId) -> None:
        """End the run, if there is one."""
        if attempt in self._scopes:
            self._scopes[attempt].cancel()
