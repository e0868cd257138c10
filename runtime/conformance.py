"""The suite that every engine passes, plug-ins included; run from a test.

A test gives a `Program` for each name in `PROGRAMS` that the engine can express, and runs each case
whose programs it has:

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
    async def test_conforms(case, tmp_path):
        async with serving(engine):
            await case(Subject(engine, programs, tmp_path))
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from runtime.attempt import EngineEnded
from runtime.ports import Engine, EngineJob, Mount
from scheduler.ids import AttemptId
from scheduler.jobs import Failure, Resources, Source, Task

PROGRAMS: Mapping[str, str] = {
    "exit_0": "ends well and prints nothing",
    "exit_7": "ends with code 7",
    "two_streams": "prints `out` to stdout and `err` to stderr, each with a newline",
    "environment": "prints its environment to stdout, as K=V with a zero byte after each",
    "arguments": "prints its arguments to stdout, with a zero byte after each; it is given `one` "
    "and `two` after its name",
    "copy": "copies /inputs/in.txt to /outputs/out.txt",
    "overwrite": "tries to write to /inputs/in.txt, and ends with a code other than 0 where it "
    "may not",
    "spin": "never ends",
    "flood": "prints more than 64 KiB to stdout, then ends well",
    "broken": "cannot be started",
}
INPUT_TEXT = b"water temperature 84.5\n"
LIMIT_BYTES = 64 << 10
PATIENCE_S = 30.0
"""A bound against hanging, not a measure: cold starts on a busy machine take a second."""


@dataclass(frozen=True, slots=True)
class Program:
    """What the engine is told to run; `module` is brought as an input at `/main.wasm`."""

    engine: Source
    module: bytes | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine that is being served, its programs, and an empty folder."""

    engine: Engine
    programs: Mapping[str, Program]
    folder: Path

    def job(self, name: str, *, attempt: str = "e-one") -> EngineJob:
        """A job that runs the program of this name, in a folder of its own."""
        program, home = self.programs[name], self.folder / attempt
        for folder in ("inputs", "outputs", "scratch"):
            (home / folder).mkdir(parents=True)
        (home / "inputs" / "in.txt").write_bytes(INPUT_TEXT)
        inputs = [Mount(home / "inputs", "/inputs", read_only=True)]
        if program.module is not None:
            (home / "main.wasm").write_bytes(program.module)
            inputs.append(Mount(home / "main.wasm", "/main.wasm", read_only=True))
        return EngineJob(
            attempt=AttemptId(attempt),
            task=Task("main", program.engine, resources=Resources(500, 64 << 20)),
            env={"GREETING": "ahoy"},
            inputs=tuple(inputs),
            outputs=(Mount(home / "outputs", "/outputs", read_only=False),),
            scratch=home / "scratch",
            stdout=home / "stdout",
            stderr=home / "stderr",
            log=home / "log",
        )

    async def run(self, name: str) -> EngineEnded:
        """Run a program to its end."""
        return await self.run_job(self.job(name))

    async def run_job(self, job: EngineJob) -> EngineEnded:
        """Run a job to its end, and see that it began once; it need not where it cannot start."""
        began: list[None] = []
        with trio.fail_after(PATIENCE_S):
            ended = await self.engine.run(job, lambda: began.append(None))
        assert len(began) <= 1
        assert began or ended.exit_code is None
        return ended


_BEFORE_START = (Failure.ENGINE.value, Failure.MODULE_INVALID.value)


@contextlib.asynccontextmanager
async def serving(engine: Engine) -> AsyncIterator[None]:
    """Keeps what the engine needs while the block runs."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.serve)
        yield
        nursery.cancel_scope.cancel()


async def is_available(subject: Subject) -> None:
    """An engine that is to be tested says that it is there, and which it is."""
    report = await subject.engine.probe()
    assert report.available, report.detail
    assert report.version


async def tells_exit_codes(subject: Subject) -> None:
    """Zero and others."""
    for name, code in (("exit_0", 0), ("exit_7", 7)):
        ended = await subject.run_job(subject.job(name, attempt=f"e-{name}"))
        assert (ended.exit_code, ended.failure) == (code, "")
        assert (ended.stdout_tail, ended.stderr_tail) == ("", "")


async def keeps_streams_apart(subject: Subject) -> None:
    """In files of their own, in tails of their own, and in one log."""
    job = subject.job("two_streams")
    ended = await subject.run_job(job)
    assert (job.stdout.read_bytes(), job.stderr.read_bytes()) == (b"out\n", b"err\n")
    assert (ended.stdout_tail, ended.stderr_tail) == ("out\n", "err\n")
    assert (ended.stdout_bytes, ended.stderr_bytes) == (4, 4)
    assert job.log.stat().st_size > 8


async def passes_environment(subject: Subject) -> None:
    """Just what the job has, nothing of the node's own."""
    ended = await subject.run("environment")
    assert ended.stdout_tail == "GREETING=ahoy\0"


