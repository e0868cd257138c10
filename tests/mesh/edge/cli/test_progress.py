"""What is said while a job is waited for, where lines stay."""

from __future__ import annotations

import pytest

from mesh.edge.cli.progress import PREPARING_S, _Lines


def test_how_far_a_pull_is_is_said_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = 100.0
    lines = _Lines(lambda: now_s)
    lines.status("Running", "")
    lines.status("Running", "1 of 3 MB")
    lines.status("Running", "2 of 3 MB")
    now_s += PREPARING_S
    lines.status("Running", "1 of 3 MB")
    lines.status("Running", "3 of 3 MB")
    now_s += PREPARING_S
    lines.status("Running", "3 of 3 MB")
    assert capsys.readouterr().err.split("\n") == ["  1 of 3 MB", "  3 of 3 MB", ""]
