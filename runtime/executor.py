"""Performs the effects of attempts' cores: fetches, runs, stops, stores, cleans up.

It decides nothing and raises nothing: whatever goes wrong becomes an event with a sentence. Each
attempt has a folder `results/ATTEMPT/` (`inputs/0`, ..., `outputs/0`, ..., `scratch/`, `stdout`,
`stderr`: numbers, because names are a user's) until its `CleanUp`; its log stays in `logs/`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from runtime.attempt import (
    AdoptProgram,
    AttemptEvent,
    CleanUp,
    EngineEnded,
    EnginePreparing,
    EngineStarted,
    InputsReady,
    NothingToAdopt,
    Order,
    PrepareInputs,
    RunEngine,
    StopEngine,
    StoreResults,
)
from runtime.failures import engine_broke, engine_failure, input_failure
from runtime.gather import remove_tree
from runtime.logs import LogPage, Logs
from runtime.ports import Engine, EngineJob, LastingEngine, Mount
from runtime.results import keep_exit_code, keep_results
from scheduler.ids import AttemptId, Digest, NodeId
from scheduler.jobs import Input
from storage.blobs import BlobStore, is_digest
from storage.errors import InputMissing
from storage.ports import Fetched, FetchRequest, Provider, text_param

PARALLEL_INPUTS = 4
"""Inputs of one attempt fetched at once: enough to hide waiting, few enough to leave room to
others."""
PRUNE_S = 3600.0
"""Between two looks at the logs of what is over: they go after a month, or beyond a GiB."""
SOURCE_ALIASES = {"localdirectory": "local"}
"""Bacalhau's older name."""
SHARED = "mesh"
"""Sources that are read where they lie: a folder for each costs more than the rest of a small
job's way."""
STOPPED_EARLY = "The program was stopped before it began."

ExecutorEffect = PrepareInputs | RunEngine | AdoptProgram | StopEngine | StoreResults | CleanUp


@dataclass(slots=True)
class _Work:
    """What the executor holds for one attempt."""

    folder: Path
    steps: dict[trio.CancelScope, None] = field(default_factory=dict)
    """One scope around each step that is under way."""
    changed: trio.Event = field(default_factory=trio.Event)
    fetched: list[tuple[Input, Fetched]] = field(default_factory=list)
    engine: Engine | None = None
    stopped: bool = False
    """It was to be stopped before its engine had begun."""
    left_with: LastingEngine | None = None
    """Keeps something of the attempt until it is released."""


