"""Meshes of real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.mesh_processes import Mesh


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    """An empty mesh of this test alone."""
    with Mesh(tmp_path) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def lone_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """One node that the tests of a module share: none of them may harm it."""
    with Mesh(tmp_path_factory.mktemp("lone")) as mesh:
        yield mesh.started("alone", options={"alone": ["--no-mdns"]})
