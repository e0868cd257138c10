"""A container whose engine is killed under it, on a real dockerd of this file's own."""

from __future__ import annotations

import pytest
import trio

from runtime.conformance import Subject, serving
from runtime.conformance_lasting import until
from runtime.engines.docker import DockerEngine
from runtime.ports import EngineSetup
from tests.runtime.engines.docker_programs import shell
from tests.system.docker_engine import private_engine

pytestmark = pytest.mark.real("docker")

PATIENCE_S = 180.0
"""A bound against hanging: an engine that starts on a busy machine takes a minute."""
PATIENT = shell("echo one; while [ ! -e /inputs/go ]; do sleep 0.02; done; echo two; exit 7")


@pytest.fixture(scope="module")
def with_live_restore(tmp_path_factory):
    with private_engine(tmp_path_factory.mktemp("live"), live_restore=True) as dockerd:
        yield dockerd


@pytest.fixture(scope="module")
def without_live_restore(tmp_path_factory):
    with private_engine(tmp_path_factory.mktemp("plain")) as dockerd:
        yield dockerd


async def run_while(dockerd, folder, program, break_it):
    """Run the program; `break_it(job)` once it has printed its first line; the job and its end."""
    engine = DockerEngine(EngineSetup(folder / "data", {"docker_host": dockerd.host}))
    subject = Subject(engine, {"it": program}, folder)
    wanted, ended = subject.job("it"), []

    async def run():
        ended.append(await engine.run(wanted, lambda: None))

    with trio.fail_after(PATIENCE_S):
        async with serving(engine):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                await until(wanted.stdout.exists)
                await break_it(wanted)
            await engine.release(wanted.attempt)
            assert await engine.survivors() == ()
    return wanted, ended[0]


def go(job) -> None:
    (job.inputs[0].host / "go").touch()


async def test_a_container_that_ran_on_is_found_again(with_live_restore, tmp_path):
    dockerd = with_live_restore

    async def kill_and_start(job):
        dockerd.kill()
        await trio.to_thread.run_sync(dockerd.start)
        go(job)

    wanted, ended = await run_while(dockerd, tmp_path, PATIENT, kill_and_start)
    assert (ended.exit_code, ended.failure) == (7, "")
    assert wanted.stdout.read_bytes() == b"one\ntwo\n"


async def test_a_container_that_ended_meanwhile_keeps_its_code(with_live_restore, tmp_path):
    dockerd = with_live_restore

    async def end_in_the_gap(job):
        dockerd.kill()
        go(job)
        await until((job.outputs[0].host / "done").exists)
        await trio.to_thread.run_sync(dockerd.start)

    program = shell(
        "echo one; while [ ! -e /inputs/go ]; do sleep 0.02; done; touch /outputs/done; exit 7"
    )
    wanted, ended = await run_while(dockerd, tmp_path, program, end_in_the_gap)
    assert (ended.exit_code, ended.failure) == (7, "")
    assert wanted.stdout.read_bytes() == b"one\n"
    assert b"the Docker engine was away when this ended" in wanted.stderr.read_bytes()


@pytest.mark.parametrize("way", ["kill", "stop"])
async def test_a_container_that_fell_with_its_engine(without_live_restore, tmp_path, way):
    dockerd = without_live_restore

    async def end_and_start(job):
        await trio.to_thread.run_sync(getattr(dockerd, way))
        await trio.to_thread.run_sync(dockerd.start)

    _, ended = await run_while(dockerd, tmp_path, PATIENT, end_and_start)
    assert (ended.exit_code, ended.failure) == (None, "engine")
    assert "went away, and its containers with it" in ended.message


async def test_an_engine_that_comes_and_goes_is_told(without_live_restore, tmp_path):
    dockerd = without_live_restore
    engine = DockerEngine(EngineSetup(tmp_path / "data", {"docker_host": dockerd.host}))
    subject = Subject(engine, {"it": shell("exit 7")}, tmp_path)
    async with serving(engine):
        assert (await subject.run_job(subject.job("it", attempt="e-before"))).exit_code == 7
        dockerd.kill()
        report = await engine.probe()
        assert not report.available
        assert "does not answer" in report.detail
        assert (await subject.run_job(subject.job("it", attempt="e-without"))).failure == "engine"
        await trio.to_thread.run_sync(dockerd.start)
        assert (await engine.probe()).available
        assert (await subject.run_job(subject.job("it", attempt="e-after"))).exit_code == 7
        await engine.sweep()
        for attempt in await engine.survivors():
            await engine.release(attempt)


async def test_an_engine_that_stays_away(without_live_restore, tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.engines.docker_container.ENGINE_RETURN_S", 0.5)
    dockerd = without_live_restore
    engine = DockerEngine(EngineSetup(tmp_path / "data", {"docker_host": dockerd.host}))
    wanted, ended = Subject(engine, {"it": PATIENT}, tmp_path).job("it"), []

    async def run():
        ended.append(await engine.run(wanted, lambda: None))

    with trio.fail_after(PATIENCE_S):
        async with serving(engine):
            await engine.sweep()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                await until(wanted.stdout.exists)
                dockerd.kill()
            await engine.release(wanted.attempt)
            await trio.to_thread.run_sync(dockerd.start)
            # Nobody holds it any more: it is removed without being asked again.
            while await engine.survivors():  # noqa: ASYNC110
                await trio.sleep(0.05)
    assert ended[0].failure == "engine"
    assert "did not come back" in ended[0].message
