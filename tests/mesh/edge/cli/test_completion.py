"""What a shell is told when it asks what could come next."""

from __future__ import annotations

import socket

import pytest

from mesh.edge.cli.app import run_command
from mesh.edge.cli.completion import VARIABLE
from tests.mesh.edge.cli.conftest import Node
from tests.mesh.edge.readings import job_reading


def _completed(
    node: Node, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    return _completed_at(node.port, line, capsys, monkeypatch)


def _completed_at(
    port: int, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    words = line.split(" ")
    monkeypatch.setenv(VARIABLE, "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("BACALHAU_MESH_API", f"127.0.0.1:{port}")
    assert run_command([]) == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bacalhau-mesh jo", "job"),
        ("bacalhau-mesh job expl", "explain"),
        ("bacalhau-mesh job list --out", "--output"),
    ],
)
def test_commands_and_flags(
    node: Node,
    line: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert told in _completed(node, line, capsys, monkeypatch)


def test_ids_of_jobs_and_names_of_nodes(
    node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = job_reading()
    node.doors.jobs[reading.id] = reading
    jobs = _completed(node, "bacalhau-mesh job stop j-", capsys, monkeypatch)
    assert jobs
    assert all(one.startswith("j-") for one in jobs)
    assert _completed(node, "bacalhau-mesh node describe ", capsys, monkeypatch)
    assert _completed(node, "bacalhau-mesh node describe zz", capsys, monkeypatch) == []


def test_a_node_that_does_not_answer_holds_nobody_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.edge.cli.completion.PATIENCE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert _completed_at(port, "bacalhau-mesh job stop ", capsys, monkeypatch) == []
    assert _completed_at(port, "bacalhau-mesh node drain ", capsys, monkeypatch) == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_names_the_program(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "bacalhau-mesh" in script
    assert VARIABLE in script
