"""`make bench`: runs every `bench_*.py` beside this file, prints a table, writes build/bench.json.

`python -m tests.bench latency top` runs these two alone and leaves build/bench.json as it was.

A bench module has `figures() -> Iterable[Figure]`; rows that take minutes are given only when
`long_rows()`. The exit code is 1 when a figure is on the wrong side of its floor, 130 when it was
interrupted, 2 for a name that is none; the nodes end with it however it ends.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figure import Figure, table

HERE = Path(__file__).resolve().parent
NOTE_CHARS = 120
INTERRUPTED = 130
WRONG_NAME = 2
RESULT = HERE.parents[1] / "build" / "bench.json"


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def measure(wanted: Sequence[str]) -> list[Figure]:
    """The figures of these bench modules, or of all in the order of their names."""
    paths = [HERE / f"bench_{name}.py" for name in wanted] or sorted(HERE.glob("bench_*.py"))
    found: list[Figure] = []
    for path in paths:
        began_s = time.monotonic()
        print(f"{path.stem} ...", file=sys.stderr, flush=True)
        try:
            for figure in importlib.import_module(f"tests.bench.{path.stem}").figures():
                found.append(figure)
        except Exception as error:
            # One that breaks off is a figure below its floor, and no reason to lose the others.
            print(traceback.format_exc(), file=sys.stderr)
            note = f"broke off: {' '.join(repr(error).split())[:NOTE_CHARS]}"
            found.append(Figure(path.stem, None, "", 0, "less", note=note))
        print(f"{path.stem} took {time.monotonic() - began_s:.1f} s", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Measure, print, write; 1 when a floor is missed."""
    for number in (signal.SIGTERM, signal.SIGINT):  # one begun in the background ignores the second
        signal.signal(number, signal.default_int_handler)
    wanted = sys.argv[1:]
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    if not set(wanted) <= set(known):
        print(f"Benches are: {', '.join(known)}.", file=sys.stderr)
        return WRONG_NAME
    described = machine()
    try:
        figures = measure(wanted)
    except KeyboardInterrupt:
        print("\nInterrupted: its nodes have ended, nothing was written.", file=sys.stderr)
        return INTERRUPTED
    print("\n".join(table(figures)))
    if not wanted:
        RESULT.parent.mkdir(exist_ok=True)
        document = {"machine": described, "figures": [figure.document() for figure in figures]}
        RESULT.write_text(json.dumps(document, indent=2) + "\n")
    missed = [figure.name for figure in figures if figure.missed]
    if missed:
        print(f"\nBelow the floor: {', '.join(missed)}.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
