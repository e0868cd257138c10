"""Real nodes as processes of this machine, asked through their real API.

Every process that is started is ended when its `Mesh` is left. Nothing here sleeps for a fixed
time: `until` looks again and again, up to a deadline that only a failure reaches.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]

from tests.runtime.programs import assemble

PATIENCE_S = 30.0
"""What takes a second on an idle machine may take this on two busy cores."""
LOOK_S = 0.02
JOBS = "/api/v1/orchestrator/jobs"
NODES = "/api/v1/orchestrator/nodes"
FINAL = ("Completed", "Failed", "Stopped")
JSON_HEADERS = {"Content-Type": "application/json"}
Found = TypeVar("Found")


def until(
    look: Callable[[], Found],
    what: str,
    *,
    patience_s: float = PATIENCE_S,
    told: Callable[[], object] = str,
) -> Found:
    """The first true answer of `look`; AssertionError naming `what`, with what is `told` by then,
    when none comes in time."""
    deadline_s = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"not within {patience_s:g} s: {what} {told()}"
        time.sleep(LOOK_S)


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    body: Any
    """The JSON document; the bytes where the answer is none."""


class UnixConnection(http.client.HTTPConnection):
    """One connection to a node's socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))


class Api:
    """A small client of one node: its socket works from other network namespaces too."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. A body that is not bytes goes as JSON. OSError when nobody answers."""
        if headers is None:
            headers = JSON_HEADERS
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = UnixConnection(self._socket_path)
        try:
            try:
                connection.request(method, path, data, dict(headers))
            except BrokenPipeError:
                pass  # it has heard enough: the answer says why
            response = connection.getresponse()
            raw = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"the node ended while it answered: {error!r}") from error
        finally:
            connection.close()
        kind = response.headers.get("content-type", "")
        return Answer(
            response.status, json.loads(raw) if kind.startswith("application/json") else raw
        )

    def get(self, path: str) -> Any:
        """The document of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.body

    # Jobs.

    def submit(self, document: Mapping[str, Any]) -> Answer:
        """Send a job document."""
        return self.call("PUT", JOBS, {"Job": document})

    def run(self, document: Mapping[str, Any], *modules: bytes) -> str:
        """Send the modules and the job; its id."""
        for module in modules:
            digest = hashlib.sha256(module).hexdigest()
            kept = self.call("PUT", f"/api/v1/mesh/blobs/{digest}", module)
            assert kept.status == 200, kept
        answer = self.submit(document)
        assert answer.status == 200, answer
        return str(answer.body["JobID"])

    def run_program(self, name: str, **fields: Any) -> str:
        """Run one of the test programs; its job's id."""
        return self.run(wasm_job(assemble(name), **fields), assemble(name))

    def job(self, job: str) -> Any:
        """The job with its executions and history; None while this node has not heard of it."""
        answer = self.call("GET", f"{JOBS}/{quote(job, safe='')}?include=executions,history")
        assert answer.status in (200, 404), answer
        return answer.body if answer.status == 200 else None

    def jobs(self) -> dict[str, Any]:
        """All jobs by id."""
        return {one["ID"]: one for one in self.get(JOBS)["Items"]}

    def finished(self, job: str, patience_s: float = PATIENCE_S) -> Any:
        """The job, once it is over."""

        def look() -> Any:
            document = self.job(job)
            return document if document and state_of(document) in FINAL else None

        return until(look, f"{job} is over", patience_s=patience_s)

    def running(self, job: str) -> Any:
        """The job, once an execution of it runs."""

        def look() -> Any:
            document = self.job(job)
            return document if document and "Running" in execution_states(document) else None

        return until(look, f"{job} runs")

    def stop_job(self, job: str) -> None:
        """Ask for a stop."""
        answer = self.call("DELETE", f"{JOBS}/{job}", {"Reason": "the test is over"})
        assert answer.status == 200, answer

    # Nodes.

    def peers(self) -> dict[str, str]:
        """State of every member by name, as this node sees it."""
        nodes = self.get(NODES)["Nodes"]
        return {one["Mesh"]["Name"]: one["Mesh"]["State"] for one in nodes}

    def sees(self, state: str, *names: str, patience_s: float = PATIENCE_S) -> None:
        """Once this node sees all of these members in this state."""
        wanted = dict.fromkeys(names, state)
        until(
            lambda: wanted.items() <= self.peers().items(),
            f"{', '.join(names)} {state}",
            patience_s=patience_s,
            told=self.peers,
        )


