"""A start is quick because of what is not loaded: checked by name, in fresh interpreters."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tidy import places

# A command of the client: one HTTP request, one table.
NOT_FOR_CLIENTS = {
    "httpx", "httpx2", "trio", "anyio", "pycrdt", "docker", "wasmtime", "zeroconf", "h11",
    "httptools", "starlette", "cryptography", "pydantic", "textual", "asyncio", "ruamel",
}  # fmt: skip
# A node: 25 MB and 140 ms are saved by these alone.
NOT_FOR_NODES = {"httpx", "httpx2", "pydantic", "typer", "rich", "docker", "wasmtime", "textual"}

IMPORT_LINE = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s*(\S+)$", re.M)
READY_WAIT_S = 20.0


def _imported(stderr: str) -> set[str]:
    return {name.split(".")[0] for name in IMPORT_LINE.findall(stderr)}


def _needs(name: str) -> None:
    if not (places.ROOT / name).exists():
        pytest.skip(f"no {name} yet")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["node", "list", "--api-host", "127.0.0.1", "--api-port", "1"]],
    ids=["help", "node list"],
)
def test_client_command_imports_little(arguments: list[str]) -> None:
    _needs("mesh/__main__.py")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mesh", *arguments],
        cwd=places.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == (0 if "--help" in arguments else 3), done.stdout + done.stderr[-2000:]
    imported = _imported(done.stderr)
    assert "mesh" in imported
    assert imported & NOT_FOR_CLIENTS == set()


def test_node_imports_little(tmp_path: Path) -> None:
    """A node that has started, told its ports and stopped again."""
    _needs("mesh/__main__.py")
    _needs("mesh/node/node.py")
    data = tmp_path / "data"
    log = tmp_path / "stderr"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [
                *(sys.executable, "-X", "importtime", "-m", "mesh", "join", "--lab", "tidy"),
                *("--data-dir", str(data), "--no-mdns"),
                *("--bind", "127.0.0.1:0", "--api", "127.0.0.1:0"),
            ],
            cwd=places.ROOT,
            env={**os.environ, "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        try:
            give_up_s = time.monotonic() + READY_WAIT_S
            while not (data / "node.json").exists() and process.poll() is None:
                assert time.monotonic() < give_up_s, "the node never told its ports"
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(READY_WAIT_S)
    text = log.read_text()
    assert code == 0, text[-3000:]
    imported = _imported(text)
    assert "mesh" in imported
    assert imported & NOT_FOR_NODES == set()
