"""Words for what went wrong on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.failures import engine_broke


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "the disk that holds /d/results on this node is"),
        (OSError(122, "Disk quota exceeded"), "the disk that holds /d/results on this node is"),
        (OSError(5, "Input/output error"), "The x engine failed: OSError(5, 'Input/output error')"),
        (RuntimeError("a plug-in's mistake"), "The x engine failed: RuntimeError("),
    ],
)
def test_an_engine_that_raises(error: Exception, said: str) -> None:
    ended = engine_broke("x", error, Path("/d/results"))
    assert said in ended.message
    assert (ended.failure, ended.exit_code) == ("engine", None)
