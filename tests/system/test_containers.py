"""Containers through a whole node: images that come, engines that go, readers who come late."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from tests.system.docker_engine import IMAGE, PrivateEngine, private_engine
from tests.system.mesh_processes import (
    JOBS,
    Mesh,
    Node,
    execution_states,
    executions,
    message_of,
    state_of,
    until,
)

docker = pytest.mark.real("docker")


RESULTS = [{"Name": "outputs", "Path": "/outputs"}]


def container_job(text: str, *, image: str = IMAGE, **fields: Any) -> dict[str, Any]:
    params = {"Image": image, "Entrypoint": ["sh", "-c"], "Parameters": [text]}
    task = {
        "Name": "main",
        "Engine": {"Type": "docker", "Params": params},
        "Resources": {"CPU": fields.pop("cpu", "10m"), "Memory": fields.pop("memory", "32mb")},
        "ResultPaths": fields.pop("result_paths", []),
    }
    return {"Type": "batch", "Count": 1, **fields, "Tasks": [task]}


def state_of_container(engine: PrivateEngine) -> str:
    """Of the only one that there is."""
    return engine.docker("ps", "--all", "--format", "{{.State}}").strip()


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
def test_a_container_that_ends_while_its_engine_is_away(mesh: Mesh, tmp_path: Path) -> None:
    with private_engine(tmp_path, live_restore=True) as engine:
        node = started(mesh, engine)
        job = node.api.run(
            container_job(
                "echo begun; sleep 3; echo ended; echo x >/outputs/x", result_paths=RESULTS
            )
        )
        [first] = executions(node.api.running(job))
        until(lambda: "begun" in node.run("job", "logs", job).stdout, "it prints")
        main = int(engine.docker("inspect", "--format", "{{.State.Pid}}", first["ID"]))
        engine.kill()
        until(lambda: not psutil.pid_exists(main), "it ends without an engine")
        engine.start()
        document = node.api.finished(job)
        assert state_of(document) == "Completed", message_of(document)
        assert [one["ID"] for one in executions(document)] == [first["ID"]]
        text = node.run("job", "logs", job)
        assert text.stdout in ("begun\n", "begun\nended\n"), "nothing twice"
        assert text.stderr == (
            "[bacalhau-mesh: the Docker engine was away when this ended; what was printed "
            "meanwhile may be missing]\n"
        )
        got = node.run("job", "get", f"{job}/outputs/x", "--output-dir", str(mesh.folder / "got"))
        assert got.code == 0, got
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


@docker
def test_a_node_killed_while_it_stores_results_stores_them_once_and_whole(
    mesh: Mesh, docker_engine: PrivateEngine
) -> None:
    node = started(mesh, docker_engine)
    # Holes cost no disk, and time to read.
    make = (
        "cd /outputs; seq 60 | while read n; do yes $n | head -c 20000 >$n; done; chmod 755 7; "
        "for n in x y z; do dd if=/dev/zero of=$n bs=1 count=1 seek=200000000 2>/dev/null; done; "
        "yes o | head -c 20000"
    )
    job = node.api.run(container_job(make, result_paths=RESULTS, cpu="1"))
    partial = node.data_dir / "blobs" / "partial"
    until(lambda: any(partial.rglob("?" * 64)), "it is in the middle")
    node.kill()
    assert state_of_container(docker_engine) == "exited"
    node.start().ready()
    document = node.api.finished(job)
    assert state_of(document) == "Completed", message_of(document)
    assert execution_states(document) == ["Succeeded"]
    listed = node.run("job", "ls", job).stdout
    for name in (*map(str, range(1, 61)), "x", "y", "z"):
        assert f"outputs/{name}\n" in listed or f"outputs/{name} " in listed, listed
    for number in (7, 60):
        got = mesh.folder / f"got-{number}"
        assert node.run("job", "get", f"{job}/outputs/{number}", "--output-dir", str(got)).code == 0
        [file] = [path for path in got.rglob(str(number)) if path.is_file()]
        assert file.read_bytes() == (f"{number}\n" * 20_000)[:20_000].encode()
        assert os.access(file, os.X_OK) == (number == 7)
    assert node.run("job", "logs", job).stdout == ("o\n" * 10_000)
    until(lambda: docker_engine.docker("ps", "--all", "--quiet") == "", "the container is gone")
    until(lambda: not any((node.data_dir / "results").iterdir()), "its folder is gone")


@docker
def test_a_result_that_fills_the_disk_fails_its_job_and_nothing_else(
    mesh: Mesh, docker_engine: PrivateEngine
) -> None:
    folder = mesh.folder / "alone"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "mesh", folder], check=True)
    try:
        node = started(mesh, docker_engine)
        before = shutil.disk_usage(folder).used
        # What is left would do for nothing but the node's own records.
        text = "dd if=/dev/zero of=/outputs/big bs=64k count=720 2>/dev/null; exit"
        for code, told in ((3, "Exited with code 3 "), (0, "The result was not kept: ")):
            job = container_job(f"{text} {code}", result_paths=RESULTS, memory="256mb")
            document = node.api.finished(node.api.run(job))
            assert state_of(document) == "Failed"
            assert message_of(document).startswith(told)
            assert f"the disk that holds {folder}/results on this node is full. Free some" in (
                message_of(document)
            )
            gone = lambda: shutil.disk_usage(folder).used < before + (8 << 20)  # noqa: E731
            until(gone, "its room is given back")
            until(lambda: docker_engine.docker("ps", "--all", "--quiet") == "", "nothing is left")
        document = node.api.finished(node.api.run(container_job("echo fine")))
        assert state_of(document) == "Completed", message_of(document)
        node.terminate()
    finally:
        mesh["alone"].end()
        subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """A file that takes the last byte of a disk."""
    hog = folder / "hog"
    with open(hog, "ab", buffering=0) as file:
        size_bytes = 1 << 20
        while size_bytes:
            try:
                file.write(b"\0" * size_bytes)
            except OSError:
                size_bytes //= 2
    return hog


@docker
def test_a_disk_without_a_byte_left_while_a_container_prints(
    mesh: Mesh, docker_engine: PrivateEngine
) -> None:
    folder = mesh.folder / "alone"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "mesh", folder], check=True)
    try:
        node = started(mesh, docker_engine)
        job = node.api.run(container_job("while :; do echo it prints and prints; done"))
        node.api.running(job)
        path = f"{JOBS}/{job}"
        until(lambda: fill(folder) and node.api.call("GET", path).status == 507, "the disk is full")
        fill(folder)  # the reserve, too
        told = node.run("docker", "run", IMAGE, "--", "true")
        assert told.code == 1
        assert f"The disk that holds {folder}/mesh.sqlite is full; free some space." in told.stderr
        (folder / "hog").unlink()
        until(lambda: node.api.call("GET", path).status == 200, "the node goes on")

        def first() -> Any:
            [ran, *_] = executions(node.api.job(job))
            return ran if ran["Mesh"]["State"] == "Failed" else None

        ran = until(first, "it is told what became of it")
        assert (
            f"the disk that holds {folder}/logs on this node is full. Free some"
            in (ran["ComputeState"]["Message"])
        )
        node.api.stop_job(job)
        node.api.finished(job)
        document = node.api.finished(node.api.run(container_job("echo fine")))
        assert state_of(document) == "Completed", message_of(document)
        until(lambda: docker_engine.docker("ps", "--all", "--quiet") == "", "nothing is left")
        node.terminate()
    finally:
        mesh["alone"].end()
        subprocess.run(["umount", folder], check=True)
