"""What it costs to start a node, to call the client, and to let a mesh of five idle."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from tests.bench.figure import Figure, long_rows
from tests.bench.stage import Client, Disk, cpu_s, family, mesh_of, percentile_ms
from tests.system.mesh_processes import Mesh, Node, clean_environment

STARTS = 5
CALLS = 10
IDLE_S = 10.0
LONG_IDLE_S = 600.0
QUIET_S = 5.0
"""After the last node was met: registers and probes settle."""
FIVE = ("one", "two", "three", "four", "five")
FLUSHES = 200


def figures() -> Iterator[Figure]:
    """Starts, calls, idling; and the disk and the client that the other figures rest on."""
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder, Mesh(Path(folder)) as mesh:
        node = mesh.add("alone", "--no-mdns", lab=False)
        fresh_s = _answers(node, time.perf_counter())
        node.terminate()
        again_s = []
        for _ in range(STARTS):
            began_s = time.perf_counter()
            again_s.append(_answers(node.start(), began_s))
            if len(again_s) < STARTS:
                node.terminate()
        yield Figure(
            "node start to first answer",
            statistics.median(again_s),
            "s",
            0.6,
            "less",
            "Bacalhau 0.09, HyperQueue 0.015, Nomad 1.2",
            f"median of {STARTS}; with a fresh folder {fresh_s:.2f}",
        )
        yield from _calls(node)
        yield from _ground(mesh, node)
    yield from _idle()


def _answers(node: Node, began_s: float) -> float:
    """Seconds until it answered a request."""
    while node.page is None:
        assert node.process.poll() is None, node.said()
        time.sleep(0.001)
    with Client(node) as client:
        client.call("GET", "/api/v1/agent/alive")
    return time.perf_counter() - began_s


def _calls(node: Node) -> Iterator[Figure]:
    address = node.page["api_addresses"][0]
    host, _, port = address.rpartition(":")
    environment = {**clean_environment(), "BACALHAU_API_HOST": host, "BACALHAU_API_PORT": port}
    script = Path(sys.executable).with_name("bacalhau-mesh")
    for arguments, floor, peer in (
        (["--help"], 150, ""),
        (["node", "list"], 250, "Bacalhau 26"),
    ):
        took_s = []
        for _ in range(CALLS):
            began_s = time.perf_counter()
            subprocess.run([script, *arguments], env=environment, check=True, capture_output=True)
            took_s.append(time.perf_counter() - began_s)
        yield Figure(
            f"CLI {' '.join(arguments)}",
            statistics.median(took_s) * 1000,
            "ms",
            floor,
            "less",
            peer,
            f"median of {CALLS}; fastest {min(took_s) * 1000:.0f}",
        )


def _ground(mesh: Mesh, node: Node) -> Iterator[Figure]:
    """No figures of ours: what those of latency stand on."""
    with Disk(mesh.folder) as disk, Client(node) as client:
        asked_s = []
        for _ in range(FLUSHES):
            disk.flush()
            began_s = time.perf_counter()
            client.call("GET", "/api/v1/agent/alive")
            asked_s.append(time.perf_counter() - began_s)
    for name, values_s in (("one flush of the disk", disk.flushes_s), ("one request", asked_s)):
        note = f"p99 {percentile_ms(values_s, 99):.2f}"
        yield Figure(name, percentile_ms(values_s, 50), "ms", None, "less", note=note)


def _idle() -> Iterator[Figure]:
    wait_s = LONG_IDLE_S if long_rows() else IDLE_S
    with mesh_of(*FIVE) as mesh:
        time.sleep(QUIET_S)
        nodes = list(mesh.nodes.values())
        before = [(cpu_s(node), _written_bytes(node)) for node in nodes]
        began_s = time.perf_counter()
        time.sleep(wait_s)
        took_s = time.perf_counter() - began_s
        used = [cpu_s(node) - cpu for node, (cpu, _) in zip(nodes, before, strict=True)]
        written = sum(
            _written_bytes(node) - size for node, (_, size) in zip(nodes, before, strict=True)
        )
    yield Figure(
        "idle processor time of a node in a mesh of five",
        statistics.mean(used) / took_s * 100,
        "% of a core",
        1.0,
        "less",
        note=f"mean of five over {took_s:.0f} s; the busiest {max(used) / took_s * 100:.2f}",
    )
    yield Figure(
        f"bytes that five idle nodes write in {wait_s / 60:.2g} minutes",
        written,
        "B",
        0 if long_rows() else None,
        "less",
    )


def _written_bytes(node: Node) -> int:
    counters: list[Any] = [one.io_counters() for one in family(node)]
    return sum(one.write_bytes for one in counters) if psutil.LINUX else 0
