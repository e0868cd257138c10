"""Built-in engines, and plug-ins that may be broken."""

from __future__ import annotations

from runtime.engines.scripted import ScriptedEngine
from runtime.ports import EngineSetup
from runtime.registry import assemble_engines, load_plugins


def shaky(setup: EngineSetup) -> ScriptedEngine:
    raise ZeroDivisionError


class Steam(ScriptedEngine):
    name = "steam"


def broken():
    raise ImportError("no module named boiler")


def test_built_in_engines(tmp_path):
    engines, problems = assemble_engines(EngineSetup(tmp_path))
    assert {"wasm", "scripted"} <= set(engines)
    assert problems == ()


def test_plugins_are_added_and_broken_ones_reported(tmp_path):
    engines, problems = assemble_engines(
        EngineSetup(tmp_path),
        built_in=(ScriptedEngine,),
        plugins=[
            ("steam", lambda: Steam),
            ("boiler", broken),
            ("again", lambda: ScriptedEngine),
            ("clock", lambda: shaky),
        ],
    )
    assert set(engines) == {"scripted", "steam"}
    assert [problem.split(" is not used")[0] for problem in problems] == [
        "The engine plug-in boiler",
        "The engine plug-in again",
        "The engine plug-in clock",
    ]


def test_no_plugins_are_installed_here():
    assert list(load_plugins("bacalhau_mesh.engines_of_nobody")) == []
