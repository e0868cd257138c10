"""What a driver of real nodes has started ends when it does, however it ends: by kill -9 too.

One small process a driver holds a handle on each, and ends them when its standard input closes.
It is in a session of its own, so that an interrupt from the keyboard is left to the driver.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

PATIENCE_S = 10.0
_running: list[subprocess.Popen[str]] = []


def guard(pid: int) -> None:
    """End this process when this driver ends, and its group where it leads one."""
    if not _running:
        command = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, text=True, bufsize=1, start_new_session=True
        )
        _running.append(process)
        atexit.register(_end, process)
    stdin = _running[0].stdin
    assert stdin is not None, "it was started with a pipe"
    stdin.write(f"{pid}\n")


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.wait(PATIENCE_S)


def main() -> None:
    """Read process ids to the end of the input; then end those that still are the same ones."""
    handles: dict[int, int] = {}
    for line in sys.stdin:
        _forget_the_ended(handles)
        with contextlib.suppress(ProcessLookupError):
            handles[int(line)] = os.pidfd_open(int(line))
    _forget_the_ended(handles)
    for pid in handles:
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if os.getpgid(pid) == pid else os.kill)(pid, signal.SIGKILL)


def _forget_the_ended(handles: dict[int, int]) -> None:
    """A handle can be read once its process is gone: its number may be another's by now."""
    for pid, handle in list(handles.items()):
        if select.select([handle], [], [], 0)[0]:
            os.close(handles.pop(pid))


if __name__ == "__main__":
    main()
