"""Small enough to read at one sitting: files under 400 lines, functions under 60."""

from __future__ import annotations

import ast

from tests.tidy import places

FILE_LINES = 400
FUNCTION_LINES = 60

# path, or path:function -> lines it may have until it is split. Only ever shorter.
TOO_LONG_YET: dict[str, int] = {}


def _measured() -> dict[str, int]:
    """Every file and function of the packages that is over its bound."""
    over = {}
    for path in places.source_files():
        name = path.relative_to(places.ROOT).as_posix()
        text = path.read_text()
        if (lines := text.count("\n")) >= FILE_LINES:
            over[name] = lines
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines >= FUNCTION_LINES:
                    over[f"{name}:{node.name}"] = lines
    return over


def test_files_and_functions_stay_small() -> None:
    grown = {
        name: lines for name, lines in _measured().items() if lines > TOO_LONG_YET.get(name, 0)
    }
    assert grown == {}, "split it by meaning"


def test_ratchet_holds_nothing_that_is_small_by_now() -> None:
    measured = _measured()
    assert {name for name in TOO_LONG_YET if name not in measured} == set()
