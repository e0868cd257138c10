"""Images that are pulled, misspelt, for another machine, out of reach, or cut off in the middle:
real engines, a small registry, whole nodes."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.docker_engine import PrivateEngine, busybox, private_engine
from tests.system.fake_registry import serving_image
from tests.system.mesh_processes import (
    Mesh,
    Node,
    execution_states,
    executions,
    message_of,
    placed_on,
    state_of,
    until,
)
from tests.system.test_containers import container_job

pytestmark = pytest.mark.real("docker")

BALLAST_BYTES = 3 << 20
"""Beyond what the registry sends at once: it stops in the middle until it is told to go on."""
PULL_PATIENCE_S = 90.0
"""A bound against hanging: an engine asks a registry that died for half a minute."""


@pytest.fixture
def registry(docker_engine: PrivateEngine, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Its folder, and the name of its image, which is new each time."""
    folder = tmp_path / "registry"
    folder.mkdir()
    raw = io.BytesIO(busybox())
    with tarfile.open(fileobj=raw, mode="a") as tar:
        entry = tarfile.TarInfo("etc/ballast")
        entry.size = BALLAST_BYTES
        tar.addfile(entry, io.BytesIO(os.urandom(BALLAST_BYTES)))
    with serving_image(folder, raw.getvalue(), docker_engine.inside) as image:
        yield folder, image


def node_at(mesh: Mesh, engine: PrivateEngine, name: str, *options: str) -> Node:
    return mesh.add(name, *options, prefix=["env", f"DOCKER_HOST={engine.host}"])


def refusals(document: Any) -> list[tuple[str, str]]:
    """Node and reason of each execution that was sent back."""
    return [
        (one["Mesh"]["NodeName"], one["Mesh"]["Reason"])
        for one in executions(document)
        if one["Mesh"]["State"] == "Refused"
    ]


def test_a_misspelt_image_fails_the_job_with_the_registrys_word(
    mesh: Mesh, docker_engine: PrivateEngine, registry: tuple[Path, str]
) -> None:
    _, image = registry
    node = node_at(mesh, docker_engine, "alone", "--no-mdns").ready()
    misspelt = image.removesuffix(":1") + ":2"
    ran = node.run("docker", "run", misspelt, "--", "true")
    assert ran.code == 1, ran
    [job] = node.api.jobs().values()
    document = node.api.job(job["ID"])
    assert state_of(document) == "Failed"
    for told in (message_of(document), ran.stdout + ran.stderr):
        assert f"The image {misspelt} is not on this node" in told
        assert "manifest unknown" in told
    assert refusals(document) == [("alone", "image_missing")]
    assert docker_engine.docker("ps", "--all", "--quiet") == ""


def test_an_image_for_another_machine_fails_the_job(
    mesh: Mesh, docker_engine: PrivateEngine, tmp_path: Path
) -> None:
    node = node_at(mesh, docker_engine, "alone", "--no-mdns").ready()
    folder = tmp_path / "foreign"
    folder.mkdir()
    with serving_image(folder, b"", docker_engine.inside, architecture="riscv64") as image:
        document = node.api.finished(node.api.run(container_job("true", image=image)))
    assert state_of(document) == "Failed"
    assert "linux/riscv64" in message_of(document)


@pytest.mark.real("loopback")
def test_a_node_that_reaches_no_registry_passes_the_job_on_and_keeps_waiting_for_its_own(
    mesh: Mesh,
    docker_engine: PrivateEngine,
    registry: tuple[Path, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder, image = registry
    (folder / "go").touch()
    with private_engine(tmp_path_factory.mktemp("away")) as other:
        node_at(mesh, other, "offline")
        node_at(mesh, docker_engine, "online")
        mesh.met()
        api = mesh["offline"].api
        wish = {"Key": "favour_name", "Operator": "=", "Values": ["offline"]}
        job = api.run(container_job("echo ran", image=image, Constraints=[wish]))
        document = api.finished(job, patience_s=PULL_PATIENCE_S)
        assert state_of(document) == "Completed", message_of(document)
        assert placed_on(document) == ["offline", "online"]
        assert refusals(document) == [("offline", "image_unavailable")]
        assert "connection refused" in str(document["Executions"])

        only = {**wish, "Key": "name"}
        waits = api.run(container_job("echo ran", image=image, Constraints=[only]))

        def says_why() -> bool:
            told = mesh["online"].run("job", "describe", waits).stdout
            return "connection refused" in told and "docker load" in told

        until(says_why, "the reason is shown", patience_s=PULL_PATIENCE_S)
        assert state_of(api.job(waits)) == "Queued"
        other.import_image(image)
        document = api.finished(waits)
        assert state_of(document) == "Completed", message_of(document)


def test_a_node_killed_while_it_pulls_pulls_again_and_runs_the_job_once(
    mesh: Mesh, docker_engine: PrivateEngine, registry: tuple[Path, str]
) -> None:
    folder, image = registry
    node = node_at(mesh, docker_engine, "alone", "--no-mdns").ready()
    job = node.api.run(container_job("echo ran", image=image))

    def pulls() -> bool:
        document = node.api.job(job)
        return execution_states(document) == ["Preparing"] and "pulling" in str(document).lower()

    until(pulls, "it pulls")
    node.kill()
    node.start().ready()
    until(pulls, "it pulls again")
    assert docker_engine.docker("ps", "--all", "--quiet") == ""
    (folder / "go").touch()
    document = node.api.finished(job)
    assert state_of(document) == "Completed", message_of(document)
    assert execution_states(document) == ["Succeeded"]
    assert "ran" in node.run("job", "logs", job).stdout
    assert docker_engine.docker("ps", "--all", "--quiet") == ""
    docker_engine.docker("rmi", image)
