"""Where engines are looked for, and what becomes of a call that fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.engines.docker_client import DockerCalls, find_engine, real_path, socket_candidates
from runtime.engines.docker_wire import EngineAway
from tests.runtime.engines.fake_docker import GONE, VERSION, fake_docker, reply

PODMAN = {**VERSION, "Components": [{"Name": "Podman Engine"}]}


def test_candidates():
    assert socket_candidates({"DOCKER_HOST": "unix:///x/y.sock"}) == ("/x/y.sock",)
    assert socket_candidates({"XDG_RUNTIME_DIR": "/r"}) == (
        "/var/run/docker.sock",
        "/r/docker.sock",
        "/run/podman/podman.sock",
        "/r/podman/podman.sock",
    )
    with pytest.raises(EngineAway, match=r"DOCKER_HOST is tcp://h:1, .* only a unix:// socket"):
        socket_candidates({"DOCKER_HOST": "tcp://h:1"})


@pytest.mark.parametrize(("version", "podman"), [(VERSION, False), (PODMAN, True)])
async def test_an_engine_tells_what_it_is(tmp_path, version, podman):
    async with fake_docker(tmp_path, {"/version": reply(version)}) as (socket, _):
        facts = await find_engine({"DOCKER_HOST": f"unix://{socket}"})
    assert (facts.socket, facts.version, facts.os, facts.architecture, facts.podman) == (
        socket,
        "20.10",
        "linux",
        "amd64",
        podman,
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (GONE, "it hung up"),
        (reply({"message": "x"}, 500), "answers 500 to a plain question"),
        (reply([]), "is no Docker engine"),
        (reply({"Version": "1"}), "is no Docker engine"),
    ],
)
async def test_what_is_no_engine(tmp_path, answer, said):
    async with fake_docker(tmp_path, {"/version": answer}) as (socket, _):
        with pytest.raises(EngineAway, match=said):
            await find_engine({"DOCKER_HOST": f"unix://{socket}"})


async def test_no_engine_at_all(tmp_path):
    with pytest.raises(EngineAway, match=f"no socket is at {tmp_path}/none"):
        await find_engine({"DOCKER_HOST": f"unix://{tmp_path}/none"})


async def test_a_call_to_nobody(tmp_path):
    with pytest.raises(EngineAway, match="a call to it failed"):
        await DockerCalls(str(tmp_path / "none")).inspect("e-one")


def test_paths_of_open_files(tmp_path):
    place = tmp_path / "data"
    place.write_text("x")
    handle = os.open(place, os.O_RDONLY)
    try:
        held = Path(f"/proc/{os.getpid()}/fd/{handle}")
        assert real_path(tmp_path) == tmp_path
        assert real_path(held) == place
        place.rename(tmp_path / "moved")
        assert real_path(held) == tmp_path / "moved"
        (tmp_path / "moved").unlink()
        with pytest.raises(OSError, match=r"No such file|replaced"):
            real_path(held)
    finally:
        os.close(handle)
