from __future__ import annotations

import pytest

from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.cli.loglines import parse_since
from tests.mesh.edge.cli.conftest import Node
from tests.mesh.edge.readings import finished, job_reading

NOW_S = 1_800_000_000.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("1700000000", 1_700_000_000),
        ("90s", 1_799_999_910),
        ("10m", 1_799_999_400),
        ("2h30m", 1_799_991_000),
        ("3d", 1_799_740_800),
        ("999999d", 1),
        ("2027-01-15T08:00:00Z", 1_800_000_000),
        ("2027-01-15T09:00:00+01:00", 1_800_000_000),
    ],
)
def test_since(text: str, seconds: int) -> None:
    assert parse_since(text, NOW_S) == seconds


@pytest.mark.parametrize("text", ["yesterday", "m", "-5m", "10 m", "2027-13-01", "٣m"])
def test_bad_since(text: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        parse_since(text, NOW_S)
    assert failed.value.code is Exit.BAD_INPUT


@pytest.mark.real("loopback")
def test_bounds_reach_the_node(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_reading()
    node.call(node.doors.change, finished(job))
    node.doors.logs = [([(1, b"one\ntwo\n")], 1, True)]
    assert node.run("job", "logs", job.id, "-n", "1", "--since", "1800000000") == 0
    assert capsys.readouterr().out == "two\n"
    assert node.doors.log_questions[0][2] == 1_800_000_000_000
