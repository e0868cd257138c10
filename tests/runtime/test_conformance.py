"""Both shipped engines pass the suite, and the suite sees an engine that does not."""

from __future__ import annotations

import pytest
import trio

from runtime.attempt import EngineEnded
from runtime.conformance import (
    CASES,
    LIMIT_BYTES,
    PROGRAMS,
    Program,
    Subject,
    bounds_output,
    keeps_streams_apart,
    serving,
    tells_exit_codes,
)
from runtime.engines.scripted import ScriptedEngine
from runtime.engines.wasm import WasmEngine
from runtime.ports import EngineFactory, EngineSetup
from scheduler.jobs import Source
from tests.runtime.programs import WASM_PROGRAMS


def script(**params) -> Program:
    return Program(Source("scripted", params))


SCRIPTS = {
    "exit_0": script(),
    "exit_7": script(ExitCode=7),
    "two_streams": script(Stdout="out\n", Stderr="err\n"),
    "spin": script(DurationMs=3_600_000),
    "flood": script(Stdout="x" * (LIMIT_BYTES + 1)),
    "broken": script(Fail="engine"),
}
ENGINES: dict[str, tuple[EngineFactory, dict[str, Program]]] = {
    "scripted": (ScriptedEngine, SCRIPTS),
    "wasm": (WasmEngine, WASM_PROGRAMS),
}
TRIED = [
    pytest.param(name, case, id=f"{name}-{case.__name__}")
    for name, (_, programs) in ENGINES.items()
    for case, needed in CASES.items()
    if set(needed) <= set(programs)
]


@pytest.mark.real("wasm")
@pytest.mark.parametrize(("name", "case"), TRIED)
async def test_conforms(name, case, tmp_path):
    make, programs = ENGINES[name]
    engine = make(EngineSetup(tmp_path / "data"))
    async with serving(engine):
        await case(Subject(engine, programs, tmp_path))


def test_the_wasm_engine_is_tried_in_every_case():
    assert set(WASM_PROGRAMS) == set(PROGRAMS)


class Liar(ScriptedEngine):
    """Ends every program well, and prints nothing."""

    async def run(self, job, started):
        started()
        await trio.lowlevel.checkpoint()
        return EngineEnded(0, "", "", "", "", 0, 0)


@pytest.mark.parametrize("case", [tells_exit_codes, keeps_streams_apart, bounds_output])
async def test_a_lying_engine_is_seen(case, tmp_path):
    with pytest.raises((AssertionError, FileNotFoundError)):
        await case(Subject(Liar(EngineSetup(tmp_path)), SCRIPTS, tmp_path))
