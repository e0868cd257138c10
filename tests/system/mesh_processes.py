"""Real nodes as processes of this machine, asked through their real API.

Every process that is started is ended when its `Mesh` is left, or when its driver is killed.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]

from tests.system.guard import guard
from tests.system.node_api import (
    FINAL,
    JOBS,
    JSON_HEADERS,
    LOOK_S,
    NODES,
    PATIENCE_S,
    Answer,
    Api,
    UnixConnection,
    execution_states,
    executions,
    local_input,
    message_of,
    placed_on,
    scripted_job,
    state_of,
    until,
    wasm_job,
)

__all__ = [
    "FINAL",
    "JOBS",
    "JSON_HEADERS",
    "LOOK_S",
    "NODES",
    "PATIENCE_S",
    "Answer",
    "Api",
    "Done",
    "Mesh",
    "Node",
    "UnixConnection",
    "clean_environment",
    "command",
    "execution_states",
    "executions",
    "is_alive",
    "local_input",
    "message_of",
    "placed_on",
    "scripted_job",
    "state_of",
    "until",
    "wasm_job",
]


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
        guard(self.process.pid)
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
