"""Containers through whole nodes: many at once, the first line of a log, a flood, and an agent that
is killed again and again under one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from tests.bench.bench_docker import AT_ONCE, FLOOD_BYTES, bare_loop_s
from tests.bench.bench_hosts import docker_for_nodes
from tests.bench.figure import Figure, long_rows
from tests.bench.stage import Client, container_body, mesh_of, offers_known, rss_mib
from tests.system import docker_engine
from tests.system.docker_engine import PrivateEngine
from tests.system.mesh_processes import Mesh, Node, until

THREE = ("first", "second", "third")
PAIRS = 5
LOGS = 5
TELL_UPTIME = "sleep 3; cat /proc/uptime; sleep 600"
"""Three seconds are enough to follow it from elsewhere before it says when it spoke."""
KILLS = 200
LOOK_S = 0.02
FLOOD_S = 120.0
FLOOD_SHARE = {"CPU": "1", "Memory": "64mb"}


def figures() -> Iterator[Figure]:
    """None where no engine can be started."""
    if docker_engine.absence() is not None:
        return
    with docker_for_nodes() as dockerd:
        with mesh_of(*THREE) as mesh:
            offers_known(mesh, "docker")
            yield _at_once(mesh, dockerd)
            yield _first_line(mesh)
            if long_rows():
                yield _flood(mesh)
        if long_rows():
            with mesh_of("alone") as mesh:
                offers_known(mesh, "docker")
                yield from _killed(mesh["alone"], dockerd)


def _at_once(mesh: Mesh, dockerd: PrivateEngine) -> Figure:
    """Taken in turns with the bare loop, for the machine is not equally fast all the time."""
    pairs_s: list[tuple[float, float]] = []
    with Client(mesh["first"]) as client:
        for name in THREE:  # each has loaded the SDK, as the bare loop has
            client.completed(client.submit(container_body("true", on=[name])))
        for _ in range(PAIRS):
            pairs_s.append((_burst_s(client), bare_loop_s(dockerd.host)))
    mine_s, bare_s = (sum(column) / PAIRS for column in zip(*pairs_s, strict=True))
    ratios = ", ".join(f"{mine / bare:.2f}" for mine, bare in pairs_s)
    note = f"{mine_s:.1f} s against {bare_s:.1f} s, {AT_ONCE / mine_s:.1f} a second; {ratios}"
    name = f"{AT_ONCE} container jobs at once over three nodes"
    peer = "Bacalhau 6.4 jobs/s"
    return Figure(name, mine_s / bare_s, "x bare SDK loop", 1.15, "less", peer, note)


def _burst_s(client: Client) -> float:
    """Seconds from the first submission until the client has seen all of them completed; it waits
    for one at a time, for to ask for all again and again would cost what is measured."""
    began_s = time.perf_counter()
    jobs = [client.submit(container_body("true")) for _ in range(AT_ONCE)]
    for job in reversed(jobs):
        while client.state(job) != "Completed":
            time.sleep(LOOK_S)
    return time.perf_counter() - began_s


def _first_line(mesh: Mesh) -> Figure:
    """From the program's own word for when it spoke; its clock has steps of 10 ms."""
    took_ms: list[float] = []
    with Client(mesh["first"]) as client:
        for _ in range(LOGS):
            body = container_body("sh", "-c", TELL_UPTIME, on=["second", "third"])
            job = client.submit(body)
            following = mesh["first"].begin("job", "logs", "-f", job)
            assert following.stdout is not None, "it was begun with a pipe"
            line = following.stdout.readline()
            heard_s = time.clock_gettime(time.CLOCK_BOOTTIME)
            took_ms.append((heard_s - float(line.split()[-2])) * 1000)
            following.kill()
            client.call("DELETE", f"/api/v1/orchestrator/jobs/{job}", b"{}")
    note = f"median of {LOGS}; slowest {max(took_ms):.0f}"
    name = "first log line at a client of another node"
    return Figure(name, statistics.median(took_ms), "ms", 200, "less", note=note)


def _flood(mesh: Mesh) -> Figure:
    """Of the node that runs it, by how much its own process grows."""
    with Client(mesh["first"]) as client:
        before = peak = rss_mib(mesh["second"])[0]
        began_s = time.perf_counter()
        command = f"head -c {FLOOD_BYTES} /dev/zero | tr '\\0' x"
        job = client.submit(
            container_body("sh", "-c", command, on=["second"], resources=FLOOD_SHARE)
        )
        while client.state(job) in ("Pending", "Queued", "Running"):
            assert time.perf_counter() - began_s < FLOOD_S, "the flood does not end"
            peak = max(peak, rss_mib(mesh["second"])[0])
            time.sleep(LOOK_S)
        took_s = time.perf_counter() - began_s
        assert client.state(job) == "Completed", client.executions(job)
    note = f"{FLOOD_BYTES / took_s / 1e6:.0f} MB/s, from {before:.0f} to {peak:.0f} MiB"
    name = "memory that a node takes for 1 GB of stdout"
    return Figure(name, peak - before, "MiB", 16, "less", note=note)


def _killed(node: Node, dockerd: PrivateEngine) -> Iterator[Figure]:
    """The node is killed under one container; the next start is to adopt it."""
    with Client(node) as client:
        job = client.submit(container_body("sleep", "100000"))
        until(lambda: _states(node, job) == ["Running"], f"{job} runs")
    (first,) = _containers(dockerd)
    adopted = 0
    for _ in range(KILLS):
        node.kill()
        node.start().ready()
        until(lambda: _states(node, job) != [], f"{job} is known again")
        until(lambda: _said_again(node, job), f"the container of {job} is adopted")
        adopted += _states(node, job) == ["Running"] and _containers(dockerd) == [first]
    starts = len(dockerd.docker("ps", "--all", "--quiet", "--no-trunc").split())
    node.api.stop_job(job)
    name = f"{KILLS} agent kills under a running container"
    yield Figure(f"{name}: adopted", adopted, "", KILLS, "more")
    yield Figure(f"{name}: second starts", starts - 1, "", 0, "less")


def _said_again(node: Node, job: str) -> bool:
    """This run has spoken of it: the last of its records is younger than the start."""
    (one,) = node.api.job(job)["Executions"]["Items"]
    return bool(one["ModifyTime"] / 1e9 > node.started_s)


def _states(node: Node, job: str) -> list[str]:
    document = node.api.job(job)
    items = document["Executions"]["Items"] if document else []
    return [one["Mesh"]["State"] for one in items]


def _containers(dockerd: PrivateEngine) -> list[str]:
    return dockerd.docker("ps", "--quiet", "--no-trunc").split()
