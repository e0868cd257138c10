"""What both acts stand on: three nodes as processes, commands at each, and lines for the reader."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("bridge", "galley", "engine-room")
START_S = 30.0
"""Three nodes on two busy cores are up within three seconds."""
JOB_S = 60.0
STOP_S = 5.0
LOOK_S = 0.02
SPINNER = "|/-\\"


class DemoFailed(Exception):
    """What went wrong and what to do, in one sentence."""


class Step:
    """One line with a moving mark while something takes time; plain lines where no one watches."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._moving = sys.stdout.isatty()
        self._done = threading.Event()
        self._begun_s = time.monotonic()
        self._thread = threading.Thread(target=self._spin, daemon=True)

    def __enter__(self) -> Step:
        if self._moving:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        took_s = time.monotonic() - self._begun_s
        if self._moving:
            self._thread.join()
        mark = "ok" if error is None else "no"
        start = "\r" if self._moving else ""
        print(f"{start}  [{mark}] {self._text} ({took_s:.1f} s)", flush=True)

    def _spin(self) -> None:
        number = 0
        while not self._done.wait(0.1):
            print(f"\r  [{SPINNER[number % 4]} ] {self._text}", end="", flush=True)
            number += 1


class Node:
    """One `bacalhau-mesh join`."""

    def __init__(self, name: str, folder: Path, secret: str, allow_path: Path | None) -> None:
        self.name = name
        self.data_dir = folder / name
        self.log_path = folder / f"{name}.log"
        self.arguments = ["join", "--name", name, "--data-dir", str(self.data_dir)]
        self.arguments += ["--bind", "127.0.0.1:0", "--api", "127.0.0.1:0", "--allow-faults"]
        if allow_path is not None:
            self.arguments += ["--allow-path", str(allow_path)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mesh", *self.arguments],
                env=_environment() | {"BACALHAU_MESH_LAB": secret},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_members(self, count: int, deadline_s: float) -> None:
        """Until it sees so many members that answer, itself among them."""
        while sum(map(_is_connected, self.read("node", "list"))) != count:
            if time.monotonic() > deadline_s:
                raise DemoFailed(f"{self.name} does not see {count} nodes; see {self.log_path}")
            time.sleep(LOOK_S)

    def wait_ready(self, deadline_s: float) -> None:
        """Until it says where it answers."""
        while not (self.data_dir / "node.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                words = self.log_path.read_text(errors="replace").strip().splitlines()
                raise DemoFailed(f"the node {self.name} did not start: {(words or ['-'])[-1]}")
            time.sleep(LOOK_S)

    def run(self, *arguments: str, timeout_s: float = JOB_S) -> str:
        """A client's command at this node, over its own socket: what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "mesh", *arguments],
            env=_environment() | {"BACALHAU_MESH_DATA_DIR": str(self.data_dir)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise DemoFailed(f"`bacalhau-mesh {' '.join(arguments)}` failed: {said}")
        return done.stdout

    def read(self, *arguments: str) -> Any:
        """The same, as the document that it prints."""
        return json.loads(self.run(*arguments, "--output", "json"))


def _is_connected(node: Any) -> bool:
    return bool(node["ConnectionState"]["Status"] == "CONNECTED")


def _environment() -> dict[str, str]:
    """What the caller set for a node of their own is not for these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BACALHAU_")}


@contextmanager
def three_nodes(folder: Path, readings: Path) -> Iterator[Sequence[Node]]:
    """Started together; all ended, whatever happens."""
    secret = secrets.token_hex(16)
    with ExitStack() as stack:
        nodes: list[Node] = []
        for name in NAMES:
            offered = readings if name == NAMES[-1] else None
            node = Node(name, folder, secret, offered)
            stack.callback(end, node)
            nodes.append(node)
        yield nodes
        for node in nodes:
            node.process.send_signal(signal.SIGTERM)


def end(node: Node) -> None:
    node.process.send_signal(signal.SIGTERM)
    try:
        node.process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        node.process.kill()
        node.process.wait()


def say(*lines: str) -> None:
    """For the reader."""
    print(*lines, sep="\n", flush=True)


def shown(arguments: Sequence[str]) -> str:
    """A command as a person would type it in the folder of its files."""
    words = (Path(one).name if Path(one).is_file() else one for one in arguments)
    return f"  $ bacalhau-mesh {' '.join(words)}"


def seconds_of(text: str) -> float:
    """A time of a document, in seconds since 1970."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def assemble(text: Path, module: Path) -> None:
    """A WebAssembly program from its text."""
    import wasmtime

    module.write_bytes(bytes(wasmtime.wat2wasm(text.read_text())))
