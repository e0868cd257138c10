"""Engines and storage providers of this node: the built-in ones, and those of plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import runtime.registry
import storage.registry
from runtime.ports import Engine, EngineSetup
from storage.allow import AllowedPath
from storage.ports import Provider
from storage.providers.inline import InlineProvider
from storage.providers.local import LocalProvider
from storage.providers.mesh import FetchBlob, MeshProvider


def make_engines(
    data_dir: Path, options: Mapping[str, str], say: Callable[[str], None]
) -> Mapping[str, Engine]:
    """Engines by name. A plug-in that cannot be used is one sentence."""
    engines, problems = runtime.registry.assemble_engines(
        EngineSetup(data_dir, options), plugins=runtime.registry.load_plugins()
    )
    for problem in problems:
        say(problem)
    return engines


def make_providers(
    allow_paths: Sequence[AllowedPath], fetch_blob: FetchBlob, say: Callable[[str], None]
) -> Mapping[str, Provider]:
    """Providers by source type. A plug-in that cannot be used is one sentence."""
    providers, problems = storage.registry.assemble_providers(
        (InlineProvider(), LocalProvider(allow_paths), MeshProvider(fetch_blob)),
        storage.registry.load_plugins(),
    )
    for problem in problems:
        say(problem)
    return providers
