"""Two machines on one network: found by mDNS, split, healed, and a network that comes late."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.programs import assemble
from tests.system.mesh_processes import (
    FINAL,
    Mesh,
    Node,
    execution_states,
    local_input,
    message_of,
    placed_on,
    state_of,
    until,
    wasm_job,
)
from tests.system.namespaces import TwoHosts

pytestmark = [pytest.mark.real("netns"), pytest.mark.real("wasm")]


@pytest.fixture
def hosts() -> Iterator[TwoHosts]:
    with TwoHosts() as hosts:
        yield hosts


def _add_both(mesh: Mesh, hosts: TwoHosts, readings: Path) -> tuple[Node, Node]:
    """A node on each host, bound to all interfaces; the second has the data."""
    first = mesh.add("ship", prefix=hosts.inside(0), bind="")
    offers = ("--allow-path", str(readings))
    return first, mesh.add("shore", *offers, prefix=hosts.inside(1), bind="")


def _story(node: Node) -> dict[str, Any]:
    """Every job as this node tells it, but for who was asked."""
    return {job: json.dumps(node.api.job(job), sort_keys=True) for job in node.api.jobs()}


def test_two_hosts_meet_split_and_heal(mesh: Mesh, hosts: TwoHosts, tmp_path: Path) -> None:
    readings = tmp_path / "readings"
    readings.mkdir()
    (readings / "in.txt").write_bytes(b"a reading\n" * 1000)
    hosts.plug_in()
    ship, shore = _add_both(mesh, hosts, readings)
    mesh.met()

    def knows_the_data() -> bool:
        nodes = ship.api.get("/api/v1/orchestrator/nodes")["Nodes"]
        return any(one["Mesh"]["Data"] for one in nodes)

    until(knows_the_data, "the ship knows what lies on the shore")
    out = [{"Name": "out", "Path": "/out"}]
    document = wasm_job(assemble("copy"), inputs=[local_input(readings)], result_paths=out)
    job = ship.api.run(document, assemble("copy"))
    done = ship.api.finished(job)
    assert state_of(done) == "Completed", message_of(done)
    assert placed_on(done) == ["shore"]
    got = ship.run_socket("job", "get", job, "--output-dir", str(tmp_path / "got"))
    assert got.code == 0, got
    (copied,) = (tmp_path / "got").rglob("out.txt")
    assert copied.read_bytes() == (readings / "in.txt").read_bytes()[:4096]

    hosts.cut()
    for node, other in ((ship, "shore"), (shore, "ship")):
        node.api.sees("unreachable", other)
    alone = {}
    for node in (ship, shore):
        job = node.api.run_program("two_streams", Name=f"alone-on-{node.name}")
        done = node.api.finished(job)
        assert state_of(done) == "Completed", message_of(done)
        assert placed_on(done) == [node.name]
        alone[node.name] = job
    assert alone["ship"] not in shore.api.jobs()
    assert alone["shore"] not in ship.api.jobs()

    hosts.mend()
    mesh.met()
    until(lambda: set(ship.api.jobs()) == set(shore.api.jobs()), "both know all jobs")
    until(lambda: _story(ship) == _story(shore), "both tell the same story of each")
    assert len(ship.api.jobs()) == 3
    for one in ship.api.jobs().values():
        assert one["State"]["StateType"] == "Completed"
    for job in alone.values():
        assert execution_states(ship.api.job(job)) == ["Succeeded"]
        assert state_of(shore.api.job(job)) in FINAL


def test_a_network_that_comes_after_the_node_is_used(
    mesh: Mesh, hosts: TwoHosts, tmp_path: Path
) -> None:
    (tmp_path / "readings").mkdir()
    nodes = _add_both(mesh, hosts, tmp_path / "readings")
    for node in nodes:
        node.ready()
        assert node.api.peers() == {node.name: "alive"}
        assert state_of(node.api.finished(node.api.run_program("exit_0"))) == "Completed"
    hosts.plug_in()
    mesh.met(patience_s=40)
    until(lambda: _story(nodes[0]) == _story(nodes[1]), "both know what each did alone")
