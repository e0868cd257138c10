"""What the full screen takes: time to the first frame, processor, memory, bytes to the terminal.

It reads a feed that plays 100 nodes, 10,000 jobs and 20 changes a second, on a terminal of 80x24.
And how soon it shows what happened at another of five real nodes.
"""

from __future__ import annotations

import fcntl
import os
import pty
import secrets
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]

from tests.bench.figure import Figure
from tests.bench.stage import NO_OP, Client, job_body, mesh_of, program
from tests.mesh.edge.feed_server import FeedServer, fixture_frames
from tests.system.mesh_processes import clean_environment

STARTS = 5
SETTLE_S, WATCH_S = 3.0, 10.0
PLAY_S = 60.0
MEMBERS = ("first", "second", "third", "fourth", "fifth")
FAR_CHANGES = 20
FIRST_WORD = b"STATE"
"""Of the names of columns: with it the table is on the screen."""


def figures() -> Iterable[Figure]:
    """All of `top`."""
    with FeedServer(fixture_frames("calm")) as server:
        first = statistics.median(_first_frame_s(server.port) for _ in range(STARTS))
        once = statistics.median(_once_s(server.port) for _ in range(STARTS))
    yield Figure("top, start to first frame", first, "s", 1.0, "less")
    yield Figure("top --once", once, "s", 0.5, "less")
    with player() as port, _terminal(port) as (process, terminal):
        _drain(terminal, SETTLE_S)
        times = process.cpu_times()
        sent = _drain(terminal, WATCH_S)
        after = process.cpu_times()
        used_s = after.user + after.system - times.user - times.system
        resident = process.memory_info().rss / (1 << 20)
    note = "100 nodes, 10,000 jobs, 20 changes/s"
    yield Figure("top, processor", 100 * used_s / WATCH_S, "% of a core", 10, "less", note=note)
    yield Figure("top, resident memory", resident, "MiB", 120, "less", note=note)
    yield Figure("top, to the terminal", sent / WATCH_S / 1000, "kB/s", 20, "less", note=note)
    yield _far_change()


def _far_change() -> Figure:
    """From the acknowledgement of a job at one node until its name is on a screen at another."""
    taken_s = []
    with mesh_of(*MEMBERS) as mesh, Client(mesh[MEMBERS[-1]]) as far:
        far.keep(program(NO_OP))
        port = int(mesh[MEMBERS[0]].page["api_addresses"][0].rpartition(":")[2])
        with _terminal(port) as (_, terminal):
            _await(terminal, FIRST_WORD)
            for number in range(FAR_CHANGES):
                # Not in step with its refresh.
                _drain(terminal, 0.3 + 0.37 * number % 0.25)
                name = f"z{secrets.token_hex(4)}"
                far.submit(job_body(program(NO_OP), on=("nobody",), Name=name))
                began_s = time.perf_counter()
                _await(terminal, name.encode())
                taken_s.append(time.perf_counter() - began_s)
    return Figure(
        "change on a far node to the screen, five nodes",
        statistics.median(taken_s),
        "s",
        1.0,
        "less",
        note=f"aim 0.3; median of {FAR_CHANGES}, slowest {max(taken_s):.3f}",
    )


def _await(terminal: int, word: bytes) -> None:
    """Read until a word has come; it may come in two pieces."""
    seen = b""
    while word not in seen:
        assert select.select([terminal], [], [], 30)[0], (word, seen[-500:])
        seen += os.read(terminal, 1 << 16)


def _environment() -> dict[str, str]:
    return {**clean_environment(), "TERM": "xterm-256color"}


@contextmanager
def _terminal(port: int) -> Iterator[tuple[psutil.Process, int]]:
    """`top` on a terminal of 80x24: its process, and the other end of the terminal."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "mesh", "top", "--api-port", str(port)]
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=_environment(),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield psutil.Process(process.pid), terminal
    finally:
        process.terminate()
        while process.poll() is None:
            # It writes until the terminal is restored: somebody must read.
            _drain(terminal, 0.1)
        os.close(terminal)


def _drain(terminal: int, lasts_s: float) -> int:
    """Read for a while; how many bytes came."""
    deadline_s, total = time.monotonic() + lasts_s, 0
    while (left_s := deadline_s - time.monotonic()) > 0:
        if select.select([terminal], [], [], left_s)[0]:
            try:
                total += len(os.read(terminal, 1 << 16))
            except OSError:
                break  # the other end was closed
    return total


def _first_frame_s(port: int) -> float:
    began_s = time.perf_counter()
    with _terminal(port) as (_, terminal):
        _await(terminal, FIRST_WORD)
        return time.perf_counter() - began_s


def _once_s(port: int) -> float:
    began_s = time.perf_counter()
    command = [sys.executable, "-m", "mesh", "top", "--once", "--api-port", str(port)]
    done = subprocess.run(command, env=_environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - began_s


@contextmanager
def player() -> Iterator[int]:
    """A process that plays a node with a big mesh; its port."""
    command = [sys.executable, "-m", "tests.bench.feed_player", str(PLAY_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment()) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
