from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from mesh.edge.cli.app import run_command
from tests.mesh.edge.feed_server import FeedServer, whole_snapshot


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    server = FeedServer([whole_snapshot("split")])
    monkeypatch.setenv("BACALHAU_API_PORT", str(server.port))
    monkeypatch.delenv("COLUMNS", raising=False)
    yield server
    server.stop()


def test_once(split: FeedServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["top", "--once"]) == 0
    shown = capsys.readouterr().out
    assert "SPLIT       galley and lab cannot be heard here" in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_once_wide_has_every_row_and_exact_times(
    split: FeedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["top", "--once", "--wide"]) == 0
    shown = capsys.readouterr().out
    assert "2026-11-25 09:3" in shown
    assert "\nand " not in shown


def test_full_screen_needs_a_terminal(
    split: FeedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["top"]) == 2
    assert "top --once" in capsys.readouterr().err


def test_no_node(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["top", "--once", "--api-port", "1"]) == 3
    assert "no node answers" in capsys.readouterr().err


def test_any_node(
    split: FeedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BACALHAU_API_PORT")
    monkeypatch.setenv("BACALHAU_MESH_API", f"127.0.0.1:1, 127.0.0.1:{split.port}")
    assert run_command(["top", "--once", "--any-node"]) == 0
    assert "SPLIT" in capsys.readouterr().out
    assert run_command(["top", "--once"]) == 3


def test_once_loads_neither_textual_nor_asyncio(split: FeedServer) -> None:
    arguments = ["-X", "importtime", "-m", "mesh", "top", "--once", "--api-port", str(split.port)]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "mesh" in loaded
    assert loaded & {"textual", "asyncio", "trio", "httpx", "pydantic"} == set()