async def passes_arguments(subject: Subject) -> None:
    """After the program's own name."""
    ended = await subject.run("arguments")
    assert ended.stdout_tail.split("\0")[1:] == ["one", "two", ""]


async def shows_inputs_and_results(subject: Subject) -> None:
    """Inputs at their targets, results from their paths."""
    job = subject.job("copy")
    ended = await subject.run_job(job)
    assert (ended.exit_code, ended.failure) == (0, "")
    assert (job.outputs[0].host / "out.txt").read_bytes() == INPUT_TEXT


async def keeps_inputs_read_only(subject: Subject) -> None:
    """A program cannot change what it was only to read."""
    job = subject.job("overwrite")
    ended = await subject.run_job(job)
    assert ended.exit_code != 0
    assert (job.inputs[0].host / "in.txt").read_bytes() == INPUT_TEXT


async def stops_what_spins(subject: Subject) -> None:
    """A program that never looks up ends at our asking, and the engine runs the next one."""
    job = subject.job("spin")
    ended: list[EngineEnded] = []

    async def run(started: Callable[[], None]) -> None:
        ended.append(await subject.engine.run(job, started))

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            begun = trio.Event()
            nursery.start_soon(run, begun.set)
            await begun.wait()
            await subject.engine.stop(job.attempt, 0.1)
    assert (ended[0].exit_code, ended[0].failure) == (None, "")
    after = await subject.run_job(subject.job("exit_7", attempt="e-after"))
    assert after.exit_code == 7


async def stops_nothing_else(subject: Subject) -> None:
    """Stopping an attempt that is not there is no error and hurts nobody."""
    await subject.engine.stop(AttemptId("e-nobody"), 0.1)
    assert (await subject.run("exit_7")).exit_code == 7


async def bounds_output(subject: Subject) -> None:
    """What is beyond the limit is counted and not kept."""
    job = replace(subject.job("flood"), output_limit_bytes=LIMIT_BYTES)
    ended = await subject.run_job(job)
    assert ended.exit_code == 0
    assert job.stdout.stat().st_size == LIMIT_BYTES < ended.stdout_bytes


async def says_why_it_cannot_start(subject: Subject) -> None:
    """In one sentence."""
    ended = await subject.run("broken")
    assert ended.exit_code is None
    assert ended.failure in _BEFORE_START
    assert ended.message.endswith(".")
    assert "\n" not in ended.message


async def runs_two_at_once(subject: Subject) -> None:
    """One that never ends does not hold up another."""
    spinning, begun = subject.job("spin", attempt="e-spinning"), trio.Event()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subject.engine.run, spinning, begun.set)
            await begun.wait()
            assert (await subject.run("exit_7")).exit_code == 7
            await subject.engine.stop(spinning.attempt, 0.1)


async def can_be_cancelled(subject: Subject) -> None:
    """A cancelled run is over when the call returns, and the engine runs the next one."""
    job = subject.job("spin")
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subject.engine.run, job, nursery.cancel_scope.cancel)
    after = await subject.run_job(subject.job("exit_7", attempt="e-after"))
    assert after.exit_code == 7


Case = Callable[[Subject], Awaitable[None]]
CASES: Mapping[Case, tuple[str, ...]] = {
    is_available: (),
    tells_exit_codes: ("exit_0", "exit_7"),
    keeps_streams_apart: ("two_streams",),
    passes_environment: ("environment",),
    passes_arguments: ("arguments",),
    shows_inputs_and_results: ("copy",),
    keeps_inputs_read_only: ("overwrite",),
    stops_what_spins: ("spin", "exit_7"),
    stops_nothing_else: ("exit_7",),
    bounds_output: ("flood",),
    says_why_it_cannot_start: ("broken",),
    runs_two_at_once: ("spin", "exit_7"),
    can_be_cancelled: ("spin", "exit_7"),
}
"""Each case and the programs that it needs."""
