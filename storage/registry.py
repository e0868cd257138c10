"""Providers by source type: built-in ones, then those of installed plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points

from storage.ports import Provider

ENTRY_POINT_GROUP = "bacalhau_mesh.providers"
"""A plug-in's entry point names a function without arguments that makes its provider."""


def load_plugins(
    group: str = ENTRY_POINT_GROUP,
) -> Iterable[tuple[str, Callable[[], Callable[[], Provider]]]]:
    """Name and loader of each installed plug-in."""
    return [(point.name, point.load) for point in entry_points(group=group)]


def assemble_providers(
    built_in: Iterable[Provider],
    plugins: Iterable[tuple[str, Callable[[], Callable[[], Provider]]]] = (),
) -> tuple[Mapping[str, Provider], tuple[str, ...]]:
    """Providers by source type, and one sentence for each plug-in that could not be used: a broken
    one costs what it would have served, never the node."""
    providers = {provider.name: provider for provider in built_in}
    problems: list[str] = []
    for name, load in plugins:
        try:
            provider = load()()
        except Exception as error:  # a stranger's code may raise anything
            problems.append(f"The storage plug-in {name} is not used: {error!r}.")
            continue
        if provider.name in providers:
            problems.append(
                f"The storage plug-in {name} is not used: {provider.name} is served already."
            )
            continue
        providers[provider.name] = provider
    return providers, tuple(problems)
