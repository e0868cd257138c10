"""What the page in the browser takes, of the machine that looks at it: time, processor, memory.

It reads a feed that plays 100 nodes, 10,000 jobs and 20 changes a second, all jobs at once.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.bench.bench_top import player
from tests.bench.figure import Figure
from tests.system.browser import Browser, browser

SETTLE_S, WATCH_S = 2.0, 10.0
FIRST_ROW = "document.querySelector('#jobs tbody tr') && performance.now()"
"""Milliseconds since the page was asked for, once a job is shown."""
RENDERER = "--type=renderer"


def figures() -> Iterable[Figure]:
    """All of the page."""
    with (
        tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder,
        player() as port,
        browser(Path(folder)) as tab,
    ):
        yield from _figures(tab, port)


def _figures(tab: Browser, port: int) -> Iterable[Figure]:
    note = "100 nodes, 10,000 jobs, 20 changes/s; drawn without a graphics processor"
    tab.view(1280, 800)
    tab.open(f"http://127.0.0.1:{port}/")
    first_s = float(tab.comes(FIRST_ROW)) / 1000
    yield Figure("page, first picture", first_s, "s", 2.0, "less", note=f"aim 1; {note}")
    tab.click("#jobs-all")
    tab.shows("#jobs-note", "of 10,000 jobs are shown")
    time.sleep(SETTLE_S)
    before_s = _renderer_s()
    time.sleep(WATCH_S)
    used = 100 * (_renderer_s() - before_s) / WATCH_S
    yield Figure("page, processor", used, "% of a core", 25, "less", note=f"aim 10; {note}")
    tab.call("HeapProfiler.collectGarbage")
    heap = tab.call("Runtime.getHeapUsage")["usedSize"] / (1 << 20)
    yield Figure("page, memory of its scripts", heap, "MiB", 32, "less", note=f"aim 16; {note}")


def _renderer_s() -> float:
    """Processor time of what draws pages, for this process's browser alone."""
    total_s = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if RENDERER in process.cmdline():
                times = process.cpu_times()
                total_s += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total_s
