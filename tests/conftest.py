"""For the whole suite: tests marked `real("part")` run, skip or fail as `tests.real_parts` says."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

import pytest
from hypothesis import settings

from tests.real_parts import PARTS, expected_parts, verdict
from tests.system.docker_engine import PrivateEngine, private_engine

# A busy machine is no reason to fail. Where nobody looks on, the examples are the same each time.
settings.register_profile("mesh", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("mesh")

EXPECTED = pytest.StashKey[Collection[str]]()


def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[EXPECTED] = expected_parts(os.environ.get("MESH_EXPECT_REAL", ""))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("real"):
        (part,) = marker.args
        what, reason = verdict(part, PARTS[part](), item.config.stash[EXPECTED])
        if what == "fail":
            pytest.fail(reason, pytrace=False)
        if what == "skip":
            pytest.skip(reason)


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """One engine for all tests that need one and leave it running: mark them `real("docker")`."""
    with private_engine(tmp_path_factory.mktemp("docker")) as engine:
        yield engine
