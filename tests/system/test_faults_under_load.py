"""Kills, stops and silences under load: what was acknowledged ends, the same way on every node."""

from __future__ import annotations

import json
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import pytest

from tests.system.mesh_processes import FINAL, Api, Mesh, Node, scripted_job, until

pytestmark = pytest.mark.real("loopback")

SEED = 20
FAULTS = 4
PACE_S = 0.02
"""Between two jobs of one client: three nodes on two cores do more than that."""
JOBS_BETWEEN = 40
"""Acknowledged between two faults: those come while work is placed, run and told."""


class _Load:
    """A client for each node, and what they were told."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._lock = Lock()
        self.over = Event()
        self.acknowledged: list[str] = []
        self.problems: list[Any] = []

    def submit_at(self, name: str) -> None:
        """Until told to end; a node that is away is asked again."""
        chance = random.Random(name)
        number = 0
        while not self.over.wait(PACE_S):
            number += 1
            job = scripted_job(
                chance.choice((0, 0, 100)), Name=f"{name}-{number}", Count=chance.choice((1, 2))
            )
            self._submit(self._mesh[name], job)

    def _submit(self, node: Node, job: dict[str, Any]) -> None:
        page = node.page
        if page is None:
            return
        try:
            answer = Api(page["api_socket"]).submit(job)
        except OSError:
            return
        with self._lock:
            if answer.status == 200:
                self.acknowledged.append(answer.body["JobID"])
            else:
                self.problems.append(answer)


def _hurt(node: Node, how: str, load: _Load) -> None:
    """One fault, over when the node is well again."""
    if how == "silence":
        node.process.send_signal(signal.SIGSTOP)
        _wait_for_jobs(load, JOBS_BETWEEN)
        node.process.send_signal(signal.SIGCONT)
        return
    if how == "kill":
        node.kill()
    else:
        node.terminate()
    _wait_for_jobs(load, JOBS_BETWEEN // 2)
    node.start().ready()


def _wait_for_jobs(load: _Load, count: int) -> None:
    wanted = len(load.acknowledged) + count
    until(lambda: len(load.acknowledged) >= wanted, "jobs go on being acknowledged")


def _states(node: Node) -> dict[str, str]:
    return {job: one["State"]["StateType"] for job, one in node.api.jobs().items()}


def test_what_was_acknowledged_ends_the_same_way_everywhere(mesh: Mesh) -> None:
    mesh.started("north", "south", "east")
    nodes = list(mesh.nodes.values())
    load, chance = _Load(mesh), random.Random(SEED)
    with ThreadPoolExecutor(len(nodes)) as clients:
        try:
            for name in mesh.nodes:
                clients.submit(load.submit_at, name)
            for _ in range(FAULTS):
                _wait_for_jobs(load, JOBS_BETWEEN)
                _hurt(
                    chance.choice(nodes), chance.choice(("kill", "kill", "stop", "silence")), load
                )
        finally:
            load.over.set()
    mesh.met()
    assert load.problems == []

    def all_over() -> bool:
        return all(set(_states(node).values()) <= set(FINAL) for node in nodes)

    until(all_over, "every job is over, as every node sees it")
    states = _states(nodes[0])
    assert set(load.acknowledged) <= set(states)
    assert set(states.values()) == {"Completed"}

    def same_stories() -> bool:
        first, *others = [
            [json.dumps(node.api.job(job), sort_keys=True) for job in load.acknowledged[-40:]]
            for node in nodes
        ]
        return all(one == first for one in others)

    until(same_stories, "every node tells the same of each")
    assert not [node for node in nodes if "Traceback" in node.said()]
