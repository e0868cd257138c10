"""`bacalhau-mesh devstack`: a mesh of five by one command, gone when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.system.mesh_processes import (
    PATIENCE_S,
    Api,
    clean_environment,
    execution_states,
    is_alive,
    message_of,
    placed_on,
    scripted_job,
    state_of,
)

pytestmark = [pytest.mark.real("loopback")]

NODES = 5
COUNT = 20


@pytest.fixture
def devstack(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mesh", "devstack", "--nodes", str(NODES)]
    process = subprocess.Popen(
        [*command, "--dir", str(tmp_path / "five")],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    family = [psutil.Process(process.pid)]
    yield process
    family += family[0].children(recursive=True) if is_alive(family[0]) else []
    for one in family:
        if is_alive(one):
            one.kill()
    process.wait()


def test_a_mesh_of_five_completes_a_job_of_twenty(
    devstack: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert devstack.stdout is not None
    lines = [devstack.stdout.readline() for _ in range(NODES + 1)]
    assert lines[-1] == "Ctrl-C stops them all.\n"
    family = psutil.Process(devstack.pid).children(recursive=True)
    pages = sorted((tmp_path / "five").glob("*/node.json"))
    apis = [Api(Path(json.loads(page.read_text())["api_socket"])) for page in pages]
    names = {f"node-{number}" for number in range(1, NODES + 1)}
    for api in apis:
        api.sees("alive", *names)
    job = apis[0].run(scripted_job(200, Count=COUNT, resources={"CPU": "100m", "Memory": "1mb"}))
    for api in apis:
        done = api.finished(job)
        assert state_of(done) == "Completed", message_of(done)
        assert execution_states(done) == ["Succeeded"] * COUNT
    where = Counter(placed_on(done))
    assert set(where) == names, f"work is spread over all five: {where}"
    os.kill(devstack.pid, signal.SIGINT)
    assert devstack.wait(PATIENCE_S) == 0
    assert not any(map(is_alive, family)), "nothing is left running"
