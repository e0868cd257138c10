from pathlib import Path

import pytest

import runtime.registry
import storage.registry
from mesh.node.plugs import make_engines, make_providers


async def no_fetch(digest: str, holders: tuple[str, ...]) -> Path:
    raise AssertionError("nothing is fetched here")


def broken() -> object:
    raise ImportError("no module")


def test_built_in_ones(tmp_path: Path) -> None:
    said: list[str] = []
    assert set(make_engines(tmp_path, {}, said.append)) >= {"wasm", "scripted"}
    assert set(make_providers((), no_fetch, said.append)) >= {"inline", "local", "mesh"}
    assert said == []


@pytest.mark.parametrize("registry", [runtime.registry, storage.registry])
def test_broken_plugin_is_one_sentence(
    registry: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load_plugins", lambda: [("odd", broken)])
    said: list[str] = []
    make_engines(tmp_path, {}, said.append)
    make_providers((), no_fetch, said.append)
    assert len(said) == 1
    assert "odd is not used" in said[0]
