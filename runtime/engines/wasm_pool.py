"""Warm child processes for WebAssembly: lent for one job, killed when a job must end, few when
idle."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import trio

import runtime

LENGTH = struct.Struct(">I")
MAX_ANSWER_BYTES = 1 << 20
"""An answer is two tails and a sentence: some 20 KiB at most."""
READ_BYTES = 16 * 1024
"""Of a worker's pipe at once: a whole answer nearly always."""
IDLE_S = 20.0
"""How long a second idle worker is kept: a user's next job comes within seconds or not at all."""
KILL_WAIT_S = 10.0
"""The kernel needs a millisecond; one stuck in a dead disk must not hold the node."""
KEPT_IDLE = 1
"""33 MB that make the first job after a pause start at once."""
WORKER = "runtime.engines.wasm_worker"
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")
"""Of the node's environment: nothing that may hold a secret."""


class Worker:
    """One child process and the frames to and from it."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.idle_since_s = 0.0
        self._received = bytearray()

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    async def send(self, message: Mapping[str, Any]) -> None:
        """Write one frame; trio.BrokenResourceError when the child is gone."""
        assert self.process.stdin is not None
        body = json.dumps(message).encode()
        await self.process.stdin.send_all(LENGTH.pack(len(body)) + body)

    async def receive(self) -> dict[str, Any] | None:
        """The next answer; None when the child has ended."""
        if not await self._fill(LENGTH.size):
            return None
        end = LENGTH.size + LENGTH.unpack_from(self._received)[0]
        if end > MAX_ANSWER_BYTES or not await self._fill(end):
            return None
        body = self._received[LENGTH.size : end]
        del self._received[:end]
        return dict(json.loads(body))

    async def kill(self) -> int:
        """End the child now and wait until it is gone; what it ended with. Cannot be cancelled."""
        with trio.move_on_after(KILL_WAIT_S, shield=True):
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    await stream.aclose()
        return self.process.returncode or 0

    async def _fill(self, size_bytes: int) -> bool:
        """Until so many bytes are here; False when the child ends before. What comes behind them
        is kept, so that a frame takes one call of the system, or none."""
        assert self.process.stdout is not None
        while len(self._received) < size_bytes:
            try:
                chunk = await self.process.stdout.receive_some(READ_BYTES)
            except trio.BrokenResourceError:
                return False
            if not chunk:
                return False
            self._received += chunk
        return True


class WorkerPool:
    """Lends workers. Idle ones beyond the first are gone after a while."""

    def __init__(self, modules: Path, *, idle_s: float = IDLE_S) -> None:
        self._modules = modules
        self._idle_s = idle_s
        self._idle: deque[Worker] = deque()
        self._changed = trio.Event()
        self._closed = False
        self._warming: trio.Event | None = None
        """Set once the first worker, which is being started, can be lent."""

    @property
    def idle(self) -> tuple[Worker, ...]:
        """Workers that wait for a job, the longest idle first."""
        return tuple(self._idle)

    async def lend(self) -> Worker:
        """A live worker, the one used last where there is one. OSError when none can be started."""
        if self._warming is not None:
            await self._warming.wait()
        while self._idle:
            worker = self._idle.pop()
            if worker.process.returncode is None:
                return worker
            await worker.kill()
        return Worker(await self._start())

    async def give_back(self, worker: Worker) -> None:
        """The worker's job is over and it is ready for another."""
        if self._closed:
            await worker.kill()
            return
        worker.idle_since_s = trio.current_time()
        self._idle.append(worker)
        self._changed.set()

    async def serve(self) -> None:
        """Keep one worker warm, send surplus ones away; on cancellation none is left behind."""
        try:
            await self._warm()
            while True:
                self._changed = trio.Event()
                if len(self._idle) <= KEPT_IDLE:
                    await self._changed.wait()
                    continue
                await trio.sleep_until(self._idle[0].idle_since_s + self._idle_s)
                if len(self._idle) > KEPT_IDLE and self._expired(self._idle[0]):
                    await self._idle.popleft().kill()
        finally:
            self._closed = True
            with trio.move_on_after(KILL_WAIT_S, shield=True):
                while self._idle:
                    await self._idle.popleft().kill()

    async def _warm(self) -> None:
        self._warming = trio.Event()
        try:
            await self.give_back(Worker(await self._start()))
        except OSError:
            pass  # the first job will say why
        finally:
            self._warming.set()
            self._warming = None

    def _expired(self, worker: Worker) -> bool:
        return trio.current_time() >= worker.idle_since_s + self._idle_s

    async def _start(self) -> trio.Process:
        # A session of its own: Ctrl-C in a terminal is for the node to answer, not for its workers.
        return await trio.lowlevel.open_process(
            [sys.executable, "-P", "-m", WORKER, str(self._modules), version("wasmtime")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=_worker_environment(),
        )


def _worker_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    path = [str(Path(runtime.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**kept, "PYTHONPATH": os.pathsep.join(one for one in path if one)}
