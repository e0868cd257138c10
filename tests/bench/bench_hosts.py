"""A host falls silent: its link is cut by iptables, in a network namespace of its own, and it runs
on. How long until its work, or its jobs, go on elsewhere."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.bench_failures import NODES, figure_of, strike_executing, strike_owner
from tests.bench.figure import Figure
from tests.bench.stage import container_body, offers_known
from tests.system import docker_engine, namespaces
from tests.system.mesh_processes import Mesh, Node

REPEATS = 2
SLEEP_S = "600"
BACALHAU = "Bacalhau 76"


def figures() -> Iterator[Figure]:
    """None where no network namespaces can be made; of containers where no engine can run."""
    if namespaces.absence() is not None:
        return
    work_s: list[float | None] = []
    owner_s: list[float | None] = []
    for _ in range(REPEATS):
        if None not in work_s + owner_s:
            with _hosts() as (mesh, hosts):
                work_s.append(strike_executing(mesh, lambda node: _silence(hosts, node)))
                owner_s.append(strike_owner(mesh, lambda node: _silence(hosts, node)))
    cut = "host silent (link cut)"
    yield figure_of(f"executing node's {cut}, to its wasm work elsewhere", work_s, 12, BACALHAU)
    yield figure_of(f"owner's {cut}, to the next placement", owner_s, 12, "Bacalhau: none")
    if docker_engine.absence() is None:
        yield from _containers(cut)


def _containers(cut: str) -> Iterator[Figure]:
    body = container_body("sleep", SLEEP_S, on=["second", "third"])
    cut_s: list[float | None] = []
    killed_s: list[float | None] = []
    with docker_for_nodes():
        for _ in range(REPEATS):
            if None not in cut_s + killed_s:
                with _hosts() as (mesh, hosts):
                    offers_known(mesh, "docker")
                    cut_s.append(strike_executing(mesh, lambda node: _silence(hosts, node), body))
                with _hosts() as (mesh, _):
                    offers_known(mesh, "docker")
                    killed_s.append(strike_executing(mesh, Node.kill, body))
    yield figure_of(f"executing node's {cut}, to its container elsewhere", cut_s, 20, BACALHAU)
    name = "executing node's process killed, to its container elsewhere"
    yield figure_of(name, killed_s, 12, BACALHAU)


@contextmanager
def docker_for_nodes() -> Iterator[docker_engine.PrivateEngine]:
    """An engine of our own, which all nodes started meanwhile use."""
    folder = Path(tempfile.mkdtemp(prefix="bench-docker-"))
    before = os.environ.get("DOCKER_HOST")
    with docker_engine.private_engine(folder) as engine:
        os.environ["DOCKER_HOST"] = engine.host
        try:
            yield engine
        finally:
            del os.environ["DOCKER_HOST"]
            if before is not None:
                os.environ["DOCKER_HOST"] = before


@contextmanager
def _hosts() -> Iterator[tuple[Mesh, namespaces.SwitchedHosts]]:
    """Five nodes that have met, each on a host of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh-bench-")))
        hosts = stack.enter_context(namespaces.SwitchedHosts(len(NODES)))
        mesh = stack.enter_context(Mesh(folder))
        for number, name in enumerate(NODES):
            mesh.add(name, prefix=hosts.inside(number), bind="")
        mesh.met()
        offers_known(mesh)
        yield mesh, hosts


def _silence(hosts: namespaces.SwitchedHosts, node: Node) -> None:
    hosts.silence(NODES.index(node.name))
