from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mesh.edge.cli import intents
from mesh.edge.cli.connect import Frame, WaitedTooLong
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
    """A node of which each change finds less left; after the last one its feed is over."""

    endpoint = "here"

    def __init__(self, *looks: tuple[str, int], late: bool = False) -> None:
        self._looks = list(looks)
        self._late = late

    def get(self, path: str) -> Any:
        assert path == "/api/v1/mesh/nodes/n-1"
        intent, running = self._looks.pop(0)
        return {
            "Node": {"Mesh": {"Name": "north", "Intent": intent}},
            "Running": [{"ExecutionID": f"e-{at}"} for at in range(running)],
        }

    def frames(self, path: str, query: Any, *, deadline_s: float) -> Iterator[Frame]:
        assert path == "/api/v1/mesh/watch"
        while self._looks:
            yield Frame("", "changes", {"Nodes": [{"ID": "n-2"}]})
            yield Frame("", "changes", {"Mesh": {}})
            yield Frame("", "changes", {"Nodes": [{"ID": "n-1"}]})
        if self._late:
            raise WaitedTooLong


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
    ("answers", "code", "words"),
    [
        (Answers(("draining", 1), ("cordoned", 1)), Exit.JOB_FAILED, "not draining any more"),
        (Answers(("draining", 1), late=True), Exit.WAITED_TOO_LONG, "1 execution left on north"),
        (Answers(late=True), Exit.WAITED_TOO_LONG, "n-1 is not empty after 90 s"),
        (Answers(("draining", 1)), Exit.NO_NODE, "ended its feed"),
    ],
)
def test_a_wait_that_ends_otherwise(answers: Any, code: Exit, words: str) -> None:
    with pytest.raises(CommandFailed, match=words) as ended:
        intents.wait_until_empty(answers, "n-1", 60)
    assert ended.value.code is code
    assert ended.value.hint
