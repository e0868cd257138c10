"""A small mesh on one machine: a process per node, all on the loopback interface."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 30.0
"""A node answers after a second or two; five on two busy cores, not compiled yet, after ten."""
STOP_S = 5.0
"""A node ends within 3 s of being asked."""
LOOK_S = 0.05


class DevstackFailed(Exception):
    """The mesh did not start, or could not go on; one sentence."""


@dataclass(slots=True)
class _Child:
    name: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    said_dead: bool = False

    @property
    def log_path(self) -> Path:
        return self.data_dir.with_suffix(".log")

    def last_words(self) -> str:
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def run_devstack(nodes: int, folder: Path | None, allow_paths: Sequence[str]) -> None:
    """Start the nodes, print where they answer, and stop them all at Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh-devstack-")))
        folder.mkdir(parents=True, exist_ok=True)
        secret = _secret_of(folder)
        children: list[_Child] = []
        try:
            for number in range(1, nodes + 1):
                children.append(_start(f"node-{number}", folder, secret, allow_paths))
            for child in children:
                _print_addresses(child, _wait_ready(child))
            print("Ctrl-C stops them all.", flush=True)
            _watch(children)
        except KeyboardInterrupt:
            pass
        finally:
            _stop(children)


def _secret_of(folder: Path) -> str:
    """Kept with the nodes' folders, so that a kept mesh can be started again."""
    path = folder / "lab.secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16))
    return path.read_text()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _start(name: str, folder: Path, secret: str, allow_paths: Sequence[str]) -> _Child:
    data_dir = folder / name
    command = [sys.executable, "-m", "mesh", "join", "--name", name, "--data-dir", str(data_dir)]
    command += ["--bind", "127.0.0.1:0", "--api", "127.0.0.1:0"]
    for path in allow_paths:
        command += ["--allow-path", path]
    # What the caller set for a node of their own is not for these; the secret is for nobody's `ps`.
    kept = {key: one for key, one in os.environ.items() if not key.startswith("BACALHAU_MESH_")}
    environment = {**kept, "BACALHAU_MESH_LAB": secret}
    (data_dir / "node.json").unlink(missing_ok=True)
    with open(data_dir.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C at the terminal is ours: we stop them, in our order, and wait for them.
            start_new_session=True,
        )
    return _Child(name, data_dir, process)


def _wait_ready(child: _Child) -> Any:
    """What the node says of itself, once it does."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        if child.process.poll() is not None:
            raise DevstackFailed(f"{child.name} did not start: {child.last_words()}")
        try:
            return json.loads((child.data_dir / "node.json").read_text())
        except (OSError, ValueError):
            time.sleep(LOOK_S)
    raise DevstackFailed(f"{child.name} did not start within {START_S:g} s: {child.last_words()}")


def _print_addresses(child: _Child, node: Any) -> None:
    api = node["api_addresses"][0]
    print(f"{child.name}: API {api}, folder {child.data_dir}", flush=True)


def _watch(children: Sequence[_Child]) -> None:
    while any(child.process.poll() is None for child in children):
        for child in children:
            if child.process.poll() is not None and not child.said_dead:
                child.said_dead = True
                print(f"{child.name} died: {child.last_words()}", file=sys.stderr, flush=True)
        time.sleep(LOOK_S)
    raise DevstackFailed("all nodes have ended")


def _stop(children: Sequence[_Child]) -> None:
    # A second Ctrl-C must not leave some of them behind: they are killed soon anyhow.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for child in children:
        child.process.send_signal(signal.SIGTERM)
    deadline_s = time.monotonic() + STOP_S
    for child in children:
        try:
            child.process.wait(max(deadline_s - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
