"""Engines by name: built-in ones, then those of installed plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points

from runtime.engines.docker import DockerEngine
from runtime.engines.scripted import ScriptedEngine
from runtime.engines.wasm import WasmEngine
from runtime.ports import Engine, EngineFactory, EngineSetup

ENTRY_POINT_GROUP = "bacalhau_mesh.engines"
"""A plug-in's entry point names a function that makes its engine of an `EngineSetup`."""

BUILT_IN: tuple[EngineFactory, ...] = (WasmEngine, DockerEngine, ScriptedEngine)

PluginLoader = Callable[[], EngineFactory]


def load_plugins(group: str = ENTRY_POINT_GROUP) -> Iterable[tuple[str, PluginLoader]]:
    """Name and loader of each installed plug-in."""
    return [(point.name, point.load) for point in entry_points(group=group)]


def assemble_engines(
    setup: EngineSetup,
    *,
    built_in: Iterable[EngineFactory] = BUILT_IN,
    plugins: Iterable[tuple[str, PluginLoader]] = (),
) -> tuple[Mapping[str, Engine], tuple[str, ...]]:
    """Engines by name, and one sentence for each plug-in that could not be used: a broken one costs
    what it would have run, never the node."""
    engines = {engine.name: engine for engine in (factory(setup) for factory in built_in)}
    problems: list[str] = []
    for name, load in plugins:
        try:
            engine = load()(setup)
        except Exception as error:  # a stranger's code may raise anything
            problems.append(f"The engine plug-in {name} is not used: {error!r}.")
            continue
        if engine.name in engines:
            problems.append(
                f"The engine plug-in {name} is not used: {engine.name} is there already."
            )
            continue
        engines[engine.name] = engine
    return engines, tuple(problems)
