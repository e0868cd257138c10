"""`events`: what happened of late, and what happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mesh.edge.cli import events
from mesh.edge.cli.app import run_command
from mesh.edge.cli.connect import Frame
from mesh.edge.cli.errors import CommandFailed, Exit
from tests.mesh.edge.feed_server import FeedServer, fixture_frames

pytestmark = pytest.mark.real("loopback")


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer(fixture_frames("calm")) as server:
        yield server


def run(server: FeedServer, *arguments: str) -> int:
    return run_command(["events", "--api-port", str(server.port), *arguments])


def test_the_latest_in_a_table(server: FeedServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, "-n", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["TIME", "KIND", "LEVEL", "WHAT", "HAPPENED"]
    assert len(lines) == 3
    assert "thumbnails" in lines[-1]


@pytest.mark.parametrize("form", ["json", "yaml", "csv"])
def test_every_form(server: FeedServer, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, "--output", form) == 0
    told = capsys.readouterr().out
    assert "bridge started." in told
    if form == "json":
        assert len(json.loads(told)) == 14


def test_none_when_none_are_wanted(server: FeedServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, "-n", "0", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("arguments", [["-f", "--output", "csv"], ["-n", "101"], ["-n", "-1"]])
def test_what_cannot_be_shown_is_2(server: FeedServer, arguments: list[str]) -> None:
    assert run(server, *arguments) == 2


def test_no_node_is_3(server: FeedServer) -> None:
    server.stop()
    assert run(server, "-f") == 3


class Script:
    """A node's feed, one connection after another: frames, then it breaks off."""

    def __init__(self, *connections: list[Frame]) -> None:
        self.connections = list(connections)
        self.last_ids: list[str] = []

    def frames(self, path: str, query: Any, *, last_id: str, deadline_s: float) -> Iterator[Frame]:
        self.last_ids.append(last_id)
        if not self.connections:
            raise KeyboardInterrupt
        yield from self.connections.pop(0)
        raise CommandFailed("the connection broke", Exit.NO_NODE)


def rows(*seqs: int) -> dict[str, Any]:
    row = {"Time": 1, "Level": "info", "Kind": "node", "Sentence": "It \x1b[31mis\n so."}
    return {"Events": [{"Seq": seq, **row} for seq in seqs]}


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


def followed(monkeypatch: pytest.MonkeyPatch, script: Script, *arguments: str) -> int:
    monkeypatch.setattr(events, "connect", lambda _: script)
    return run_command(["events", "-f", "--output", "json", *arguments])


def seqs_of(capsys: pytest.CaptureFixture[str]) -> list[int]:
    return [json.loads(line)["Seq"] for line in capsys.readouterr().out.splitlines()]


def test_a_broken_feed_goes_on_and_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(
        [Frame("a-1", "snapshot", rows(1, 2, 3)), Frame("a-2", "changes", rows(4))],
        [Frame("a-9", "snapshot", rows(3, 4, 5))],
    )
    assert followed(monkeypatch, script, "-n", "2") == 0
    assert seqs_of(capsys) == [2, 3, 4, 5]
    assert script.last_ids == ["", "a-2", "a-9"]


def test_a_node_that_started_again_counts_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script([Frame("a-1", "snapshot", rows(7, 8))], [Frame("b-0", "snapshot", rows(1, 2))])
    assert followed(monkeypatch, script) == 0
    assert seqs_of(capsys) == [7, 8, 1, 2]


def test_nothing_that_a_terminal_obeys_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(events, "connect", lambda _: Script([Frame("a-1", "snapshot", rows(1))]))
    assert run_command(["events", "-f"]) == 0
    told = capsys.readouterr()
    assert told.out == "1970-01-01 00:00:00   It \\x1b[31mis\\n so.\n"
    assert told.err == "the connection broke; it is asked again.\n"