def state_of(document: Any) -> str:
    """The state of a job in the answer of `Api.job`."""
    return str(document["Job"]["State"]["StateType"])


def message_of(document: Any) -> str:
    """Its message."""
    return str(document["Job"]["State"].get("Message", ""))


def executions(document: Any) -> list[Any]:
    """Its executions."""
    return list(document["Executions"]["Items"])


def execution_states(document: Any) -> list[str]:
    """The states of its executions in the mesh's own words."""
    return [one["Mesh"]["State"] for one in executions(document)]


def placed_on(document: Any) -> list[str]:
    """Names of the nodes that got executions of it, in order."""
    return [one["Mesh"]["NodeName"] for one in executions(document)]


def wasm_job(module: bytes, **fields: Any) -> dict[str, Any]:
    """A job document around a module that is or will be a blob of the mesh. Fields in lower case
    are the task's (`inputs`, `timeouts`, `resources`), the others the job's."""
    source = {"Type": "mesh", "Params": {"Digest": hashlib.sha256(module).hexdigest()}}
    task = {
        "Name": "main",
        "Engine": {"Type": "wasm", "Params": {"EntryModule": "/main.wasm"}},
        "InputSources": [{"Source": source, "Target": "/main.wasm"}, *fields.pop("inputs", [])],
        "Timeouts": fields.pop("timeouts", {}),
        "Resources": fields.pop("resources", {}),
        "ResultPaths": fields.pop("result_paths", []),
    }
    return {"Type": "batch", "Count": 1, **fields, "Tasks": [task]}


def scripted_job(duration_ms: int = 0, **fields: Any) -> dict[str, Any]:
    """A job document for the engine that plays a script."""
    params = {"DurationMs": duration_ms, "Stdout": "played\n"}
    task = {"Name": "main", "Engine": {"Type": "scripted", "Params": params}}
    task["Resources"] = fields.pop("resources", {"CPU": "10m", "Memory": "1mb"})
    return {"Type": "batch", "Count": 1, **fields, "Tasks": [task]}


def local_input(path: Path, target: str = "/inputs") -> dict[str, Any]:
    """An input source: data in a folder of whichever node has it."""
    source = {"Type": "local", "Params": {"SourcePath": str(path)}}
    return {"Source": source, "Target": target}


def clean_environment() -> dict[str, str]:
    """What the caller set for nodes of their own is not for these."""
    return {name: one for name, one in os.environ.items() if not name.startswith("BACALHAU_")}


