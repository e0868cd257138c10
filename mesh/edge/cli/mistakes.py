"""When a command fails by a mistake of the program: a sentence, and the details in a file."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback


def tell_mistake(error: BaseException) -> int:
    """Tell of an error that nobody foresaw, on stderr; the exit code."""
    from mesh.edge.cli.errors import CommandFailed, Exit, report

    words = " ".join(traceback.format_exception_only(error)[-1].split())
    where = _write_details(error)
    kept = f"The details are in {where}" if where else "The details could not be written"
    return report(
        CommandFailed(
            f"a mistake in bacalhau-mesh itself ended this command: {words[:200]}",
            Exit.JOB_FAILED,
            f"{kept}; send them with a report of what you did",
        )
    )


def _write_details(error: BaseException) -> str:
    """The file that has them, readable by its owner alone; "" when there is no place for it."""
    text = "".join(traceback.format_exception(error))
    head = f"{' '.join(sys.argv)}\nPython {platform.python_version()}, {platform.platform()}\n\n"
    try:
        number, path = tempfile.mkstemp(prefix="bacalhau-mesh-", suffix=".txt")
        with os.fdopen(number, "w", errors="replace") as file:
            file.write(head + text)
    except OSError:
        return ""
    return path
