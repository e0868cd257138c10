"""Parameters are read as Bacalhau's consumers read them: names in any case."""

from __future__ import annotations

from scheduler.jobs import Source
from storage.ports import flag_param, text_param

SOURCE = Source("local", {"sourcepath": "/data", "ReadWrite": True, "Number": 7})


def test_text():
    assert text_param(SOURCE, "SourcePath") == "/data"
    assert text_param(SOURCE, "Missing", "else") == "else"
    assert text_param(SOURCE, "Number") == ""


def test_flag():
    assert flag_param(SOURCE, "readwrite")
    assert not flag_param(SOURCE, "Number")
    assert not flag_param(SOURCE, "Missing")
