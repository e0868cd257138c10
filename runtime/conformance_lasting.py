"""What engines whose programs outlive the node's process pass besides `runtime.conformance`.

A test gives a function that makes the engine anew, as a node does that starts again, and these
programs; then it runs each case with a folder of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from runtime.attempt import EngineEnded
from runtime.conformance import PATIENCE_S, Program, Subject, serving
from runtime.logs import Logs
from runtime.outputs import STDOUT
from runtime.ports import EngineJob, LastingEngine
from scheduler.ids import AttemptId

LASTING_PROGRAMS: Mapping[str, str] = {
    "patient": "prints `one` and a newline, waits until /inputs/go is there, prints `two` and a "
    "newline, and ends with code 7",
}
LOOK_S = 0.01
"""Between two looks at a file."""


@dataclass(frozen=True, slots=True)
class LastingSubject:
    """How to make the engine, its programs, and an empty folder."""

    make: Callable[[], LastingEngine]
    programs: Mapping[str, Program]
    folder: Path

    def job(self, attempt: str = "e-lasting") -> EngineJob:
        """The patient program in a folder of its own."""
        return Subject(self.make(), self.programs, self.folder).job("patient", attempt=attempt)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[LastingEngine]:
        """One life of the node."""
        engine = self.make()
        async with serving(engine):
            yield engine

    async def crash_while_running(self, job: EngineJob) -> None:
        """Run it in a life of the node that ends while the program does not."""
        with trio.fail_after(PATIENCE_S):
            async with self.serving() as engine, trio.open_nursery() as nursery:
                nursery.start_soon(engine.run, job, _nothing)
                await until(lambda: job.stdout.exists() and job.stdout.read_bytes() == b"one\n")
                nursery.cancel_scope.cancel()


async def until(true: Callable[[], bool]) -> None:
    """Wait for what a program does to files: they tell nobody."""
    while not true():  # noqa: ASYNC110
        await trio.sleep(LOOK_S)


def let_go(job: EngineJob) -> None:
    """Let the patient program go on."""
    (job.inputs[0].host / "go").touch()


async def adopt(engine: LastingEngine, job: EngineJob) -> EngineEnded | None:
    """Adopt with a bound against hanging, and see that it is told once when it is there."""
    ran_s: list[float] = []
    with trio.fail_after(PATIENCE_S):
        ended = await engine.adopt(job, ran_s.append)
    assert len(ran_s) == (0 if ended is None else 1)
    assert all(0 <= one < PATIENCE_S for one in ran_s)
    return ended


def _nothing() -> None:
    pass


async def goes_on_after_a_crash(subject: LastingSubject) -> None:
    """Nothing starts again, and the output has neither gap nor repetition."""
    job = subject.job()
    await subject.crash_while_running(job)
    async with subject.serving() as engine:
        assert job.attempt in await engine.survivors()
        let_go(job)
        ended = await adopt(engine, job)
        assert ended is not None
        assert (ended.exit_code, ended.failure) == (7, "")
        assert (ended.stdout_tail, ended.stdout_bytes) == ("one\ntwo\n", 8)
        assert job.stdout.read_bytes() == b"one\ntwo\n"
        page = Logs(job.log.parent).read(AttemptId(job.log.name), offset=0, limit_bytes=1000)
        assert page.parts == ((STDOUT, b"one\ntwo\n"),)
        await engine.release(job.attempt)
        assert job.attempt not in await engine.survivors()


async def adopts_what_has_ended(subject: LastingSubject) -> None:
    """Also again, by yet another life, until it is released."""
    job = subject.job()
    await subject.crash_while_running(job)
    let_go(job)
    for _ in range(2):
        async with subject.serving() as engine:
            ended = await adopt(engine, job)
            assert ended is not None
            assert (ended.exit_code, ended.stdout_bytes) == (7, 8)
            assert job.stdout.read_bytes() == b"one\ntwo\n"
    async with subject.serving() as engine:
        await engine.sweep()
        assert await engine.survivors() == ()


async def stops_what_it_adopted(subject: LastingSubject) -> None:
    """As what it has begun itself."""
    job = subject.job()
    await subject.crash_while_running(job)
    ended: list[EngineEnded | None] = []
    with trio.fail_after(PATIENCE_S):
        async with subject.serving() as engine:
            async with trio.open_nursery() as nursery:
                adopted = trio.Event()

                async def go_on() -> None:
                    ended.append(await engine.adopt(job, lambda ran_s: adopted.set()))

                nursery.start_soon(go_on)
                await adopted.wait()
                await engine.stop(job.attempt, 0.1)
            await engine.release(job.attempt)
    assert ended[0] is not None
    assert (ended[0].exit_code, ended[0].failure) == (None, "")


async def adopts_nothing_where_nothing_is(subject: LastingSubject) -> None:
    """None, and it may be run elsewhere."""
    async with subject.serving() as engine:
        assert await adopt(engine, subject.job("e-never")) is None


async def sweeps_what_nobody_wants(subject: LastingSubject) -> None:
    """And spares what runs."""
    left, wanted = subject.job("e-left"), subject.job("e-wanted")
    await subject.crash_while_running(left)
    with trio.fail_after(PATIENCE_S):
        async with subject.serving() as engine, trio.open_nursery() as nursery:
            begun = trio.Event()
            nursery.start_soon(engine.run, wanted, begun.set)
            await begun.wait()
            await engine.sweep()
            assert await engine.survivors() == (wanted.attempt,)
            await engine.stop(wanted.attempt, 0.1)
            await engine.release(wanted.attempt)
            assert await engine.survivors() == ()


LastingCase = Callable[[LastingSubject], Awaitable[None]]
LASTING_CASES: tuple[LastingCase, ...] = (
    goes_on_after_a_crash,
    adopts_what_has_ended,
    stops_what_it_adopted,
    adopts_nothing_where_nothing_is,
    sweeps_what_nobody_wants,
)
