"""`docs/job-spec.md` names every field that the parser knows, and its example is a job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mesh.node.capacity import PUBLISHERS
from mesh.node.plugs import make_providers
from scheduler import constraints, resources, spec, spec_types
from scheduler.ids import Digest
from scheduler.jobs import Failure
from scheduler.reading import Table

PAGE = (Path(__file__).parents[2] / "docs" / "job-spec.md").read_text()
NAMED = set(re.findall(r"`([^`\n]+)`", PAGE))


def _tables() -> Iterator[Table]:
    for module in (constraints, resources, spec, spec_types):
        for value in vars(module).values():
            if isinstance(value, Table):
                yield value
            elif isinstance(value, dict):
                yield from (one for one in value.values() if isinstance(one, Table))


FIELDS = sorted({key for table in _tables() for key in table.keys})
WORDS = [
    *spec_types.TYPE_NAMES.values(),
    *spec_types.SOURCE_ALIASES,
    *constraints.OPERATORS,
    *(failure.value for failure in Failure),
]


def test_the_tables_are_found():
    assert {"Image", "SourcePath", "Memory", "Operator", "ReplaceAfter", "HostNetwork"} <= set(
        FIELDS
    )


@pytest.mark.parametrize("word", [*FIELDS, *WORDS])
def test_the_page_names(word):
    assert word in NAMED


def test_the_example_is_a_job():
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.S)
    assert example
    job = spec.parse_job_untrusted(YAML(typ="safe", pure=True).load(example[1]))
    assert job.name == "engine-summary"


async def _no_blob(digest: Digest, nodes: tuple[str, ...]) -> Path:
    raise AssertionError("nothing is fetched here")


def test_the_page_says_what_nodes_serve() -> None:
    rows = re.findall(r"^\| (.+?) \| .* \| (yes|not yet) \|$", PAGE, re.MULTILINE)
    named = {
        said: re.findall(r"`(\w+)`", " ".join(one for one, at in rows if at == said))
        for said in ("yes", "not yet")
    }
    providers = make_providers((), _no_blob, print)
    known = {*spec_types.SOURCES, *spec_types.SOURCE_ALIASES, *spec_types.PUBLISHERS}
    assert {one for names in named.values() for one in names} == known
    assert set(named["yes"]) == {*providers, *spec_types.SOURCE_ALIASES, *PUBLISHERS}