class Executor:
    """All attempts of one node. `report` takes their events; it must not block."""

    def __init__(
        self,
        *,
        data_dir: Path,
        node: NodeId,
        engines: Mapping[str, Engine],
        providers: Mapping[str, Provider],
        blobs: BlobStore,
        report: Callable[[AttemptId, AttemptEvent], None],
    ) -> None:
        self._results = data_dir / "results"
        self._node = node
        self._engines = engines
        self._lasting = {
            kind: engine for kind, engine in engines.items() if isinstance(engine, LastingEngine)
        }
        self._providers = providers
        self._blobs = blobs
        self._report = report
        self._works: dict[AttemptId, _Work] = {}
        self._nursery: trio.Nursery | None = None
        self._litter: list[Path] = []
        self._littered = trio.Event()
        self.logs = Logs(data_dir / "logs")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        self._results.mkdir(parents=True, mode=0o700, exist_ok=True)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for engine in self._engines.values():
                nursery.start_soon(engine.serve)
            nursery.start_soon(self._remove_litter)
            task_status.started()
            await trio.sleep_forever()

    def sweep(self) -> None:
        """Remove what an earlier process left and nobody went on with; call it once, when the
        effects of the member's start have been performed."""
        assert self._nursery is not None, "sweep belongs after run has started"
        kept = frozenset(str(attempt) for attempt in self._works)
        self._nursery.start_soon(trio.to_thread.run_sync, self._remove_leftovers, kept)
        self._nursery.start_soon(self._prune_logs)
        for engine in self._lasting.values():
            self._nursery.start_soon(engine.sweep)

    def perform(self, attempt: AttemptId, effect: ExecutorEffect) -> None:
        """Begin what the effect asks for; its outcome comes as an event."""
        assert self._nursery is not None, "perform belongs after run has started"
        work = self._works.get(attempt)
        if work is None:
            work = self._works[attempt] = _Work(self._results / attempt)
        match effect:
            case PrepareInputs(order):
                if self._take_shared(work, order):
                    self._report(attempt, InputsReady())
                else:
                    self._begin(work, partial(self._prepare, attempt, work, order))
            case RunEngine(order):
                self._begin(work, partial(self._run_engine, attempt, work, order))
            case AdoptProgram(order):
                self._begin(work, partial(self._adopt, attempt, work, order))
            case StoreResults(order, outcome):
                if outcome.stdout_bytes or outcome.stderr_bytes or order.spec.task.result_paths:
                    store = partial(keep_results, work.folder, order, outcome, self._blobs)
                    self._begin(work, partial(self._store, attempt, store))
                else:
                    self._report(attempt, keep_exit_code(order, outcome))
            case StopEngine(grace_s):
                self._nursery.start_soon(self._stop, attempt, work, grace_s)
            case CleanUp():
                del self._works[attempt]
                if work.steps or work.left_with is not None:
                    self._nursery.start_soon(self._clean_up, attempt, work)
                else:
                    self._leave_folder(work)

    def holds(self, attempt: AttemptId) -> bool:
        """Whether the attempt is under way here: its log may still grow."""
        return attempt in self._works

    def read_log(self, attempt: AttemptId, *, offset: int, limit_bytes: int) -> LogPage:
        """Output of an attempt that runs or ran on this node; blocks on the disk."""
        return self.logs.read(attempt, offset=offset, limit_bytes=limit_bytes)

    def _begin(self, work: _Work, step: Callable[[], Awaitable[None]]) -> None:
        assert self._nursery is not None
        scope = trio.CancelScope()
        work.steps[scope] = None
        self._nursery.start_soon(self._within, work, scope, step)

    async def _within(
        self, work: _Work, scope: trio.CancelScope, step: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            with scope:
                await step()
        finally:
            del work.steps[scope]
            work.changed.set()

    def _take_shared(self, work: _Work, order: Order) -> bool:
        """Take the inputs if all of them lie here as blobs, as small jobs' modules mostly do: that
        is seen at once, and costs less than a task."""
        task, taken = order.spec.task, []
        if task.result_paths or len(task.inputs) > 1 or SHARED not in self._providers:
            return False
        for wanted in task.inputs:
            digest = text_param(wanted.source, "Digest").lower()
            if wanted.source.type != SHARED or not is_digest(digest):
                return False
            path = self._blobs.path(Digest(digest))
            try:
                size_bytes = path.stat().st_size
            except OSError:
                return False
            taken.append((wanted, Fetched(path, read_only=True, size_bytes=size_bytes)))
        work.fetched += taken
        return True

    async def _prepare(self, attempt: AttemptId, work: _Work, order: Order) -> None:
        event: AttemptEvent = InputsReady()
        try:
            _make_folders(work.folder, order)
            await self._fetch_all(work, order)
        except Exception as error:
            event = input_failure(error, self._results)
        self._report(attempt, event)

    async def _fetch_all(self, work: _Work, order: Order) -> None:
        if len(order.spec.task.inputs) == 1:  # nearly every small job's module: nothing beside it
            (only,) = order.spec.task.inputs
            fetched = await self._fetch(work.folder / "inputs" / "0", only, order)
            work.fetched.append((only, fetched))
            return
        room = trio.CapacityLimiter(PARALLEL_INPUTS)
        failures: list[Exception] = []

        async def fetch(number: int, wanted: Input) -> None:
            async with room:
                try:
                    fetched = await self._fetch(work.folder / "inputs" / str(number), wanted, order)
                except Exception as error:
                    failures.append(error)
                    nursery.cancel_scope.cancel()
                else:
                    work.fetched.append((wanted, fetched))

        async with trio.open_nursery() as nursery:
            for number, wanted in enumerate(order.spec.task.inputs):
                nursery.start_soon(fetch, number, wanted)
        if failures:
            raise failures[0]

    async def _fetch(self, folder: Path, wanted: Input, order: Order) -> Fetched:
        kind = SOURCE_ALIASES.get(wanted.source.type, wanted.source.type)
        provider = self._providers.get(kind)
        if provider is None:
            raise InputMissing(f"This node has no provider for {wanted.source.type} inputs.")
        digest = Digest(text_param(wanted.source, "Digest").lower())
        request = FetchRequest(wanted.source, folder, holders=order.holders.get(digest, ()))
        return await provider.fetch(request)

    async def _run_engine(self, attempt: AttemptId, work: _Work, order: Order) -> None:
        kind = order.spec.task.engine.type
        engine = self._engines.get(kind)
        if engine is None:
            self._report(attempt, engine_failure(f"This node has no {kind} engine."))
            return
        if work.stopped:
            self._report(attempt, EngineEnded(None, "", STOPPED_EARLY, "", "", 0, 0))
            return
        work.engine, work.left_with = engine, self._lasting.get(kind)
        try:
            job = self._engine_job(attempt, work, order)
            ended = await engine.run(job, lambda: self._report(attempt, EngineStarted()))
        except Exception as error:
            ended = engine_broke(kind, error, self._results)
        work.engine = None
        self._report(attempt, ended)

    async def _adopt(self, attempt: AttemptId, work: _Work, order: Order) -> None:
        kind = order.spec.task.engine.type
        engine = self._lasting.get(kind)
        if engine is None:
            self._report(attempt, NothingToAdopt())
            return
        work.engine = work.left_with = engine
        try:
            await trio.to_thread.run_sync(_make_folders, work.folder, order)
            job = self._engine_job(attempt, work, order)
            ended: AttemptEvent | None = await engine.adopt(
                job, lambda ran_s: self._report(attempt, EngineStarted(ran_s))
            )
        except Exception as error:
            ended = engine_broke(kind, error, self._results)
        work.engine = None
        self._report(attempt, NothingToAdopt() if ended is None else ended)

    def _engine_job(self, attempt: AttemptId, work: _Work, order: Order) -> EngineJob:
        task = order.spec.task
        return EngineJob(
            attempt=attempt,
            task=task,
            env={**task.env, **self._job_env(order)},
            inputs=tuple(
                Mount(fetched.path, wanted.target, fetched.read_only)
                for wanted, fetched in work.fetched
            ),
            outputs=tuple(
                Mount(work.folder / "outputs" / str(number), result.path, read_only=False)
                for number, result in enumerate(task.result_paths)
            ),
            scratch=work.folder / "scratch",
            stdout=work.folder / "stdout",
            stderr=work.folder / "stderr",
            log=self.logs.path(attempt),
            preparing=lambda sentence: self._report(attempt, EnginePreparing(sentence)),
        )

    def _job_env(self, order: Order) -> Mapping[str, str]:
        return {
            "BACALHAU_JOB_ID": order.job,
            "BACALHAU_EXECUTION_ID": order.attempt,
            "BACALHAU_NODE_ID": self._node,
            "BACALHAU_PARTITION_INDEX": str(order.index),
            "BACALHAU_PARTITION_COUNT": str(order.count),
        }

    async def _store(self, attempt: AttemptId, store: Callable[[], AttemptEvent]) -> None:
        self._report(attempt, await trio.to_thread.run_sync(store))

    async def _stop(self, attempt: AttemptId, work: _Work, grace_s: float) -> None:
        if work.engine is None:
            work.stopped = True
        else:
            await work.engine.stop(attempt, grace_s)

    async def _clean_up(self, attempt: AttemptId, work: _Work) -> None:
        for scope in work.steps:
            scope.cancel()
        while work.steps:
            work.changed = trio.Event()
            await work.changed.wait()
        if work.left_with is not None:
            await work.left_with.release(attempt)
        self._leave_folder(work)

    def _leave_folder(self, work: _Work) -> None:
        for _, fetched in work.fetched:
            fetched.close()
        if work.folder.exists():
            self._litter.append(work.folder)
            self._littered.set()

    async def _remove_litter(self) -> None:
        """Remove folders, in one thread and many at a time: a burst of jobs leaves hundreds."""
        while True:
            await self._littered.wait()
            self._littered = trio.Event()
            folders, self._litter = self._litter, []
            await trio.to_thread.run_sync(_remove_folders, folders)

    async def _prune_logs(self) -> None:
        while True:
            prune = partial(self.logs.prune, self.holds, time.time())
            try:
                await trio.to_thread.run_sync(prune)
            except OSError:
                pass  # a disk that fails is told by those who need it
            await trio.sleep(PRUNE_S)

    def _remove_leftovers(self, kept: frozenset[str]) -> None:
        for folder in self._results.iterdir():
            if folder.name not in kept:
                _remove_folder(folder)


def _make_folders(folder: Path, order: Order) -> None:
    """Only what the task has use for: some microseconds each, where a thread costs a hundred."""
    task = order.spec.task
    inputs = [number for number, one in enumerate(task.inputs) if one.source.type != SHARED]
    if inputs or task.result_paths or len(task.inputs) > 1:
        folder.mkdir(mode=0o700, exist_ok=True)
    for name, numbers in (("outputs", range(len(task.result_paths))), ("inputs", inputs)):
        if numbers:
            (folder / name).mkdir(exist_ok=True)
        for number in numbers:
            (folder / name / str(number)).mkdir(exist_ok=True)


def _remove_folders(folders: Sequence[Path]) -> None:
    for one in folders:
        _remove_folder(one)


def _remove_folder(folder: Path) -> None:
    """Also where a program has made folders in folders until no handle was left for them."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        pass
    try:
        remove_tree(folder)
    except OSError:
        pass  # gone, as it should be; what cannot be removed is tried again at the next start
