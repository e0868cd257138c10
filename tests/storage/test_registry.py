"""Built-in providers, and plug-ins that may be broken."""

from __future__ import annotations

from storage.providers.inline import InlineProvider
from storage.providers.memory import MemoryProvider
from storage.registry import assemble_providers, load_plugins


def broken():
    raise ImportError("no such thing")


def test_plugins_are_added_and_broken_ones_reported():
    providers, problems = assemble_providers(
        [InlineProvider()],
        [
            ("memory", lambda: lambda: MemoryProvider({})),
            ("gone", broken),
            ("again", lambda: InlineProvider),
        ],
    )
    assert set(providers) == {"inline", "memory"}
    assert [problem.split(" is not used")[0] for problem in problems] == [
        "The storage plug-in gone",
        "The storage plug-in again",
    ]


def test_no_plugins_are_installed_here():
    assert list(load_plugins("bacalhau_mesh.providers_of_nobody")) == []
