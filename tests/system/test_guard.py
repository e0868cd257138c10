from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.system.mesh_processes import is_alive, until

ROOT = Path(__file__).parents[2]
DRIVER = """
import subprocess, sys, time
from tests.system.guard import guard
sleepers = [
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    for _ in range(3)
]
for one in sleepers:
    guard(one.pid)
sleepers[0].kill()
sleepers[0].wait()
guard(sleepers[0].pid)  # it is gone: nothing to do
print(*(one.pid for one in sleepers[1:]), flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="handles need Linux")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_a_driver_started_ends_with_it(number: signal.Signals) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert driver.stdout is not None
    started = [psutil.Process(int(pid)) for pid in driver.stdout.readline().split()]
    assert len(started) == 2
    assert all(is_alive(one) for one in started)
    driver.send_signal(number)
    driver.communicate()
    until(lambda: not any(is_alive(one) for one in started), "what it started has ended")
