"""Errors that nobody foresaw: a sentence, never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import mesh.__main__ as entry
from mesh.edge.cli import mistakes


def broken(arguments: object) -> int:
    raise KeyError("Colour")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(entry, "run_command", broken)
    return tmp_path


def test_a_mistake_is_told_in_a_sentence_and_kept_in_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error.endswith("ended this command: KeyError: 'Colour'")
    [details] = folder.iterdir()
    assert str(details) in hint
    assert "in broken" in details.read_text()
    assert details.stat().st_mode & 0o077 == 0


def test_where_nothing_can_be_written_the_sentence_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "none"))
    assert mistakes.tell_mistake(ValueError("two\nlines")) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error.endswith("ValueError: two lines")
    assert "could not be written" in hint


def test_a_node_that_fails_leaves_its_traceback_in_its_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["bacalhau-mesh", "join"])
    with pytest.raises(KeyError):
        entry.main()
    assert list(folder.iterdir()) == []
