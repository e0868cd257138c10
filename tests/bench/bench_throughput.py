"""Many no-op jobs at once over three nodes, timed until all three know that all are done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.bench.figure import Figure
from tests.bench.stage import NO_OP, Client, job_body, mesh_of, program, rss_mib
from tests.system.mesh_processes import JOBS, Mesh, Node

AT_ONCE = 500
COUNT = 5000
CLIENTS_PER_NODE = 4
"""Connections that submit to one node side by side: so many share a flush."""
LOOK_S = 0.01
NODES = ("first", "second", "third")
FINISHED_JOBS = 5000


def figures() -> Iterator[Figure]:
    """Jobs in a second, and what a node holds in memory before and after."""
    with mesh_of(*NODES) as mesh:
        _burst(mesh, NODES, 50)
        yield Figure(
            "500 no-op wasm jobs at once over three nodes, known by all",
            AT_ONCE / _burst(mesh, NODES, AT_ONCE),
            "jobs/s",
            300,
            "more",
            "HyperQueue 301, Bacalhau 76, Nomad 18.7",
            f"{CLIENTS_PER_NODE} clients at each node",
        )
    with mesh_of(*NODES) as mesh:
        took_s, ran_on = _one_job(mesh, COUNT)
        where = ", ".join(f"{ran_on[name]} on {name}" for name in NODES)
        yield Figure(
            "one no-op wasm job of count 5,000 over three nodes, known by all",
            COUNT / took_s,
            "1/s",
            800,
            "more",
            "HyperQueue 1,558",
            where,
        )
    yield from _memory()


def _memory() -> Iterator[Figure]:
    with mesh_of("alone") as mesh:
        node = mesh["alone"]
        _burst(mesh, ("alone",), 20)
        yield _memory_figure(node, "idle", 110, "Bacalhau 78, Nomad server 85")
        for _ in range(FINISHED_JOBS // AT_ONCE):
            _burst(mesh, ("alone",), AT_ONCE)
        yield _memory_figure(node, "after 5,000 finished jobs", 140, "Bacalhau 4,350 after 3,650")


def _memory_figure(node: Node, when: str, floor_mib: float, peer: str) -> Figure:
    own, workers, count = rss_mib(node)
    per_worker = workers / count if count else 0.0
    note = f"node {own:.0f}, and one of {count} workers {per_worker:.0f}"
    return Figure(
        f"memory of a node and its warm worker, {when}",
        own + per_worker,
        "MiB",
        floor_mib,
        "less",
        peer,
        note,
    )


def _burst(mesh: Mesh, names: tuple[str, ...], count: int) -> float:
    """Seconds from the first submission until every node knows every job as completed."""
    module = program(NO_OP)
    body = job_body(module)
    with Client(mesh[names[0]]) as client:
        client.keep(module)
    lanes = [mesh[name] for name in names for _ in range(CLIENTS_PER_NODE)]
    shares = [count // len(lanes) + (lane < count % len(lanes)) for lane in range(len(lanes))]
    with ThreadPoolExecutor(len(lanes)) as pool:
        began_s = time.perf_counter()
        jobs = [job for lane in pool.map(partial(_submit, body), lanes, shares) for job in lane]
        ended_s = max(pool.map(lambda name: _all_known(mesh[name], jobs), names))
    assert len(set(jobs)) == count
    return ended_s - began_s


def _submit(body: bytes, node: Node, count: int) -> list[str]:
    with Client(node) as client:
        return [client.submit(body) for _ in range(count)]


def _all_known(node: Node, jobs: list[str]) -> float:
    """The clock when this node was seen to know them all as completed.

    The one that was not over when last looked at is asked for again and again; once it is over the
    whole list is, and only its answer counts.
    """
    wanted, open_jobs = set(jobs), list(jobs[-1:])
    with Client(node) as client:
        while open_jobs:
            if client.state(open_jobs[-1]) != "Completed":
                time.sleep(LOOK_S)
                continue
            listed = client.call("GET", f"{JOBS}?limit=0")["Items"]
            states = {one["ID"]: one["State"]["StateType"] for one in listed}
            assert "Failed" not in states.values(), Counter(states.values())
            open_jobs = [one for one in jobs if states.get(one) != "Completed"]
        assert wanted <= set(states)
    return time.perf_counter()


def _one_job(mesh: Mesh, count: int) -> tuple[float, Counter[str]]:
    """Seconds until every node knows it as completed; slots by the node whose result counts."""
    module = program(NO_OP)
    with Client(mesh["first"]) as client:
        client.keep(module)
        for name in NODES:
            client.completed(client.submit(job_body(module, on=[name])))
        began_s = time.perf_counter()
        job = client.submit(job_body(module, Count=count))
    with ThreadPoolExecutor(len(NODES)) as pool:
        ended_s = max(pool.map(lambda name: _completed(mesh[name], job), NODES))
    with Client(mesh["third"]) as client:
        accepted = [one for one in client.executions(job) if one["Mesh"]["Accepted"]]
    assert len({one.get("PartitionIndex", 0) for one in accepted}) == count
    return ended_s - began_s, Counter(one["Mesh"]["NodeName"] for one in accepted)


def _completed(node: Node, job: str) -> float:
    with Client(node) as client:
        while not client.knows(job) or client.state(job) != "Completed":
            time.sleep(LOOK_S)
    return time.perf_counter()
