import os
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from mesh.node import capacity
from mesh.node.capacity import (
    LOAD_EVERY_S,
    LoadMeter,
    list_images,
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


@pytest.mark.parametrize(
    ("loads", "told"),
    [
        ([0.0, 0.1, 0.1, 0.0], [0, 0, 0, 0]),
        ([0.0, 0.2, 0.1, 0.0], [0, 2, 2, 0]),
        ([1.04, 1.5, 7.0], [10, 15, 70]),
    ],
)
def test_load_is_told_by_processor_and_in_steps(
    monkeypatch: pytest.MonkeyPatch, loads: list[float], told: list[int]
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    readings = iter([4 * one for one in loads])
    meter = LoadMeter(lambda: next(readings))
    assert [meter.tenths(at * LOAD_EVERY_S) for at in range(len(loads))] == told


def test_load_is_not_looked_at_more_often_than_it_moves() -> None:
    readings = iter([0.0])
    meter = LoadMeter(lambda: next(readings))
    assert [meter.tenths(0.0), meter.tenths(LOAD_EVERY_S - 1)] == [0, 0]


def test_load_that_the_system_does_not_know_is_none() -> None:
    def fails() -> float:
        raise OSError

    assert LoadMeter(fails).tenths(0.0) is None


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
    assert said == ["engine wasm 45.0 answers"], "an engine that never answered is no news"


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


class Caching(Comes):
    """An engine with images."""

    async def run(self) -> None: ...
    async def serve(self) -> None: ...
    async def stop(self) -> None: ...
    async def images(self) -> tuple[str, ...]:
        return ("new:1", "old:1")


async def test_images_of_engines_that_have_any() -> None:
    engines: dict[str, Any] = {"scripted": Comes(), "docker": Caching()}
    assert await list_images(engines) == ("new:1", "old:1")
