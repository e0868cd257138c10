"""The command as a process: exit codes, suggestions, what it imports."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mesh.edge.cli.app import run_command
from tests.mesh.edge.feed_server import FeedServer, fixture_frames

ROOT = Path(__file__).parents[4]
HEAVY = ("httpx", "trio", "h11", "starlette", "pycrdt", "pydantic", "websockets", "rich")


def command(
    *arguments: str, home: Path, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *options, "-m", "mesh", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--help"], 0, "devstack"),
        (["job", "list", "--api-port", "1"], 3, "no node answers"),
        (["jop", "list"], 2, "'job'?"),
        (["node", "list", "--fliter-status", "x"], 2, "--filter-status"),
        (["version", "--client"], 0, "Client"),
        (["job", "version"], 2, "Did you mean 'bacalhau-mesh version'?"),
        (["join", "--bind", "127.0.0.1:x"], 2, "--bind"),
    ],
)
def test_exit_codes(tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    done = command(*arguments, home=tmp_path)
    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_marks_that_an_alphabet_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", out)
    with FeedServer(fixture_frames("calm")) as server:
        assert run_command(["top", "--once", "--api-port", str(server.port)]) == 0
    assert b"? running" in out.buffer.getvalue()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_has_no_room_is_told_in_a_sentence(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mesh", "completion", "bash"],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=30, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == (
        "Error: the output cannot be written: No space left on device"
    )
    assert len(done.stderr.splitlines()) == 2


def test_a_listing_imports_nothing_heavy(tmp_path: Path) -> None:
    done = command("node", "list", "--api-port", "1", home=tmp_path, options=("-X", "importtime"))
    assert done.returncode == 3
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "mesh.edge.cli.nodes" in loaded
    assert not [name for name in HEAVY if name in loaded]


@pytest.mark.parametrize("flag", ["--api-port", "--data-dir=/x"])
def test_a_flag_before_the_command_is_told_where_it_stands(
    capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert run_command([flag, "1", "node", "list"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    name = flag.partition("=")[0]
    assert error == f"Error: {name} stands after the command"
    assert hint == f"Hint: As in: bacalhau-mesh node list {name} ..."


@pytest.mark.parametrize(
    "command", [["job", "describe"], ["job", "story"], ["node", "describe"], ["node", "cordon"]]
)
def test_an_empty_id_is_2(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert run_command([*command, ""]) == 2
    assert f"no {command[0]} is named" in capsys.readouterr().err
