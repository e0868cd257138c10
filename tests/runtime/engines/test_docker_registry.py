"""Pulls from a registry that is slow, or dies in the middle, by a real engine."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import replace

import pytest
import trio

from runtime.conformance import Subject, serving
from runtime.conformance_lasting import until
from runtime.engines.docker import DockerEngine
from runtime.logs import Logs
from runtime.outputs import NOTE
from runtime.ports import EngineSetup
from scheduler.ids import AttemptId
from tests.runtime.engines.docker_programs import command
from tests.system.docker_engine import busybox
from tests.system.fake_registry import serving_image

pytestmark = pytest.mark.real("docker")


@pytest.fixture
def setup(docker_engine, tmp_path):
    options = {"docker_host": docker_engine.host, "cluster": "tests", "node": tmp_path.name}
    return EngineSetup(tmp_path / "data", options)


@pytest.fixture
def registry(docker_engine, tmp_path):
    """Its folder, and the name of its image, which is new each time."""
    raw = io.BytesIO(busybox())
    with tarfile.open(fileobj=raw, mode="a") as tar:
        entry = tarfile.TarInfo("etc/ballast")
        entry.size = 3 << 20
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    folder = tmp_path / "registry"
    folder.mkdir()
    with serving_image(folder, raw.getvalue(), docker_engine.inside) as image:
        yield folder, image


def notes(job) -> str:
    page = Logs(job.log.parent).read(AttemptId(job.log.name), offset=0, limit_bytes=1 << 20)
    return "".join(data.decode() for stream, data in page.parts if stream == NOTE)


async def test_a_pull_is_watched(setup, registry, docker_engine, tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.engines.docker_pull.PROGRESS_S", 0.05)
    folder, image = registry
    engine, ended = DockerEngine(setup), []
    preparing: list[str] = []
    subject = Subject(engine, {"it": command("sh", "-c", "echo out", image=image)}, tmp_path)
    job = replace(subject.job("it"), preparing=preparing.append)

    async def run():
        ended.append(await engine.run(job, lambda: None))

    with trio.fail_after(60):
        async with serving(engine):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                await until(lambda: " MB, 0 of 1 layers are here" in notes(job))
                (folder / "go").touch()
            assert image in await engine.images()
            await engine.release(job.attempt)
    assert (ended[0].exit_code, ended[0].stdout_tail, ended[0].stderr_tail) == (0, "out\n", "")
    assert preparing == [f"The engine is pulling the image {image}."]
    assert job.stdout.read_bytes() == b"out\n"
    docker_engine.docker("rmi", image)


async def test_a_registry_that_dies_in_the_middle(setup, registry, tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.engines.docker_pull.PROGRESS_S", 0.05)
    folder, image = registry
    engine, ended = DockerEngine(setup), []
    subject = Subject(engine, {"it": command("true", image=image)}, tmp_path)
    job = subject.job("it")

    async def run():
        ended.append(await engine.run(job, lambda: None))

    with trio.fail_after(60):
        async with serving(engine), trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await until(lambda: " MB, 0 of 1 layers are here" in notes(job))
            (folder / "die").touch()
    assert ended[0].failure == "image_unavailable"
    assert ended[0].message.startswith(f"The image {image} is not on this node and the engine ")
    assert "docker load" in ended[0].message
    assert "\n" not in ended[0].message
    assert await engine.survivors() == ()


async def test_an_agent_that_dies_while_it_pulls_leaves_nothing(setup, registry, tmp_path):
    folder, image = registry
    subject = Subject(DockerEngine(setup), {"it": command("true", image=image)}, tmp_path)
    job = subject.job("it")
    with trio.fail_after(60):
        async with serving(subject.engine), trio.open_nursery() as nursery:
            nursery.start_soon(subject.engine.run, job, lambda: None)
            await until(lambda: "pulling" in notes(job))
            nursery.cancel_scope.cancel()
        after = DockerEngine(setup)
        async with serving(after):
            assert await after.survivors() == ()
            assert await after.adopt(job, lambda ran_s: None) is None
            (folder / "go").touch()
            ended = await after.run(job, lambda: None)
            await after.release(job.attempt)
    assert ended.exit_code == 0
    assert await after.survivors() == ()
