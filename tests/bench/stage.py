"""What the bench modules share: nodes as processes, a fast client, programs, a look at the disk."""

from __future__ import annotations

import hashlib
import http.client
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil  # type: ignore[import-untyped]
import wasmtime

from tests.bench.figure import Figure
from tests.system.docker_engine import IMAGE
from tests.system.mesh_processes import (
    JOBS,
    JSON_HEADERS,
    NODES,
    Mesh,
    Node,
    UnixConnection,
    until,
    wasm_job,
)

POLL_S = 0.0005
"""How often a waiting client asks: what the latency figures are defined by."""
FLUSH_BYTES = 1500
"""What one flush of a no-op job writes: an envelope of some records."""
REQUEST_S = 60.0

NO_OP = '(module (memory (export "memory") 1) (func (export "_start")))'
SLEEP = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 600000000000))
    (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))))"""
"""Sleeps ten minutes on the monotonic clock: runs on, and takes no processor from the nodes."""

TINY = {"CPU": "10m", "Memory": "1mb"}
"""What a no-op asks for: hundreds of them are admitted at a time."""


SMALL = {"CPU": "100m", "Memory": "16mb"}
"""The same for a container: an engine takes no less than 6 MB, and holds it to its share of the
processor, in which it also starts: with a tenth of this that takes four seconds."""


def program(text: str) -> bytes:
    """A program in binary."""
    return bytes(wasmtime.wat2wasm(text))


class Client:
    """One keep-alive connection to one node."""

    def __init__(self, node: Node) -> None:
        self._connection: http.client.HTTPConnection
        if node.elsewhere:
            self._connection = UnixConnection(Path(node.page["api_socket"]))
        else:
            host, _, port = node.page["api_addresses"][0].rpartition(":")
            self._connection = http.client.HTTPConnection(host, int(port), timeout=REQUEST_S)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        """The document of a request that must succeed."""
        self._connection.request(method, path, body, JSON_HEADERS)
        response = self._connection.getresponse()
        raw = response.read()
        assert response.status == 200, (method, path, response.status, raw[:500])
        return json.loads(raw)

    def keep(self, module: bytes) -> None:
        """Bring a module."""
        self.call("PUT", f"/api/v1/mesh/blobs/{hashlib.sha256(module).hexdigest()}", module)

    def submit(self, body: bytes) -> str:
        """The job's id, once it is on the node's disk."""
        return str(self.call("PUT", JOBS, body)["JobID"])

    def knows(self, job: str) -> bool:
        """Whether the node has heard of the job; asked by id, it waits 2 s before it says no."""
        self._connection.request("GET", f"{JOBS}/{job}")
        response = self._connection.getresponse()
        response.read()
        assert response.status in (200, 404), response.status
        return response.status == 200

    def state(self, job: str) -> str:
        """The job's state here."""
        return str(self.call("GET", f"{JOBS}/{job}")["Job"]["State"]["StateType"])

    def executions(self, job: str) -> list[Any]:
        """Its executions as known here."""
        document = self.call("GET", f"{JOBS}/{job}?include=executions")
        return list(document["Executions"]["Items"])

    def completed(self, job: str) -> float:
        """Poll until it is over; the clock when that was seen."""
        while (state := self.state(job)) != "Completed":
            assert state in ("Pending", "Queued", "Running"), (job, state)
            time.sleep(POLL_S)
        return time.perf_counter()


def job_body(module: bytes, *, on: Sequence[str] = (), **fields: Any) -> bytes:
    """The body of a submission, made once; `on` are the names of nodes that may run it."""
    return _body(wasm_job(module, resources=TINY, **fields), on)


def container_body(*command: str, on: Sequence[str] = (), **fields: Any) -> bytes:
    """The same for a container of the tests' own image."""
    engine = {"Type": "docker", "Params": {"Image": IMAGE, "Parameters": list(command)}}
    task = {"Name": "main", "Engine": engine, "Resources": fields.pop("resources", SMALL)}
    return _body({"Type": "batch", "Count": 1, **fields, "Tasks": [task]}, on)


def _body(document: dict[str, Any], on: Sequence[str]) -> bytes:
    if on:
        document["Constraints"] = [{"Key": "name", "Operator": "in", "Values": list(on)}]
    return json.dumps({"Job": document}).encode()


@contextmanager
def mesh_of(*names: str, options: Mapping[str, Sequence[str]] | None = None) -> Iterator[Mesh]:
    """A mesh whose nodes have met, and know what each of them offers."""
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder, Mesh(Path(folder)) as mesh:
        alone = dict.fromkeys(names, ("--no-mdns",)) if len(names) == 1 else {}
        mesh.started(*names, options={**alone, **(options or {})})
        offers_known(mesh)
        yield mesh


def offers_known(mesh: Mesh, engine: str = "wasm") -> None:
    """Once every node of a mesh knows of all that they offer this engine."""

    def known(node: Node) -> bool:
        nodes = node.api.get(NODES)["Nodes"]
        offers = [one["Info"].get("ComputeNodeInfo", {}) for one in nodes]
        return len(nodes) == len(mesh.nodes) and all(
            engine in (one.get("ExecutionEngines") or ()) for one in offers
        )

    until(lambda: all(known(one) for one in mesh.nodes.values()), f"{engine} is known of all")


class Disk(AbstractContextManager["Disk"]):
    """One flush of the disk that the nodes write to: a commit of SQLite in WAL mode, FULL."""

    def __init__(self, folder: Path) -> None:
        self.flushes_s: list[float] = []
        self._database = sqlite3.connect(folder / "disk.sqlite", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE rows (data BLOB) STRICT")
        self._row = (bytes(FLUSH_BYTES),)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with closing(self._database):
            self._database.execute("DROP TABLE rows")

    def flush(self) -> None:
        """Do it once, and note how long it took."""
        began_s = time.perf_counter()
        self._database.execute("INSERT INTO rows VALUES (?)", self._row)
        self.flushes_s.append(time.perf_counter() - began_s)


def percentile_ms(values_s: Sequence[float], percent: int) -> float:
    """Of durations in seconds, in milliseconds."""
    return statistics.quantiles(values_s, n=100, method="inclusive")[percent - 1] * 1000


def latency_figures(
    name: str,
    values_s: Sequence[float],
    disk: Disk,
    *,
    floors_ms: tuple[float, float],
    peer: str,
    note: str = "",
) -> Iterator[Figure]:
    """p50 and p99, less the same of one flush measured in the same run."""
    for percent, floor in zip((50, 99), floors_ms, strict=True):
        whole = percentile_ms(values_s, percent)
        flush = percentile_ms(disk.flushes_s, percent)
        said = f"{whole:.2f} in all, of which one flush {flush:.2f}; n = {len(values_s)}"
        yield Figure(
            f"{name}, p{percent}",
            max(whole - flush, 0.0),
            "ms",
            floor,
            "less",
            peer,
            f"{said}; {note}" if note else said,
        )


def family(node: Node) -> list[psutil.Process]:
    """The node's process and its workers."""
    process = psutil.Process(node.pid)
    return [process, *process.children(recursive=True)]


def rss_mib(node: Node) -> tuple[float, float, int]:
    """(Node, workers together, how many workers), resident, in MiB."""
    sizes = [one.memory_info().rss / (1 << 20) for one in family(node)]
    return sizes[0], sum(sizes[1:]), len(sizes) - 1


def cpu_s(node: Node) -> float:
    """Processor time of the node and its workers up to now."""
    times = [one.cpu_times() for one in family(node)]
    return sum(one.user + one.system for one in times)
