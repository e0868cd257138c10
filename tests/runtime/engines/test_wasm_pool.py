"""Workers: lent, reused, sent away when idle, gone with their node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import cast

import pytest
import trio

from runtime.engines import wasm_pool
from runtime.engines.wasm_pool import WorkerPool
from tests.runtime.programs import assemble

pytestmark = pytest.mark.real("wasm")


@pytest.fixture
async def pool(tmp_path):
    pool = WorkerPool(tmp_path, idle_s=0.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.serve)
        yield pool
        nursery.cancel_scope.cancel()


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def wait_until(condition: Callable[[], bool]) -> None:
    """For what other processes do, and nobody tells."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.001)


async def wait_gone(pid: int) -> None:
    await wait_until(lambda: not alive(pid))


async def test_one_is_warm_before_it_is_needed_and_used_again(pool):
    await wait_until(lambda: bool(pool.idle))
    warm = pool.idle[0]
    worker = await pool.lend()
    assert worker is warm
    await pool.give_back(worker)
    again = await pool.lend()
    assert again is worker
    await again.kill()


async def test_all_but_one_go_when_idle(pool):
    workers = [await pool.lend() for _ in range(3)]
    for worker in workers:
        await pool.give_back(worker)
    await wait_until(lambda: sum(alive(worker.pid) for worker in workers) <= 1)
    assert len(pool.idle) == 1


async def test_idle_ones_are_kept_for_a_while(tmp_path):
    pool = WorkerPool(tmp_path, idle_s=3600)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.serve)
        workers = [await pool.lend() for _ in range(2)]
        for worker in workers:
            await pool.give_back(worker)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert set(workers) <= set(pool.idle)
        nursery.cancel_scope.cancel()
    assert pool.idle == ()
    for worker in workers:
        assert not alive(worker.pid)


async def test_a_dead_idle_one_is_not_lent(pool):
    worker = await pool.lend()
    await pool.give_back(worker)
    os.kill(worker.pid, signal.SIGKILL)
    await wait_gone(worker.pid)
    another = await pool.lend()
    assert another.pid != worker.pid
    assert alive(another.pid)
    await another.kill()


async def test_a_worker_has_a_session_of_its_own_and_no_secrets(pool, monkeypatch):
    monkeypatch.setenv("BACALHAU_MESH_LAB", "swordfish")
    worker = await pool._start()
    assert os.getsid(worker.pid) == worker.pid != os.getsid(0)
    async with await trio.open_file(f"/proc/{worker.pid}/environ", "rb") as file:
        assert b"swordfish" not in await file.read()
    worker.kill()
    await worker.wait()


async def test_what_is_no_answer_ends_the_conversation(pool, monkeypatch):
    monkeypatch.setattr(wasm_pool, "MAX_ANSWER_BYTES", 1)
    worker = await pool.lend()
    await worker.send({"module": "/nowhere"})
    assert await worker.receive() is None
    await worker.kill()


NODE = """
    import subprocess, sys, json, struct, time
    module, modules = sys.argv[1:]
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "runtime.engines.wasm_worker", modules, "1.0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )
    job = {"module": module, "module_name": "main.wasm", "imports": [], "entrypoint": "_start",
           "arguments": ["main.wasm"], "env": {}, "folders": [], "stdout": modules + "/o",
           "stderr": modules + "/e", "log": modules + "/l", "output_limit_bytes": 10,
           "memory_bytes": 1 << 26}
    body = json.dumps(job).encode()
    worker.stdin.write(struct.pack(">I", len(body)) + body)
    worker.stdin.flush()
    worker.stdout.read(4)
    print(worker.pid, flush=True)
    sys.stdin.read()
"""


async def test_a_spinning_worker_dies_with_its_node(tmp_path):
    (tmp_path / "spin.wasm").write_bytes(assemble("spin"))
    node = await trio.lowlevel.open_process(
        [sys.executable, "-c", textwrap.dedent(NODE), tmp_path / "spin.wasm", tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert node.stdout is not None
    with trio.fail_after(20):
        pid = int(await node.stdout.receive_some())
    assert alive(pid)
    node.kill()
    await node.wait()
    await wait_gone(pid)


class _Pipe:
    """What a worker has written, in the pieces in which it arrives."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    async def receive_some(self, max_bytes: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


class _Child:
    def __init__(self, *pieces: bytes) -> None:
        self.stdout = _Pipe(*pieces)


FRAMES = b"".join(
    wasm_pool.LENGTH.pack(len(body)) + body for body in (b'{"started": true}', b'{"exit_code": 0}')
)


@pytest.mark.parametrize(
    "pieces",
    [(FRAMES,), (FRAMES[:2], FRAMES[2:30], FRAMES[30:]), tuple(bytes([one]) for one in FRAMES)],
    ids=["together", "cut anywhere", "byte by byte"],
)
async def test_frames_come_one_by_one_however_they_arrive(pieces):
    worker = wasm_pool.Worker(cast(trio.Process, _Child(*pieces)))
    assert [await worker.receive() for _ in range(3)] == [{"started": True}, {"exit_code": 0}, None]


@pytest.mark.parametrize(
    "data", [FRAMES[:3], FRAMES[:9], wasm_pool.LENGTH.pack(1 << 31) + b"{}"], ids=repr
)
async def test_a_frame_that_is_cut_off_or_too_large_is_none(data):
    assert await wasm_pool.Worker(cast(trio.Process, _Child(data))).receive() is None
