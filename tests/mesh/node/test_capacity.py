import os
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from mesh.node import capacity
from mesh.node.capacity import (
    machine_labels,
    measure_capacity,
    measure_offer,
    probe_engines,
)
from mesh.node.config import NodeConfig
from runtime.ports import EngineReport


class FakeEngine:
    def __init__(self, report: EngineReport) -> None:
        self.report = report

    async def probe(self) -> EngineReport:
        return self.report


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 8 cores and 1000 bytes of memory, its control groups below a folder."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    memory = type("Memory", (), {"total": 1000})
    monkeypatch.setattr(psutil, "virtual_memory", memory)
    monkeypatch.setattr(capacity, "_CGROUP", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "cpu_milli", "memory_bytes"),
    [
        ({}, 8000, 800),
        ({"cpu.max": "max 100000", "memory.max": "max"}, 8000, 800),
        ({"cpu.max": "150000 100000", "memory.max": "500"}, 1500, 400),
        ({"cpu.max": "9900000 100000", "memory.max": "5000"}, 8000, 800),
        (
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            8000,
            800,
        ),
        (
            {
                "cpu/cpu.cfs_quota_us": "50000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "100",
            },
            500,
            80,
        ),
    ],
)
def test_limits_of_control_groups(
    machine: Path, files: dict[str, str], cpu_milli: int, memory_bytes: int
) -> None:
    for name, text in files.items():
        (machine / name).parent.mkdir(exist_ok=True)
        (machine / name).write_text(text + "\n")
    measured = measure_capacity(machine)
    assert (measured.cpu_milli, measured.memory_bytes) == (cpu_milli, memory_bytes)
    assert measured.disk_bytes > 0


def test_labels() -> None:
    labels = machine_labels("pump", {"site": "harbour", "os": "mine"})
    assert labels["name"] == "pump"
    assert labels["site"] == "harbour"
    assert labels["os"] == "mine"
    assert labels["arch"]
    assert labels["os_arch"] == labels["arch"]
    assert labels["os_type"]


async def test_offer_names_engines_that_answer(tmp_path: Path) -> None:
    said: list[str] = []
    engines: dict[str, Any] = {
        "wasm": FakeEngine(EngineReport(True, "45.0")),
        "docker": FakeEngine(EngineReport(False, detail="No daemon.")),
    }
    config = NodeConfig(tmp_path, "pump", labels={"site": "harbour"})
    offer = await measure_offer(config, engines, ("inline",), said.append)
    assert offer.engines == {"wasm": "45.0"}
    assert offer.sources == ("inline",)
    assert offer.labels["site"] == "harbour"
    assert "engine docker does not answer: No daemon." in said


class Comes:
    """An engine that is there or not."""

    name = "docker"

    def __init__(self) -> None:
        self.available = True

    async def probe(self) -> EngineReport:
        return EngineReport(self.available, "1", "" if self.available else "it is gone.")


async def test_an_engine_that_comes_and_goes_is_said_once_each_time() -> None:
    engine = Comes()
    engines: dict[str, Any] = {"docker": engine}
    said: list[str] = []
    before = await probe_engines(engines, {"wasm": "1"}, said.append)
    assert before == {"docker": "1"}
    assert await probe_engines(engines, before, said.append) == before
    engine.available = False
    gone = await probe_engines(engines, before, said.append)
    assert gone == {}
    assert said == ["engine docker 1 answers", "engine docker does not answer: it is gone."]
