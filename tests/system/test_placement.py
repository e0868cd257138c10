"""Work goes to its data, results come from anywhere, and a dead submitter takes nothing with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.programs import assemble
from tests.system.mesh_processes import (
    Mesh,
    execution_states,
    local_input,
    message_of,
    placed_on,
    state_of,
    until,
    wasm_job,
)

pytestmark = [pytest.mark.real("loopback"), pytest.mark.real("wasm")]

RESULTS = [{"Name": "out", "Path": "/out"}]


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readings")
    (folder / "in.txt").write_bytes(b"a reading\n" * 100_000)
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, readings: Path) -> Iterator[Mesh]:
    with Mesh(tmp_path_factory.mktemp("three")) as mesh:
        mesh.started("north", "south", "east", options={"east": ["--allow-path", str(readings)]})
        yield mesh


def _knows_data_of(mesh: Mesh, at: str, name: str) -> bool:
    nodes = mesh[at].api.get("/api/v1/orchestrator/nodes")["Nodes"]
    return any(one["Mesh"]["Name"] == name and one["Mesh"]["Data"] for one in nodes)


def test_a_job_runs_where_its_data_lie(three: Mesh, readings: Path, tmp_path: Path) -> None:
    until(lambda: _knows_data_of(three, "north", "east"), "north knows what east has")
    north, south = three["north"].api, three["south"]
    job = north.run_program(
        "copy", inputs=[local_input(readings)], result_paths=RESULTS, Name="copy-readings"
    )
    done = north.finished(job)
    assert state_of(done) == "Completed", message_of(done)
    assert placed_on(done) == ["east"]
    # A third node fetches what the second made for the first.
    south.api.finished(job)
    got = south.run("job", "get", "copy-readings", "--output-dir", str(tmp_path / "got"))
    assert got.code == 0, got
    (copied,) = (tmp_path / "got").rglob("out.txt")
    expected = (readings / "in.txt").read_bytes()[:4096]
    assert hashlib.sha256(copied.read_bytes()).digest() == hashlib.sha256(expected).digest()


def test_every_node_tells_the_same_story(three: Mesh) -> None:
    job = three["south"].api.run_program("two_streams")
    stories = []
    for node in three.nodes.values():
        document = node.api.finished(job)
        stories.append((document["History"]["Items"], placed_on(document)))
    assert stories[0] == stories[1] == stories[2]


def test_a_placed_job_outlives_its_submitter(mesh: Mesh, readings: Path) -> None:
    mesh.started("north", "south", "east", options={"east": ["--allow-path", str(readings)]})
    until(lambda: _knows_data_of(mesh, "north", "east"), "north knows what east has")
    document = wasm_job(assemble("copy"), inputs=[local_input(readings)], result_paths=RESULTS)
    job = mesh["north"].api.run(document, assemble("copy"))
    mesh["north"].kill()
    south = mesh["south"].api
    done = south.finished(job)
    assert state_of(done) == "Completed", message_of(done)
    assert placed_on(done) == ["east"]
    assert execution_states(done) == ["Succeeded"]
