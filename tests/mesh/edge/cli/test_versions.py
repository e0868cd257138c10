from __future__ import annotations

from pathlib import Path

import pytest

from tests.mesh.edge.cli.conftest import Node, Server, at_node
from tests.mesh.edge.member_doors import MemberDoors

JOB = """\
Name: one
Type: batch
Priority: {priority}
Tasks:
  - Name: main
    Engine: {{Type: scripted, Params: {{DurationMs: 1}}}}
"""


@pytest.fixture
def real_node(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A real member behind the API, and files of one job in two forms."""
    folder = tmp_path / "node"
    folder.mkdir()
    for number in (1, 2):
        (tmp_path / f"{number}.yaml").write_text(JOB.format(priority=number))
    return at_node(server, MemberDoors(folder), tmp_path, monkeypatch)


def test_a_name_again_is_the_next_version(
    real_node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    assert real_node.run("job", "run", "1.yaml") == 0
    assert "version" not in capsys.readouterr().out
    assert real_node.run("job", "run", "1.yaml") == 1
    assert "no changes detected" in capsys.readouterr().err
    assert real_node.run("job", "run", "--force", "1.yaml") == 0
    assert ", version 2" in capsys.readouterr().out
    assert real_node.run("job", "run", "2.yaml") == 0
    assert ", version 3" in capsys.readouterr().out
    assert real_node.run("job", "versions", "one") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["VERSION", "1", "2", "3"]
    assert all("Completed" in line for line in lines[1:])


def test_a_dry_run_names_what_would_change(
    real_node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert real_node.run("job", "run", "--dry-run", "1.yaml") == 0
    told = capsys.readouterr()
    assert told.out.startswith("Name: one\n")
    assert told.err == "It would be a new job\n"
    assert real_node.run("job", "run", "--id-only", "1.yaml") == 0
    capsys.readouterr()
    assert real_node.run("job", "run", "--dry-run", "1.yaml") == 0
    assert "change nothing" in capsys.readouterr().err
    assert real_node.run("job", "run", "--dry-run", "2.yaml") == 0
    assert capsys.readouterr().err.endswith("Priority: 1 -> 2\n")
    monkeypatch.setenv("BACALHAU_API_PORT", "1")
    assert real_node.run("job", "run", "--dry-run", "2.yaml") == 0
    assert "not known" in capsys.readouterr().err


def test_rerun_history_and_executions(real_node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert real_node.run("job", "run", "1.yaml") == 0
    assert real_node.run("job", "run", "2.yaml") == 0
    capsys.readouterr()
    assert real_node.run("job", "rerun", "one", "--version", "1", "--reason", "for the log") == 0
    assert ", version 3" in capsys.readouterr().out
    assert real_node.run("job", "history", "one") == 0
    latest = capsys.readouterr().out
    assert "Job rerun requested" in latest
    assert "Job updated" not in latest
    assert real_node.run("job", "history", "one", "--all-versions") == 0
    everything = capsys.readouterr().out
    assert "Job submitted" in everything
    assert "Job updated" in everything
    counts = []
    for flags in ([], ["--version", "1"], ["--all-versions"]):
        assert real_node.run("job", "executions", "one", *flags) == 0
        counts.append(len(capsys.readouterr().out.splitlines()) - 1)
    assert counts == [1, 1, 3]
    assert real_node.run("job", "rerun", "one", "--version", "9") == 1
    assert "no version 9" in capsys.readouterr().err
    assert real_node.run("job", "rerun", "nope") == 1


def test_validate_asks_no_node(
    real_node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert real_node.run("job", "validate", "1.yaml") == 0
    assert capsys.readouterr().out == "The job is valid\n"
    (tmp_path / "bad.yaml").write_text("Type: bach\nCount: -1\nTasks: []\n")
    assert real_node.run("job", "validate", "bad.yaml") == 2
    told = capsys.readouterr().err
    assert all(word in told for word in ("Type", "Count", "Tasks"))
