"""The live feed: what fifty readers cost a node, and how soon one sees a change made far away."""

from __future__ import annotations

import json
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from types import TracebackType

import psutil  # type: ignore[import-untyped]

from mesh.edge.cli.connect import Endpoint, NodeApi
from tests.bench.figure import Figure
from tests.bench.stage import NO_OP, Client, job_body, mesh_of, program, rss_mib
from tests.system.mesh_processes import Node

NODES = ("first", "second", "third")
WATCH = "/api/v1/mesh/watch"
READERS = 50
CHANGES_PER_S = 20
MEASURE_S = 10.0
FAR_CHANGES = 40
REQUEST_S = 60.0


def figures() -> Iterator[Figure]:
    """Readers on one node, changes made at another."""
    with mesh_of(*NODES) as mesh, Client(mesh["second"]) as far:
        here = mesh["first"]
        far.keep(program(NO_OP))
        yield _far_change(here, far)
        _changes(far, 2.0)
        alone_s = _cost_s(here, far)
        before_mib = rss_mib(here)[0]
        with Readers(here) as readers:
            _changes(far, 2.0)
            with_s = _cost_s(here, far)
            held_mib = rss_mib(here)[0] - before_mib
            heard = readers.heard_bytes
        share = 100 * max(0.0, with_s - alone_s) / MEASURE_S
        yield Figure(
            f"{READERS} open feeds at {CHANGES_PER_S} changes/s, share of a core",
            share,
            "%",
            10,
            "less",
            note=f"aim 5; the node itself takes {100 * alone_s / MEASURE_S:.1f} %; "
            f"{heard / 1e6:.1f} MB were read",
        )
        yield Figure(
            f"{READERS} open feeds, memory of the node", held_mib, "MiB", 20, "less", note="aim 10"
        )


class Readers:
    """Fifty connections, read as fast as anything comes."""

    def __init__(self, node: Node) -> None:
        assert node.page is not None
        host, _, port = node.page["api_addresses"][0].rpartition(":")
        self.heard_bytes = 0
        self._selector = selectors.DefaultSelector()
        self._stopped = threading.Event()
        for _ in range(READERS):
            connection = socket.create_connection((host, int(port)), REQUEST_S)
            request = f"GET {WATCH} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(request.encode())
            self._selector.register(connection, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Readers:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _read(self) -> None:
        while not self._stopped.is_set():
            for key, _ in self._selector.select(0.1):
                assert isinstance(key.fileobj, socket.socket)
                self.heard_bytes += len(key.fileobj.recv(1 << 16))


def _waiting_job(number: int) -> bytes:
    """A job that no node may run: one change wherever it is heard of."""
    return job_body(program(NO_OP), on=("nobody",), Name=f"waits-{time.time_ns()}-{number}")


def _changes(far: Client, duration_s: float) -> None:
    """So many changes a second, evenly."""
    began_s = time.perf_counter()
    for number in range(round(CHANGES_PER_S * duration_s)):
        far.submit(_waiting_job(number))
        left_s = began_s + (number + 1) / CHANGES_PER_S - time.perf_counter()
        time.sleep(max(0.0, left_s))


def _cost_s(node: Node, far: Client) -> float:
    """Processor time of a node while changes are made at another."""
    before = psutil.Process(node.pid).cpu_times()
    _changes(far, MEASURE_S)
    after = psutil.Process(node.pid).cpu_times()
    return float(after.user + after.system - before.user - before.system)


def _far_change(here: Node, far: Client) -> Figure:
    assert here.page is not None
    api = NodeApi(Endpoint(socket_path=here.page["api_socket"]))
    frames = api.frames(WATCH, deadline_s=time.monotonic() + REQUEST_S)
    while next(frames).data.get("More"):
        pass
    taken_s = []
    for number in range(FAR_CHANGES):
        job = far.submit(_waiting_job(number))
        acknowledged_s = time.perf_counter()
        while job not in json.dumps(next(frames).data):
            pass
        taken_s.append(time.perf_counter() - acknowledged_s)
    return Figure(
        "change on a far node to a reader of the feed",
        statistics.median(taken_s),
        "s",
        1.0,
        "less",
        note=f"aim 0.3; median of {FAR_CHANGES} in a row, slowest {max(taken_s):.3f}",
    )
