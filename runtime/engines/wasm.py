"""The WebAssembly engine: WASI preview 1 modules in warm child processes.

A job is ended by killing its worker, the only stop that always works: a guest may spin, or wait in
a host call that nothing interrupts. The node itself never loads the run-time.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import trio

from runtime.attempt import EngineEnded, tail_text
from runtime.engines.wasm_pool import KILL_WAIT_S, WorkerPool
from runtime.outputs import read_tail
from runtime.ports import EngineJob, EngineReport, EngineSetup, Mount, Running
from scheduler.ids import AttemptId
from scheduler.jobs import Failure

WORKERS_PER_CORE = 8
"""A bound on processes, not on work: what runs was reserved, but small jobs reserve little."""
DEFAULT_MEMORY_BYTES = 512_000_000
"""Bacalhau's default for a job, where the specification came without one."""
DEFAULT_ENTRYPOINT = "_start"


class CannotRun(Exception):
    """The job makes no sense to this engine: one sentence."""


class WasmEngine:
    """Runs `wasm` jobs: `EntryModule`, `Entrypoint`, `Parameters`, `ImportModules`."""

    name = "wasm"

    def __init__(self, setup: EngineSetup) -> None:
        modules = setup.data_dir / "modules"
        modules.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._pool = WorkerPool(modules)
        self._room = trio.CapacityLimiter(WORKERS_PER_CORE * (os.cpu_count() or 1))
        self._running = Running()

    async def probe(self) -> EngineReport:
        """Whether the run-time is installed."""
        if importlib.util.find_spec("wasmtime") is None:
            return EngineReport(available=False, detail="The package wasmtime is not installed.")
        return EngineReport(available=True, version=importlib.metadata.version("wasmtime"))

    async def serve(self) -> None:
        """Keep a worker warm."""
        await self._pool.serve()

    async def run(self, job: EngineJob, started: Callable[[], None]) -> EngineEnded:
        """Run one module to its end."""
        ended: EngineEnded | None = None
        with self._running.open(job.attempt):
            try:
                async with self._room:
                    ended = await self._run(job, started)
            except CannotRun as error:
                ended = await _ended_early(job, Failure.MODULE_INVALID.value, str(error))
            except OSError as error:
                sentence = f"The wasm worker cannot be started or fed: {error.strerror}."
                ended = await _ended_early(job, Failure.ENGINE.value, sentence)
            finally:
                self._running.shut(job.attempt)
        return ended or await _ended_early(job, "", "The program was ended at our asking.")

    async def stop(self, attempt: AttemptId, grace_s: float) -> None:
        """Kill the worker: WASI preview 1 has no way to ask a program to end, so grace buys
        nothing."""
        self._running.stop(attempt)

    async def _run(self, job: EngineJob, started: Callable[[], None]) -> EngineEnded:
        message = await _worker_job(job)
        worker = await self._pool.lend()
        finished, code = False, -signal.SIGKILL
        try:
            await worker.send(message)
            while (answer := await worker.receive()) is not None and "started" in answer:
                started()
            finished = answer is not None
        except trio.BrokenResourceError:
            answer = None
        finally:
            if not finished:
                with trio.move_on_after(KILL_WAIT_S, shield=True):
                    code = await worker.kill()
        if answer is None:
            return await _ended_early(job, Failure.ENGINE.value, _death_sentence(code))
        await self._pool.give_back(worker)
        return _ended(answer)


