"""Output as readers get it: at once what is there, and what comes as soon as it comes."""

from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from mesh.node.output import LOOK_S, read_output
from mesh.node.requests import LogQuestion
from runtime.logs import LogPage, Logs
from runtime.outputs import CLOCK, CLOCK_TIME, FRAME_HEADER, STDOUT
from scheduler.ids import AttemptId

ATTEMPT = AttemptId("e-1")


class FakeExecutor:
    def __init__(self, folder: Path) -> None:
        self.logs = Logs(folder)
        self.running = True

    def holds(self, attempt: AttemptId) -> bool:
        return self.running

    def read_log(self, attempt: AttemptId, *, offset: int, limit_bytes: int) -> LogPage:
        return self.logs.read(attempt, offset=offset, limit_bytes=limit_bytes)

    def write(self, stream: int, data: bytes) -> None:
        with open(self.logs.path(ATTEMPT), "ab") as file:
            file.write(FRAME_HEADER.pack(stream, len(data)) + data)


@pytest.fixture
def executor(tmp_path: Path) -> FakeExecutor:
    return FakeExecutor(tmp_path / "logs")


async def ask(executor: FakeExecutor, **wish: Any) -> tuple[bytes, int, bool]:
    question = LogQuestion(ATTEMPT, **{"offset": 0, "limit_bytes": 1000, **wish})
    parts, after, ended = await read_output(cast(Any, executor), question)
    return b"".join(data for _, data in parts), after, ended


async def test_what_is_there_comes_at_once(executor: FakeExecutor) -> None:
    assert await ask(executor) == (b"", 0, False)
    executor.write(STDOUT, b"one")
    assert await ask(executor, wait_s=60) == (b"one", 8, False)
    executor.running = False
    assert await ask(executor, wait_s=60, offset=8) == (b"", 8, True)


async def test_what_comes_is_told_as_soon_as_it_comes(
    executor: FakeExecutor, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:

        async def print_later() -> None:
            await trio.sleep(1)
            executor.write(STDOUT, b"late")

        nursery.start_soon(print_later)
        assert await ask(executor, wait_s=5) == (b"late", 9, False)
        assert trio.current_time() == pytest.approx(1, abs=2 * LOOK_S)


async def test_patience_ends(
    executor: FakeExecutor, autojump_clock: trio.testing.MockClock
) -> None:
    assert await ask(executor, wait_s=5) == (b"", 0, False)
    assert trio.current_time() == pytest.approx(5, abs=LOOK_S)


async def test_the_end_is_told_at_once(
    executor: FakeExecutor, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:

        async def end_later() -> None:
            await trio.sleep(1)
            executor.running = False

        nursery.start_soon(end_later)
        assert (await ask(executor, wait_s=5))[2]
        assert trio.current_time() == pytest.approx(1, abs=2 * LOOK_S)


async def test_only_what_was_printed_since(executor: FakeExecutor) -> None:
    for at_ms, data in ((10_000, b"old"), (20_000, b"new")):
        executor.write(CLOCK, CLOCK_TIME.pack(at_ms))
        executor.write(STDOUT, data)
    told, after, _ = await ask(executor, since_ms=20_000)
    assert told == b"new"
    assert (await ask(executor, since_ms=20_000, offset=after))[0] == b""
