"""Nodes find each other and form one mesh, or say why they are alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.mesh_processes import Mesh, until

pytestmark = pytest.mark.real("loopback")


def test_three_nodes_meet_by_mdns(mesh: Mesh) -> None:
    mesh.started("north", "south", "east")
    clusters = {node.page["cluster"] for node in mesh.nodes.values()}
    assert len(clusters) == 1
    assert len({node.page["node"] for node in mesh.nodes.values()}) == 3


def test_a_named_peer_leads_to_all_others(mesh: Mesh) -> None:
    first = mesh.add("north", "--no-mdns").ready()
    second = mesh.add("south", "--no-mdns", "--peer", first.mesh_address).ready()
    # The third is told of the second alone, and learns of the first from it.
    mesh.add("east", "--no-mdns", "--peer", second.mesh_address)
    mesh.met()


def test_plain_join_founds_a_cluster_and_says_so(mesh: Mesh) -> None:
    node = mesh.add("founder", "--no-mdns", lab=False).ready()
    assert "founded" in node.said(), node.said()
    assert "--lab" in node.said()
    assert node.api.peers() == {"founder": "alive"}
    node.terminate()
    node.start().ready()
    assert node.said().count("founded") == 1, "the second start reopens the same cluster"


def test_a_stranger_stays_apart_and_is_told_what_to_do(mesh: Mesh, tmp_path: Path) -> None:
    ours = mesh.add("ours").ready()
    (tmp_path / "others").mkdir()
    with Mesh(tmp_path / "others") as others:
        stranger = others.add("stranger", "--peer", ours.mesh_address).ready()
        until(lambda: "nobody heard yet" in stranger.said(), "the stranger says that it is alone")
        line = next(one for one in stranger.said().splitlines() if "nobody heard yet" in one)
        assert stranger.mesh_address in line
        assert "multicast" in line
        assert "--peer HOST:PORT" in line
        assert ours.api.peers() == {"ours": "alive"}
        assert stranger.api.peers() == {"stranger": "alive"}
