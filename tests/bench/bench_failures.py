"""A process is killed, a host falls silent: how long until the work goes on elsewhere."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil  # type: ignore[import-untyped]

from tests.bench.figure import Figure
from tests.bench.stage import SLEEP, Client, job_body, mesh_of, program
from tests.system.mesh_processes import JOBS, Mesh, Node, until

NODES = ("first", "second", "third", "fourth", "fifth")
REPEATS = 3
PATIENCE_S = 30.0
"""Over twice the greatest floor: what has not happened by then does not."""
LOOK_S = 0.005
TRIES = 20
"""Submissions until one runs at the node that accepted it: of two that may, one does soon."""

Strike = Callable[[Node], None]


def figures() -> Iterator[Figure]:
    """Executing node and owner; killed and silent."""
    for what, strike, floors_s, peers in (
        (
            "process killed",
            Node.kill,
            (2, 2),
            ("HyperQueue 0.003, Ray under 0.5, Nomad 23, Bacalhau 76", "Bacalhau: none"),
        ),
        ("host silent", _freeze, (12, 12), ("Bacalhau 76", "Bacalhau: none")),
    ):
        work_s: list[float | None] = []
        owner_s: list[float | None] = []
        for _ in range(REPEATS):
            if None not in work_s + owner_s:
                with mesh_of(*NODES) as mesh:
                    work_s.append(strike_executing(mesh, strike))
                    owner_s.append(strike_owner(mesh, strike))
        yield figure_of(
            f"executing node's {what}, to its wasm work running elsewhere",
            work_s,
            floors_s[0],
            peers[0],
        )
        yield figure_of(f"owner's {what}, to the next placement", owner_s, floors_s[1], peers[1])


def figure_of(name: str, values_s: list[float | None], floor_s: float, peer: str) -> Figure:
    """The median of some strikes; no figure when one of them led to nothing."""
    known = [one for one in values_s if one is not None]
    if len(known) < len(values_s):
        return Figure(name, None, "s", floor_s, "less", peer, f"not within {PATIENCE_S:.0f} s")
    note = f"median of {len(known)}; slowest {max(known):.2f}"
    return Figure(name, statistics.median(known), "s", floor_s, "less", peer, note)


def _freeze(node: Node) -> None:
    """All that stands for its host. `Node.workers` notes the workers: frozen they do not see their
    node end, and are ended when the mesh is left."""
    for process in (psutil.Process(node.pid), *node.workers()):
        process.send_signal(signal.SIGSTOP)


def strike_executing(mesh: Mesh, strike: Strike, body: bytes | None = None) -> float | None:
    """Seconds until the owner, which lives, has seen the work running at another node.

    The work is a program that sleeps, or the job of this body, which runs at `second` or `third`.
    """
    module = program(SLEEP)
    with Client(mesh["first"]) as client:
        client.keep(module)
        job = client.submit(body or job_body(module, on=["second", "third"]))
        ran_on = _running_on(client, job)
        strike(mesh[ran_on])
        return _seconds_until(
            lambda: any(
                one["Mesh"]["State"] == "Running" and one["Mesh"]["NodeName"] != ran_on
                for one in client.executions(job)
            )
        )


def strike_owner(mesh: Mesh, strike: Strike) -> float | None:
    """Seconds until a node that lives has seen a placement by another owner.

    The job runs at its owner, so that there is something to place once both are gone.
    """
    module = program(SLEEP)
    body = job_body(module, on=["fourth", "fifth"])
    name = "fourth"
    for _ in range(TRIES):
        with Client(mesh[name]) as client:
            client.keep(module)
            job = client.submit(body)
            ran_on = _running_on(client, job)
            if ran_on == name:
                break
            client.call("DELETE", f"{JOBS}/{job}", b"{}")
            name = ran_on
    else:
        raise AssertionError(f"of {TRIES} jobs none was placed at its owner")
    owner = mesh[name]
    with Client(mesh["first"]) as client:
        until(lambda: client.executions(job)[0]["Mesh"]["State"] == "Running", "it is known")
        strike(owner)
        return _seconds_until(
            lambda: any(one["Mesh"]["NodeName"] != owner.name for one in client.executions(job))
        )


def _running_on(client: Client, job: str) -> str:
    def look() -> Any:
        return [one for one in client.executions(job) if one["Mesh"]["State"] == "Running"]

    (running,) = until(look, f"{job} runs")
    return str(running["Mesh"]["NodeName"])


def _seconds_until(look: Callable[[], bool]) -> float | None:
    began_s = time.perf_counter()
    while not look():
        if time.perf_counter() - began_s > PATIENCE_S:
            return None
        time.sleep(LOOK_S)
    return time.perf_counter() - began_s
