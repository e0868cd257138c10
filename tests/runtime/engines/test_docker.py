"""The Docker engine on a real dockerd: the suites, and what only containers do."""

from __future__ import annotations

import pytest
import trio

from runtime.conformance import CASES, PROGRAMS, Subject, serving
from runtime.conformance_lasting import LASTING_CASES, LastingSubject
from runtime.engines.docker import DockerEngine
from runtime.ports import EngineSetup
from tests.runtime.engines.docker_programs import DOCKER_PROGRAMS

pytestmark = pytest.mark.real("docker")


@pytest.fixture
def setup(docker_engine, tmp_path):
    options = {"docker_host": docker_engine.host, "cluster": "tests", "node": tmp_path.name}
    return EngineSetup(tmp_path / "data", options)


@pytest.fixture
async def engine(setup):
    """An engine that is served; nothing of it stays behind."""
    engine = DockerEngine(setup)
    async with serving(engine):
        yield engine
    await DockerEngine(setup).sweep()


def test_it_is_tried_in_every_case():
    assert set(DOCKER_PROGRAMS) >= set(PROGRAMS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_conforms(engine, case, tmp_path):
    await case(Subject(engine, DOCKER_PROGRAMS, tmp_path))


@pytest.mark.parametrize("case", LASTING_CASES, ids=lambda case: case.__name__)
async def test_outlives_the_node(setup, case, tmp_path):
    await case(LastingSubject(lambda: DockerEngine(setup), DOCKER_PROGRAMS, tmp_path))
    await DockerEngine(setup).sweep()
    assert await DockerEngine(setup).survivors() == ()
