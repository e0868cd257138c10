from __future__ import annotations

import dataclasses
import json
import threading
from typing import Any

import pytest

from mesh.member.commands import DescribeNode
from mesh.member.events import Changed
from tests.mesh.edge.cli.conftest import Node
from tests.mesh.edge.readings import THERE, attempt_reading, job_reading

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


def test_a_drain_is_followed_on_the_feed_while_other_calls_are_made(
    node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    doors, ask, looked = node.doors, node.doors.ask, threading.Event()
    doors.nodes = tuple(dataclasses.replace(one, intent="draining") for one in doors.nodes)
    job = job_reading()
    doors.jobs = {job.id: dataclasses.replace(job, attempts=(attempt_reading(job.id),))}

    async def noted(command: Any) -> Any:
        reply = await ask(command)
        if isinstance(command, DescribeNode):
            looked.set()
        return reply

    def empty() -> None:
        doors.jobs.clear()
        doors.nodes = tuple(dataclasses.replace(one, running=0) for one in doors.nodes)
        for tell in doors.listeners:
            tell(Changed((), (THERE,), ()))

    def later() -> None:
        looked.wait(10)
        node.call(empty)

    monkeypatch.setattr(doors, "ask", noted)
    thread = threading.Thread(target=later)
    thread.start()
    assert node.run("node", "drain", "there") == 0
    thread.join()
    told = capsys.readouterr()
    assert told.out.splitlines() == ["there is draining", "there is empty"]
    assert told.err == "1 execution left on there: e-00000000\n"
