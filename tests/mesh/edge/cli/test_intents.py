from __future__ import annotations

from typing import Any

import pytest

from mesh.edge.cli import intents
from mesh.edge.cli.errors import CommandFailed, Exit


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400)]
)
def test_times(text: str, seconds: int) -> None:
    assert intents.parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "10 m", "m10", "1.5h", "9" * 30])
def test_what_is_no_time_is_bad_input(text: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        intents.parse_duration_s(text)
    assert refused.value.code is Exit.BAD_INPUT


class Answers:
    """A node of which each look finds less left."""

    def __init__(self, *looks: tuple[str, int]) -> None:
        self._looks = list(looks)

    def get(self, path: str) -> Any:
        assert path == "/api/v1/mesh/nodes/n-1"
        intent, running = self._looks.pop(0)
        return {
            "Node": {"Mesh": {"Name": "north", "Intent": intent}},
            "Running": [{"ExecutionID": f"e-{at}"} for at in range(running)],
        }


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intents, "LOOK_S", 0.0)


def test_a_drain_says_what_is_left_until_nothing_is(capsys: pytest.CaptureFixture[str]) -> None:
    looks: Any = Answers(("draining", 2), ("draining", 2), ("draining", 1), ("draining", 0))
    intents.wait_until_empty(looks, "n-1", 60)
    said = capsys.readouterr()
    assert said.out == "north is empty\n"
    assert said.err.splitlines() == [
        "2 executions left on north: e-0, e-1",
        "1 execution left on north: e-0",
    ]


@pytest.mark.parametrize(
    ("looks", "deadline_s", "code"),
    [
        ([("draining", 1), ("cordoned", 1)], 60, Exit.JOB_FAILED),
        ([("draining", 1)], -60, Exit.WAITED_TOO_LONG),
    ],
)
def test_a_wait_that_ends_otherwise(
    looks: list[tuple[str, int]], deadline_s: int, code: Exit
) -> None:
    answers: Any = Answers(*looks)
    with pytest.raises(CommandFailed) as ended:
        intents.wait_until_empty(answers, "n-1", deadline_s)
    assert ended.value.code is code