class Node:
    """One `bacalhau-mesh join`, which may be ended and started again on the same folder."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        secret: str = "",
        options: Sequence[str] = (),
        prefix: Sequence[str] = (),
        bind: str = "127.0.0.1:0",
    ) -> None:
        self.name = name
        self.data_dir = folder / name
        self.log_path = folder / f"{name}.log"
        self._secret = secret
        self.elsewhere = bool(prefix)
        """It may be on a network that this process is not on: only its socket can be reached."""
        self._command = [*prefix, sys.executable, "-m", "mesh", "join", "--name", name]
        self._command += ["--data-dir", str(self.data_dir), "--api", "127.0.0.1:0"]
        self._command += [*(("--bind", bind) if bind else ()), *options]
        self._started: list[subprocess.Popen[bytes]] = []
        self.started_s = 0.0
        """Wall time of the latest start."""
        self._begun: list[subprocess.Popen[str]] = []
        self._workers: list[psutil.Process] = []

    def start(self) -> Node:
        """Begin; `ready` tells when it answers."""
        (self.data_dir / "node.json").unlink(missing_ok=True)
        environment = clean_environment()
        self.started_s = time.time()
        if self._secret:
            environment["BACALHAU_MESH_LAB"] = self._secret
        with open(self.log_path, "ab") as log:
            self._started.append(
                subprocess.Popen(
                    self._command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the latest start."""
        return self._started[-1]

    @property
    def page(self) -> Any:
        """What it says of itself, None while it does not."""
        try:
            return json.loads((self.data_dir / "node.json").read_text())
        except OSError:
            return None

    @property
    def pid(self) -> int:
        """Process id of the node itself, whatever it was started through."""
        return int(self.page["pid"])

    @property
    def mesh_address(self) -> str:
        """HOST:PORT for peers."""
        return f"127.0.0.1:{self.page['mesh_port']}"

    @property
    def api(self) -> Api:
        """Its API."""
        return Api(Path(self.page["api_socket"]))

    def ready(self) -> Node:
        """Once it answers."""

        def look() -> bool:
            assert self.process.poll() is None, f"{self.name} ended: {self.said()}"
            return self.page is not None

        until(look, f"{self.name} answers", told=self.said)
        return self

    def said(self) -> str:
        """Everything it printed, over all its starts."""
        return self.log_path.read_text(errors="replace")

    def run(self, *arguments: str, patience_s: float = PATIENCE_S) -> Done:
        """A client's command at this node."""
        host, _, port = self.page["api_addresses"][0].rpartition(":")
        environment = {"BACALHAU_API_HOST": host, "BACALHAU_API_PORT": port}
        return command(*arguments, environment=environment, patience_s=patience_s)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, not waited for; ended with the mesh."""
        process = subprocess.Popen(
            [sys.executable, "-m", "mesh", *arguments, "--data-dir", str(self.data_dir)],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._begun.append(process)
        return process

    def run_socket(self, *arguments: str) -> Done:
        """The same through the Unix socket, which reaches into other network namespaces."""
        return command(*arguments, "--data-dir", str(self.data_dir))

    # Ends.

    def workers(self) -> list[psutil.Process]:
        """Its child processes now; those ever seen here are looked for when the mesh is left."""
        children = psutil.Process(self.pid).children(recursive=True)
        self._workers += children
        return children

    def kill(self) -> None:
        """SIGKILL, as by the kernel when memory runs out."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        os.kill(self.pid, number)
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        """Whatever it is doing."""
        for process in self._started:
            process.kill()
            process.wait()
        for client in self._begun:
            client.kill()
            client.communicate()
        for worker in self._workers:
            if is_alive(worker):
                worker.kill()


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str


def command(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    patience_s: float = PATIENCE_S,
    stdin: str = "",
) -> Done:
    """Run `bacalhau-mesh` once, to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "mesh", *arguments],
        env={**clean_environment(), **(environment or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def is_alive(process: psutil.Process) -> bool:
    """Whether it still does anything: one that nobody has waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Mesh:
    """Nodes of one cluster. Leaving it ends them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: dict[str, Node] = {}
        self._secret = secrets.token_hex(16)
        self._stack = ExitStack()

    def __enter__(self) -> Mesh:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def add(
        self,
        name: str,
        *options: str,
        lab: bool = True,
        prefix: Sequence[str] = (),
        bind: str = "127.0.0.1:0",
    ) -> Node:
        """Start one more node; not waited for."""
        secret = self._secret if lab else ""
        node = Node(name, self.folder, secret=secret, options=options, prefix=prefix, bind=bind)
        self._stack.callback(node.end)
        self.nodes[name] = node
        return node.start()

    def started(self, *names: str, options: Mapping[str, Sequence[str]] | None = None) -> Mesh:
        """These nodes started together and met."""
        for name in names:
            self.add(name, *(options or {}).get(name, ()))
        return self.met()

    def met(self, patience_s: float = PATIENCE_S) -> Mesh:
        """Once every node sees all others alive."""
        nodes = self.nodes.values()
        for node in nodes:
            node.ready()
        for node in nodes:
            node.api.sees("alive", *self.nodes, patience_s=patience_s)
        return self
