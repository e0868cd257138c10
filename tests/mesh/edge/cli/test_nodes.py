from __future__ import annotations

import json

import pytest

from tests.mesh.edge.cli.conftest import Node
from tests.mesh.edge.fake_doors import THERE

pytestmark = pytest.mark.real("loopback")


def test_describe_says_what_it_sends_and_refused(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    assert node.run("node", "describe", "here") == 0
    told = capsys.readouterr().out
    assert "here" in told
    assert "Sends       1.5 MB an hour to its peers" in told
    assert "What it refused: 3 capacity" in told
    assert "It is busy." in told
    assert "/data/readings" in told
    assert node.run("node", "describe", "there") == 0
    assert "cannot be reached now" in capsys.readouterr().out


def test_describe_as_a_document(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert node.run("node", "describe", THERE, "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["Node"]["Info"]["NodeID"] == THERE


def test_an_unknown_node_is_1(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert node.run("node", "describe", "nobody") == 1
    assert "node not found: nobody" in capsys.readouterr().err


def test_faults_need_the_nodes_own_socket(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.doors.cut_off = lambda peers: node.doors.cuts.append(list(peers))
    assert node.run("faults", "cut", "there") == 1
    assert "socket" in capsys.readouterr().err
    assert node.run("faults", "heal") == 1
    assert node.doors.cuts == []
