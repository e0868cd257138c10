"""Containers through a whole node: images that come, engines that go, readers who come late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.system.docker_engine import IMAGE, PrivateEngine, private_engine
from tests.system.mesh_processes import Mesh, Node, executions, message_of, state_of, until

docker = pytest.mark.real("docker")


def container_job(text: str, *, image: str = IMAGE, **fields: Any) -> dict[str, Any]:
    params = {"Image": image, "Entrypoint": ["sh", "-c"], "Parameters": [text]}
    task = {
        "Name": "main",
        "Engine": {"Type": "docker", "Params": params},
        "Resources": {"CPU": "10m", "Memory": "32mb"},
    }
    return {"Type": "batch", "Count": 1, **fields, "Tasks": [task]}


def started(mesh: Mesh, engine: PrivateEngine) -> Node:
    prefix = ["env", f"DOCKER_HOST={engine.host}"]
    return mesh.add("alone", "--no-mdns", prefix=prefix).ready()


@docker
def test_a_job_waits_for_its_image_and_starts_when_it_comes(
    mesh: Mesh, docker_engine: PrivateEngine
) -> None:
    node = started(mesh, docker_engine)
    image = "bmesh-test/late:local"
    job = node.api.run(container_job("echo ran", image=image))

    def waits() -> str:
        told = node.run("job", "describe", job).stdout
        return told if "docker load" in told else ""

    assert image in until(waits, "the reason is shown")
    docker_engine.import_image(image)
    try:
        document = node.api.finished(job)
        assert state_of(document) == "Completed", message_of(document)
        described = node.run("node", "describe", "alone").stdout
        assert image in described
    finally:
        docker_engine.docker("rmi", image)


@docker
def test_an_engine_that_falls_with_its_containers(mesh: Mesh, tmp_path: Path) -> None:
    with private_engine(tmp_path) as engine:
        node = started(mesh, engine)
        job = node.api.run(container_job("echo begun; sleep 3600"))
        [first] = executions(node.api.running(job))
        engine.kill()
        engine.start()

        def second() -> Any:
            ran = executions(node.api.job(job))
            return ran if len(ran) > 1 and ran[-1]["Mesh"]["State"] == "Running" else None

        ran = {one["ID"]: one for one in until(second, "it runs again")}
        assert "went away, and its containers with it" in str(ran[first["ID"]]["ComputeState"])
        [container] = engine.docker("ps", "--format", "{{.Names}}").split()
        assert container in ran.keys() - {first["ID"]}
        node.api.stop_job(job)
        node.api.finished(job)


@docker
def test_an_engine_that_leaves_its_containers_running(mesh: Mesh, tmp_path: Path) -> None:
    with private_engine(tmp_path, live_restore=True) as engine:
        node = started(mesh, engine)
        job = node.api.run(container_job("echo begun; sleep 4; echo ended"))
        [first] = executions(node.api.running(job))
        engine.kill()
        engine.start()
        document = node.api.finished(job, patience_s=60)
        assert state_of(document) == "Completed", message_of(document)
        assert [one["ID"] for one in executions(document)] == [first["ID"]]
        text = node.run("job", "logs", job)
        assert "begun" in text.stdout
        assert "ended" in text.stdout or "may be missing" in text.stdout + text.stderr
        assert engine.docker("ps", "--all", "--quiet") == ""


@pytest.mark.real("loopback")
def test_the_output_of_a_node_that_has_gone_is_read_from_the_result(mesh: Mesh) -> None:
    mesh.started("a", "b")
    a, b = mesh["a"], mesh["b"]
    job = a.api.run_program(
        "two_streams", Constraints=[{"Key": "name", "Operator": "=", "Values": ["a"]}]
    )
    a.api.finished(job)
    until(lambda: b.api.job(job), "b has heard of it")
    got = b.run("job", "get", job, "--output-dir", str(mesh.folder / "got"))
    assert got.code == 0, got
    live = b.run("job", "logs", job).stdout
    a.kill()
    b.api.sees("unreachable", "a")
    late = b.run("job", "logs", job)
    assert late.stdout == live
    assert "cannot be reached: this is its output as kept with the result" in late.stderr
