"""One client, one job after another: what a submission and a no-op job take."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.stage import NO_OP, Client, Disk, job_body, latency_figures, mesh_of, program
from tests.system.mesh_processes import Node

JOBS = 500
"""A p99 of 500 rests on the five slowest."""
WARM_UP = 30


def figures() -> Iterator[Figure]:
    """Latencies over one node, then over three."""
    with mesh_of("alone") as mesh, Disk(mesh.folder) as disk:
        acknowledged_s, done_s = _run_jobs(mesh["alone"], disk, runs_on="alone")
        yield from latency_figures(
            "submit acknowledged, one node",
            acknowledged_s,
            disk,
            floors_ms=(3, 8),
            peer="Nomad 1.46 / 2.83, Bacalhau 1.3 / 10",
        )
        yield from latency_figures(
            "no-op wasm, submit to Completed, one node",
            done_s,
            disk,
            floors_ms=(5, 12),
            peer="Bacalhau 13 / 34, Dask 10.6 / 11.9",
        )
    with mesh_of("first", "second", "third") as mesh, Disk(mesh.folder) as disk:
        _, done_s = _run_jobs(mesh["first"], disk, runs_on="second")
        yield from latency_figures(
            "no-op wasm over three nodes, run at another",
            done_s,
            disk,
            floors_ms=(12, 30),
            peer="Bacalhau 19 / 29 polled every 4 ms",
        )


def _run_jobs(node: Node, disk: Disk, *, runs_on: str) -> tuple[list[float], list[float]]:
    """(Submit to acknowledgement, submit to Completed) of each job; every one is proved to have
    run where it should."""
    module = program(NO_OP)
    body = job_body(module, on=[runs_on])
    acknowledged_s, done_s, jobs = [], [], []
    with Client(node) as client:
        client.keep(module)
        for number in range(WARM_UP + JOBS):
            began_s = time.perf_counter()
            job = client.submit(body)
            told_s = time.perf_counter()
            over_s = client.completed(job)
            jobs.append(job)
            if number >= WARM_UP:
                acknowledged_s.append(told_s - began_s)
                done_s.append(over_s - began_s)
                disk.flush()
        for job in jobs:
            ran = client.executions(job)
            assert [one["Mesh"]["NodeName"] for one in ran if one["Mesh"]["Accepted"]] == [runs_on]
    return acknowledged_s, done_s
