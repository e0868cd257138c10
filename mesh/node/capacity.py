"""What this machine offers: cores, memory, disk, and the labels that every node has."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import trio

from mesh.member.events import CapacityMeasured
from mesh.node.config import NodeConfig
from runtime.ports import CachingEngine, Engine
from scheduler.jobs import Resources

MEMORY_SHARE = 0.8
DISK_SHARE = 0.8
"""Bacalhau offers 80 % of memory and disk: the rest is the system's, and the node's own."""
LOAD_EVERY_S = 30.0
"""The average is of a minute: looked at more often it says the same."""
LOAD_STEP_TENTHS = 2
"""What an idle machine's own chores move it by is less."""
PUBLISHERS = ("mesh", "local")
"""Results stay with the nodes of the mesh; `local` is Bacalhau's word for the same."""
_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED_BYTES = 1 << 60
"""cgroup v1 writes a number near 2**63 where there is no limit."""


async def measure_offer(
    config: NodeConfig,
    engines: Mapping[str, Engine],
    sources: tuple[str, ...],
    say: Callable[[str], None],
) -> CapacityMeasured:
    """All that this machine offers now. An engine that does not answer is one sentence."""
    answering = await probe_engines(engines, {}, say)
    capacity = await trio.to_thread.run_sync(measure_capacity, config.data_dir)
    labels = machine_labels(config.name, config.labels)
    images = await list_images(engines)
    return CapacityMeasured(capacity, answering, labels, sources, PUBLISHERS, images)


async def probe_engines(
    engines: Mapping[str, Engine], before: Mapping[str, str], say: Callable[[str], None]
) -> Mapping[str, str]:
    """Name and version of each engine that answers now; what differs from `before` is said.

    An engine that never answered is no news: most machines have only some of them.
    """
    answering: dict[str, str] = {}
    for name, engine in engines.items():
        report = await engine.probe()
        if report.available:
            answering[name] = report.version
            if name not in before:
                say(f"engine {name} {report.version} answers")
        elif name in before:
            say(f"engine {name} does not answer: {report.detail}")
    return answering


async def list_images(engines: Mapping[str, Engine]) -> tuple[str, ...]:
    """Images that the engines have, as these name them."""
    caching = [one for one in engines.values() if isinstance(one, CachingEngine)]
    return tuple([name for one in caching for name in await one.images()])


def measure_capacity(data_dir: Path) -> Resources:
    """What jobs may use in all: every core given to us, 80 % of memory and of the free disk.

    Cores are not held back: the kernel shares them, whereas memory and disk run out.
    """
    return Resources(
        cpu_milli=_cpu_milli(),
        memory_bytes=int(_memory_bytes() * MEMORY_SHARE),
        disk_bytes=int(shutil.disk_usage(data_dir).free * DISK_SHARE),
    )


class LoadMeter:
    """How busy this machine is, in steps that are worth telling: peers hear of a step, not of
    every breath, so that an idle mesh stays silent."""

    def __init__(self, read: Callable[[], float] = lambda: os.getloadavg()[0]) -> None:
        self._read = read
        self._tenths: int | None = None
        self._next_s = 0.0

    def tenths(self, now_s: float) -> int | None:
        """Tenths of the one-minute load average by processor, as told now; None if not known."""
        if now_s < self._next_s:
            return self._tenths
        self._next_s = now_s + LOAD_EVERY_S
        try:
            measured = round(10 * self._read() / (os.cpu_count() or 1))
        except OSError:
            return self._tenths
        if self._tenths is None or abs(measured - self._tenths) >= LOAD_STEP_TENTHS:
            self._tenths = measured
        return self._tenths


def machine_labels(name: str, given: Mapping[str, str]) -> dict[str, str]:
    """Labels that constraints may name; the operator's own win. Bacalhau's names are there too."""
    machine = platform.machine().lower()
    system, arch = platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}
    return {
        "os": system,
        "arch": arch.get(machine, machine),
        "os_type": system,
        "os_arch": arch.get(machine, machine),
        "name": name,
        **given,
    }


def _cpu_milli() -> int:
    cores_milli = len(os.sched_getaffinity(0)) * 1000
    quota = _words(_CGROUP / "cpu.max")
    if len(quota) == 2 and quota[0].isdecimal():
        return min(cores_milli, int(quota[0]) * 1000 // int(quota[1]))
    quota_us = _words(_CGROUP / "cpu/cpu.cfs_quota_us")
    period_us = _words(_CGROUP / "cpu/cpu.cfs_period_us")
    if quota_us and period_us and quota_us[0].isdecimal():
        return min(cores_milli, int(quota_us[0]) * 1000 // int(period_us[0]))
    return cores_milli


def _memory_bytes() -> int:
    memory_bytes = int(psutil.virtual_memory().total)
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        words = _words(_CGROUP / name)
        if words and words[0].isdecimal() and int(words[0]) < _UNLIMITED_BYTES:
            memory_bytes = min(memory_bytes, int(words[0]))
    return memory_bytes


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
