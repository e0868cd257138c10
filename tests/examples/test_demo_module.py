"""The demo's module computes what Python computes from the same rows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import wasmtime

from runtime.conformance import Program, Subject, serving
from runtime.engines.wasm import WasmEngine
from runtime.ports import EngineSetup
from scheduler.jobs import Source

DEMO = Path(__file__).parents[2] / "examples" / "demo"


def load_make_readings():
    spec = importlib.util.spec_from_file_location("make_readings", DEMO / "make_readings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expected_lines(path: Path) -> tuple[str, str]:
    values = [int(row.split(",")[1].replace(".", "")) for row in path.read_text().splitlines()]
    mean = sum(values) * 10 // len(values)
    figures = {
        "readings": str(len(values)),
        "lowest": f"{min(values) / 10:.1f}",
        "highest": f"{max(values) / 10:.1f}",
        "mean": f"{mean // 100}.{mean % 100:02}",
        "above 95.0": str(sum(value > 950 for value in values)),
    }
    report = "".join(f"{name:<12}{figure}\n" for name, figure in figures.items())
    line = (
        "{readings} readings from {lowest} to {highest} degrees, mean {mean}; {above} above 95.0\n"
    )
    return (
        "Cooling water, degrees Celsius\n" + report,
        line.format(**figures, above=figures["above 95.0"]),
    )


@pytest.fixture
def subject(tmp_path):
    program = Program(
        Source("wasm", {"EntryModule": "/main.wasm"}),
        bytes(wasmtime.wat2wasm((DEMO / "summarise.wat").read_text())),
    )
    engine = WasmEngine(EngineSetup(tmp_path / "data"))
    return Subject(engine, {"summarise": program}, tmp_path)


@pytest.mark.real("wasm")
@pytest.mark.parametrize("rows", [1, 32_767, 32_768, 100_001])
async def test_report_equals_a_python_computation(subject, rows):
    job = subject.job("summarise")
    readings = job.inputs[0].host / "readings.csv"
    load_make_readings().make_readings(readings, rows=rows)
    assert readings.stat().st_size == 32 * rows
    async with serving(subject.engine):
        ended = await subject.run_job(job)
    report, line = expected_lines(readings)
    assert (ended.exit_code, ended.stdout_tail, ended.stderr_tail) == (0, line, "")
    assert (job.outputs[0].host / "report.txt").read_text() == report


@pytest.mark.real("wasm")
async def test_just_95_is_not_above(subject):
    job = subject.job("summarise")
    rows = [f"2026-03-01T00:00:00Z,{degrees:05.1f},1450\n" for degrees in (94.9, 95, 95.1, 7.3)]
    (job.inputs[0].host / "readings.csv").write_text("".join(rows))
    async with serving(subject.engine):
        ended = await subject.run_job(job)
    assert ended.stdout_tail == "4 readings from 7.3 to 95.1 degrees, mean 73.07; 1 above 95.0\n"


@pytest.mark.real("wasm")
async def test_no_readings_is_said(subject):
    async with serving(subject.engine):
        ended = await subject.run("summarise")
    assert ended.exit_code == 1
    assert ended.stderr_tail == "There is no readings.csv with rows below /inputs.\n"


def test_same_seed_same_rows(tmp_path):
    maker = load_make_readings()
    contents = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        maker.make_readings(tmp_path / name, rows=200, seed=seed)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]
