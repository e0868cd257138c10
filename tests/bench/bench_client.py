"""Bacalhau's own client, unmodified, against a mesh node and against a node of its own, in turns.

Needs its binary, on PATH as `bacalhau` or in BACALHAU_BIN; containers need an engine besides.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.stage import program
from tests.system import docker_engine
from tests.system.fake_registry import serving_image
from tests.system.mesh_processes import JOBS, NODES, Mesh, Node, clean_environment, until

NO_OP = '(module $no_op (memory (export "memory") 1) (func $start (export "_start")))'
"""Bacalhau runs no module without names."""

ROUNDS = 20
WARM_UP = 2
MOST = 1.1
"""Of the time that it takes against its own node."""
START_S = 60.0
RUN_S = 60.0
QUIET = ("-c", "UpdateConfig.Interval=0")
"""Else every call asks the internet for a newer release."""
ABSENT = "no bacalhau on PATH or in BACALHAU_BIN"


def figures() -> Iterator[Figure]:
    """One row for a module, one for a container; without a value where a part is absent."""
    binary = os.environ.get("BACALHAU_BIN") or shutil.which("bacalhau")
    engine_absence = docker_engine.absence()
    if binary is None:
        yield _skipped("wasm", ABSENT)
        yield _skipped("docker", ABSENT)
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-client-")))
        environment = {**clean_environment(), "HOME": str(folder), "BACALHAU_DIR": f"{folder}/repo"}
        for part in ("docker", "mesh", "registry"):
            (folder / part).mkdir()
        image = ""
        if engine_absence is None:
            engine = stack.enter_context(docker_engine.private_engine(folder / "docker"))
            environment["DOCKER_HOST"] = engine.host
            image = _pulled_image(engine, folder / "registry")
        theirs = stack.enter_context(_own_node(binary, folder, environment))
        mesh = stack.enter_context(Mesh(folder / "mesh"))
        prefix = ("env", f"DOCKER_HOST={environment.get('DOCKER_HOST', '')}")
        ours = _port(mesh.add("alone", "--no-mdns", prefix=prefix))
        module = folder / "no-op.wasm"
        module.write_bytes(program(NO_OP))
        client = _Client(binary, environment)
        yield _row("wasm", client, ours, theirs, (str(module),))
        if engine_absence is None:
            yield _row("docker", client, ours, theirs, (image, "true"))
        else:
            yield _skipped("docker", engine_absence)


class _Client:
    """The binary, told which node to ask."""

    def __init__(self, binary: str, environment: dict[str, str]) -> None:
        self._binary = binary
        self._environment = environment

    def run_s(self, port: int, engine: str, arguments: Sequence[str]) -> float:
        """How long `bacalhau ENGINE run --id-only` takes."""
        where = ("--api-host", "127.0.0.1", "--api-port", str(port))
        command = [self._binary, *QUIET, *where, engine, "run", "--id-only", *arguments]
        began_s = time.perf_counter()
        ended = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=RUN_S
        )
        took_s = time.perf_counter() - began_s
        assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
        state = _state_of(port, ended.stdout.split()[-1])
        assert state == "Completed", (command, ended.stdout, state)
        return took_s


def _row(engine: str, client: _Client, ours: int, theirs: int, arguments: Sequence[str]) -> Figure:
    times_s: dict[int, list[float]] = {ours: [], theirs: []}
    for number in range(WARM_UP + ROUNDS):
        for port, taken_s in times_s.items():
            took_s = client.run_s(port, engine, arguments)
            if number >= WARM_UP:
                taken_s.append(took_s)
    mine_s, own_s = (statistics.median(one) for one in times_s.values())
    note = f"{mine_s * 1000:.0f} ms against {own_s * 1000:.0f} ms, medians of {ROUNDS}, in turns"
    return Figure(_name(engine), mine_s / own_s, "x its own node", MOST, "less", note=note)


def _skipped(engine: str, reason: str) -> Figure:
    return Figure(_name(engine), None, "x its own node", None, "less", note=f"skipped: {reason}")


def _name(engine: str) -> str:
    return f"bacalhau {engine} run --id-only"


def _pulled_image(engine: docker_engine.PrivateEngine, folder: Path) -> str:
    """An image with a digest: for one without, Bacalhau asks a registry at every job."""
    (folder / "go").touch()
    with serving_image(folder, docker_engine.busybox(), engine.inside) as image:
        engine.docker("pull", image)
    return image


@contextmanager
def _own_node(binary: str, folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """Bacalhau's own node, orchestrator and compute node in one; the port of its API."""
    api, nats, results = _free_port(), _free_port(), _free_port()
    settings = {
        "orchestrator.port": nats,
        "compute.orchestrators": f"nats://127.0.0.1:{nats}",
        "webui.enabled": "false",
        "publishers.types.local.port": results,
    }
    command = [binary, "serve", "--orchestrator", "--compute", *QUIET]
    command += ["--data-dir", str(folder / "own"), "--api-host", "127.0.0.1"]
    command += ["--api-port", str(api)]
    for key, value in settings.items():
        command += ["-c", f"{key}={value}"]
    with open(folder / "own.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: _has_a_node(api), "Bacalhau's own node is ready", patience_s=START_S)
        yield api
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(RUN_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _has_a_node(port: int) -> bool:
    try:
        return b'"CONNECTED"' in _read(port, NODES)
    except OSError:
        return False


def _state_of(port: int, job: str) -> str:
    """What became of it: the client says nothing of that."""
    states: list[str] = []

    def over() -> bool:
        states.append(json.loads(_read(port, f"{JOBS}/{job}"))["Job"]["State"]["StateType"])
        return states[-1] in ("Completed", "Failed", "Stopped")

    until(over, f"job {job} is over", patience_s=RUN_S)
    return states[-1]


def _read(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _port(node: Node) -> int:
    until(lambda: node.page is not None, "the mesh node is ready")
    return int(node.page["api_addresses"][0].rpartition(":")[2])
