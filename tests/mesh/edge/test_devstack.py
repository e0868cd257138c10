from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.real("loopback"), pytest.mark.slow]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "mesh", "devstack", "--nodes", "2", "--dir", str(tmp_path / "s")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    yield process
    process.kill()
    process.wait()


def told(stack: subprocess.Popen[str], until: str) -> list[str]:
    """Lines up to the one that says `until`; the test fails at the end of the output."""
    assert stack.stdout is not None
    lines = []
    for line in stack.stdout:
        lines.append(line)
        if until in line:
            return lines
    raise AssertionError(f"{until!r} was never said: {lines}")


def pids(tmp_path: Path) -> list[int]:
    pages = sorted((tmp_path / "s").glob("*/node.json"))
    return [int(json.loads(page.read_text())["pid"]) for page in pages]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_starts_says_who_died_and_stops_all(
    stack: subprocess.Popen[str], tmp_path: Path
) -> None:
    lines = told(stack, "Ctrl-C stops them all.")
    assert len([line for line in lines if re.match(r"node-\d: API 127\.0\.0\.1:\d+", line)]) == 2
    children = pids(tmp_path)
    assert len(children) == 2
    os.kill(children[0], signal.SIGKILL)
    assert told(stack, "node-1 died")
    stack.send_signal(signal.SIGTERM)
    assert stack.wait(20) == 0
    deadline_s = time.monotonic() + 5
    while any(is_running(pid) for pid in children):
        assert time.monotonic() < deadline_s, "a node was left behind"
        time.sleep(0.02)
