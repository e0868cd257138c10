"""Three real nodes: one is cordoned, one is drained, and every placement obeys."""

from __future__ import annotations

import pytest

from tests.system.mesh_processes import Mesh, placed_on, state_of, until

pytestmark = [pytest.mark.real("loopback"), pytest.mark.real("wasm")]


def intent_of(mesh: Mesh, at: str, node: str) -> str:
    answer = mesh[at].api.get(f"/api/v1/mesh/nodes/{node}")
    return str(answer["Node"]["Mesh"]["Intent"])


def test_a_cordon_and_a_drain_are_obeyed_and_an_uncordon_ends_them(mesh: Mesh) -> None:
    mesh.started("north", "south", "east")
    north = mesh["north"]
    said = north.run("node", "cordon", "south", "--reason", "a new fan")
    assert (said.code, said.stdout.strip()) == (0, "south is cordoned"), said
    until(lambda: intent_of(mesh, "east", "south") == "cordoned", "east hears of the cordon")
    jobs = [mesh[at].api.run_program("two_streams") for at in ("north", "east") * 3]
    for job in jobs:
        assert "south" not in placed_on(north.api.finished(job))
    assert "cordoned" in north.run("node", "list").stdout
    explained = north.run("job", "explain", jobs[0])
    assert "south is cordoned" in explained.stdout, explained

    long = north.api.run_program("spin")
    (here,) = placed_on(north.api.running(long))
    drained = mesh["east"].run("node", "drain", here, "--timeout", "1s")
    assert drained.code == 0, drained
    assert drained.stdout.splitlines() == [f"{here} is draining", f"{here} is empty"]
    other = "east" if here == "north" else "north"
    until(lambda: placed_on(north.api.job(long))[-1] == other, "it runs elsewhere")
    assert state_of(north.api.job(long)) == "Running"
    told = north.run("job", "story", long)
    assert "because its node was drained" in told.stdout, told

    for node in ("south", here):
        assert north.run("node", "uncordon", node).code == 0
    until(lambda: not intent_of(mesh, "east", "south"), "east hears that south takes work")
    assert north.run("job", "stop", long).code == 0
    many = north.api.run_program("two_streams", Count=9)
    assert "south" in placed_on(north.api.finished(many))
