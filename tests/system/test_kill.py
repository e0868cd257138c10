"""kill -9 of a node: no worker outlives it, and nothing that it acknowledged is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from tests.runtime.programs import assemble
from tests.system.mesh_processes import (
    FINAL,
    JOBS,
    Api,
    Mesh,
    Node,
    execution_states,
    executions,
    is_alive,
    message_of,
    placed_on,
    scripted_job,
    state_of,
    until,
    wasm_job,
)

pytestmark = [pytest.mark.real("loopback"), pytest.mark.real("wasm")]

SUBMITTED = 50
KILL_AFTER = 20
CLIENTS = 4


def _kill_with_workers(node: Node) -> None:
    """Kill it and see that its workers end too."""
    workers = until(node.workers, "it has workers")
    node.kill()
    until(lambda: not any(map(is_alive, workers)), "no worker outlives its node", patience_s=5)


def test_a_spinning_guest_ends_with_its_node_and_runs_again_but_not_for_ever(mesh: Mesh) -> None:
    node = mesh.started("alone", options={"alone": ["--no-mdns"]})["alone"]
    job = node.api.run_program("spin", Name="kills-its-node")
    for attempt in range(1, 4):
        document = node.api.running(job)
        assert execution_states(document) == [*["Failed"] * (attempt - 1), "Running"]
        _kill_with_workers(node)
        node.start().ready()
    done = node.api.finished(job)
    assert state_of(done) == "Failed"
    assert "process ended while this ran" in message_of(done)
    assert [one["Mesh"]["Reason"] for one in executions(done)] == ["node_restart"] * 3


def _submit_until_dead(api: Api, numbers: range, acknowledged: list[str], enough: Event) -> None:
    for number in numbers:
        try:
            answer = api.submit(scripted_job(Name=f"job-{number}"))
        except OSError:
            return
        assert answer.status == 200, answer
        acknowledged.append(answer.body["JobID"])
        if len(acknowledged) >= KILL_AFTER:
            enough.set()


def test_every_acknowledged_job_is_there_after_a_kill(mesh: Mesh) -> None:
    node = mesh.started("alone", options={"alone": ["--no-mdns"]})["alone"]
    api, acknowledged, enough = node.api, list[str](), Event()
    with ThreadPoolExecutor(CLIENTS) as clients:
        for client in range(CLIENTS):
            numbers = range(client, SUBMITTED, CLIENTS)
            clients.submit(_submit_until_dead, api, numbers, acknowledged, enough)
        assert enough.wait(30), "jobs are acknowledged"
        _kill_with_workers(node)
    assert KILL_AFTER <= len(acknowledged) < SUBMITTED
    api = node.start().ready().api
    jobs = api.jobs()
    assert [job for job in acknowledged if job not in jobs] == []

    def all_over() -> bool:
        return all(one["State"]["StateType"] in FINAL for one in api.jobs().values())

    until(all_over, "every job is over")
    assert {one["State"]["StateType"] for one in api.jobs().values()} == {"Completed"}


def test_an_attempt_on_a_killed_peer_is_told_once_it_is_back(mesh: Mesh) -> None:
    mesh.started("north", "south", options={"south": ["--label", "site=south"]})
    north, south = mesh["north"], mesh["south"]
    only_south = [{"Key": "site", "Operator": "=", "Values": ["south"]}]
    module = assemble("spin")
    until(lambda: _labels(north, "south").get("site") == "south", "north knows south's labels")
    job = north.api.run(wasm_job(module, Constraints=only_south, Name="spins"), module)
    north.api.running(job)
    _kill_with_workers(south)
    north.api.sees("unreachable", "south")
    south.start().ready()

    def told() -> bool:
        document = north.api.job(job)
        return execution_states(document)[:1] == ["Failed"]

    until(told, "north hears what became of it")
    first = executions(north.api.job(job))[0]
    assert first["Mesh"]["Reason"] == "node_restart"
    north.api.running(job)
    north.api.stop_job(job)
    assert state_of(north.api.finished(job)) == "Stopped"
    until(lambda: state_of(south.api.job(job)) == "Stopped", "the stop is known at south")
    until(lambda: _nothing_runs(south), "and obeyed")


def test_the_others_do_the_work_of_a_dead_node(mesh: Mesh) -> None:
    """North owns the job and runs a part of it: both are taken over."""
    mesh.started("north", "south", "east")
    north, south = mesh["north"], mesh["south"]
    job = north.api.run(scripted_job(2000, Count=3, Name="taken-over"))

    def all_run() -> bool:
        return execution_states(north.api.job(job)) == ["Running"] * 3

    until(all_run, "each node runs a part")
    assert sorted(placed_on(north.api.job(job))) == ["east", "north", "south"]
    north.kill()
    done = south.api.finished(job)
    assert state_of(done) == "Completed", message_of(done)
    north.start()
    mesh.met()
    (told,) = [
        one
        for one in executions(until(lambda: _told_by_north(south, job), "north tells what it lost"))
        if one["Mesh"]["NodeName"] == "north" and one["Mesh"]["State"] == "Failed"
    ]
    assert told["Mesh"]["Reason"] == "node_restart"
    assert state_of(south.api.job(job)) == "Completed"


def _told_by_north(node: Node, job: str) -> Any:
    document = node.api.job(job)
    return document if "Failed" in execution_states(document) else None


def test_a_mesh_that_dies_as_a_whole_comes_back_as_a_whole(mesh: Mesh) -> None:
    mesh.started("north", "south", "east")
    jobs = {node.api.run(scripted_job(Name=node.name)) for node in mesh.nodes.values()}
    for node in mesh.nodes.values():
        node.kill()
    for node in mesh.nodes.values():
        node.start()
    mesh.met()
    for node in mesh.nodes.values():
        for job in jobs:
            assert state_of(node.api.finished(job)) == "Completed"
        assert set(node.api.jobs()) == jobs


def _labels(node: Node, name: str) -> dict[str, str]:
    nodes = node.api.get("/api/v1/orchestrator/nodes")["Nodes"]
    (found,) = [one for one in nodes if one["Mesh"]["Name"] == name]
    return found["Info"]["Labels"]


def _nothing_runs(node: Node) -> bool:
    items = [one for job in node.api.jobs() for one in executions(node.api.job(job))]
    assert node.api.call("GET", JOBS).status == 200
    return not [one for one in items if one["Mesh"]["State"] not in ("Failed", "Cancelled")]
