"""What the conformance suite does not ask of the fake: failures by name."""

from __future__ import annotations

import pytest

from runtime.conformance import Program, Subject
from runtime.engines.scripted import ScriptedEngine
from runtime.ports import EngineSetup
from scheduler.jobs import Source


@pytest.mark.parametrize(
    ("script", "exit_code", "failure"),
    [
        ({"Fail": "trap"}, None, "trap"),
        ({"Fail": "out_of_memory", "ExitCode": 3}, None, "out_of_memory"),
        ({"Fail": "no such failure"}, None, "engine"),
        ({"exitcode": 3}, 3, ""),
        ({"DurationMs": 1, "ExitCode": 4}, 4, ""),
    ],
)
async def test_ends_as_the_script_says(tmp_path, script, exit_code, failure):
    programs = {"it": Program(Source("scripted", script))}
    ended = await Subject(ScriptedEngine(EngineSetup(tmp_path)), programs, tmp_path).run("it")
    assert (ended.exit_code, ended.failure) == (exit_code, failure)
    assert bool(ended.message) == bool(failure)


async def test_a_failing_script_prints_first(tmp_path):
    programs = {"it": Program(Source("scripted", {"Fail": "trap", "Stdout": "so far\n"}))}
    ended = await Subject(ScriptedEngine(EngineSetup(tmp_path)), programs, tmp_path).run("it")
    assert ended.stdout_tail == "so far\n"