async def _worker_job(job: EngineJob) -> Mapping[str, Any]:
    """What the worker is told; CannotRun when the job names a module that it does not bring."""
    params = {key.lower(): value for key, value in job.task.engine.params.items()}
    by_target = {mount.guest: mount for mount in job.inputs}
    module = _module_mount(by_target, params.get("entrymodule"))
    imports = [_module_mount(by_target, target) for target in params.get("importmodules") or ()]
    mounts = [one for one in job.inputs if one is not module and one not in imports]
    folders = [(str(one.host), one.guest, True) for one in job.outputs]
    if mounts:
        folders += await trio.to_thread.run_sync(_preopens, mounts, job.scratch)
    guests = [guest for _, guest, _ in folders]
    for guest in guests:
        if guests.count(guest) > 1:
            raise CannotRun(
                f"Two inputs or results want the folder {guest}: give each a folder of its own."
            )
    name = PurePosixPath(module.guest).name
    return {
        "module": str(module.host),
        "module_name": name,
        "imports": [(one.guest, str(one.host)) for one in imports],
        "entrypoint": params.get("entrypoint") or DEFAULT_ENTRYPOINT,
        "arguments": [name, *map(str, params.get("parameters") or ())],
        "env": dict(sorted(job.env.items())),
        "folders": folders,
        "stdout": str(job.stdout),
        "stderr": str(job.stderr),
        "log": str(job.log),
        "output_limit_bytes": job.output_limit_bytes,
        "memory_bytes": job.task.resources.memory_bytes or DEFAULT_MEMORY_BYTES,
    }


def _module_mount(by_target: Mapping[str, Mount], target: object) -> Mount:
    text = "/" + str(target or "").lstrip("/")
    if text not in by_target:
        raise CannotRun(
            f"No input brings the module {text}: EntryModule and ImportModules name the Target of "
            "an input."
        )
    return by_target[text]


def _preopens(mounts: list[Mount], scratch: Path) -> list[tuple[str, str, bool]]:
    """Folders to open for the program. WASI knows folders only, so files that share a parent are
    put together in one of ours, under another name of the same file where the disk allows that."""
    folders: list[tuple[str, str, bool]] = []
    parents: dict[str, Path] = {}
    for mount in mounts:
        if mount.host.is_dir():
            folders.append((str(mount.host), mount.guest, not mount.read_only))
            continue
        if not mount.read_only:
            raise CannotRun(
                f"{mount.guest} is a single file to be written: give its folder as the input."
            )
        guest = PurePosixPath(mount.guest)
        parent = parents.setdefault(str(guest.parent), scratch / str(len(parents)))
        parent.mkdir(parents=True, exist_ok=True)
        _show_file(mount.host, parent / guest.name)
    return folders + [(str(path), guest, False) for guest, path in parents.items()]


def _show_file(host: Path, shown: Path) -> None:
    try:
        os.link(host, shown, follow_symlinks=True)
    except OSError:  # another disk, or a file of another user: a copy serves as well
        with open(host, "rb") as source, open(shown, "xb") as target:
            while chunk := source.read(1 << 20):
                target.write(chunk)


def _ended(answer: Mapping[str, Any]) -> EngineEnded:
    stdout, stderr = (tail_text(text.encode("latin-1")) for text in answer["tails"])
    stdout_bytes, stderr_bytes = answer["sizes"]
    return EngineEnded(
        exit_code=answer["exit_code"],
        failure=answer["failure"],
        message=answer["message"],
        stdout_tail=stdout,
        stderr_tail=stderr,
        stdout_bytes=stdout_bytes,
        stderr_bytes=stderr_bytes,
    )


async def _ended_early(job: EngineJob, failure: str, message: str) -> EngineEnded:
    """The worker cannot tell any more what was printed: the files can."""
    (stdout, stdout_bytes), (stderr, stderr_bytes) = await trio.to_thread.run_sync(
        lambda: (read_tail(str(job.stdout)), read_tail(str(job.stderr)))
    )
    return EngineEnded(
        exit_code=None,
        failure=failure,
        message=message,
        stdout_tail=tail_text(stdout),
        stderr_tail=tail_text(stderr),
        stdout_bytes=stdout_bytes,
        stderr_bytes=stderr_bytes,
    )


def _death_sentence(code: int) -> str:
    if code == -signal.SIGKILL:
        return "The wasm worker was killed from outside, most likely because memory ran out."
    if code < 0:
        return f"The wasm worker was ended by {signal.Signals(-code).name} while it ran the module."
    return f"The wasm worker ended with code {code} while it ran the module."
