"""Screens of `top` as text files, with what differs from run to run and host to host left out.

The files are in tests/fixtures/screens. With MESH_WRITE_SCREENS=1 the tests write them anew, each
once it has stood still for a while; look at what changed before you keep it.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from tests.system.mesh_processes import until
from tests.system.terminals import Terminal

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "screens"
WRITE = os.environ.get("MESH_WRITE_SCREENS") == "1"
LOOKS_THE_SAME = 60
"""Of a screen that is written: some three seconds without a change."""
ID = re.compile(r"\b([jen])-([0-9a-f-]{8,36}|[a-z2-7]{8,26})(?=[\s.,;:)]|$)")
NODE_ROW = re.compile(r"^ ?\S+ +[●?✗▽‖·] (alive|suspect|unreachable|draining|cordoned|left)\b")
EVERYWHERE = (
    (re.compile(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d"), "DATE"),
    (re.compile(r"\d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\((\d[-\d :]*)?…"), "(DATE …"),
    (re.compile(r"^ *[+-](\d+ (min \d\d s|h \d+ min)|\d+\.\d{3} s)"), "+T"),
    (re.compile(r"\b[\d.]+ (s|min|h|days?|ms)\b"), "AGE"),
    (re.compile(r"(bacalhau-mesh) [0-9a-f]{8}\b"), r"\1 CLUSTER"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b4 Events \d+"), "4 Events N"),
    (re.compile(r" runs .*$"), " runs ENGINES"),
    (re.compile(r"^(NAME.* DISK) +GPU\b"), r"\1"),
)
OF_NODES = (
    (re.compile(r"[\d.?]+[TGMk]?/[\d.]+[TGMk]?"), "FREE"),
    (re.compile(r"((FREE +){2}FREE) +FREE\b"), r"\1"),
    (re.compile(r" (\d+%) "), " LOAD "),
    (re.compile(r"(docker \S+ )?scripted 1\b.*$"), "ENGINES AND MORE"),
)
"""What a machine is: its row ends with engines, version, id and labels where there is room. One
with a GPU has a column more."""


def normalised(screen: str) -> str:
    """Lines with times, ids, ports, and what a machine has and is, replaced by words. An id becomes
    a number in the order in which they stand there;
    blanks in a row become one."""
    known: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        kind, short = match[1], match[2][:8]
        same = known.setdefault(f"{kind}{short}", "")
        if not same:
            same = known[f"{kind}{short}"] = f"{kind}-{sum(one[0] == kind for one in known)}"
        return same

    lines = []
    for line in screen.splitlines():
        of_node = NODE_ROW.match(line)
        for pattern, word in (*EVERYWHERE, *(OF_NODES if of_node else ())):
            line = pattern.sub(word, line)
        line = ID.sub(numbered, line)
        lines.append(re.sub(r"(?<=\S) +", " ", line).rstrip())
    return "\n".join(lines).rstrip() + "\n"


class Screens:
    """Compares what terminals show with the files, or writes them."""

    def __init__(self, *terminals: Terminal) -> None:
        self._terminals = terminals

    def keys(self, *keys: str) -> None:
        """The same keys in each terminal."""
        for one in self._terminals:
            one.keys(*keys)

    def are(self, name: str, *wanted: str) -> None:
        """Once each terminal shows the screen of this name in its size; `wanted` is on it."""
        for terminal in self._terminals:
            path = FOLDER / f"{name}-{terminal.columns}x{terminal.lines}.txt"
            if WRITE:
                terminal.shows(*wanted)
                FOLDER.mkdir(exist_ok=True)
                path.write_text(_still(terminal))
            text = path.read_text()
            for one in wanted:
                assert one in text, f"{path.name} lacks {one!r}"
            until(
                lambda: normalised(terminal.screen()) == text,  # noqa: B023
                path.name,
                told=lambda: _difference(text, normalised(terminal.screen())),  # noqa: B023
            )


def _still(terminal: Terminal) -> str:
    """The screen once it has not changed for a while."""
    looks: list[str] = []

    def look() -> bool:
        looks.append(normalised(terminal.screen()))
        return len(looks) > LOOKS_THE_SAME and len(set(looks[-LOOKS_THE_SAME:])) == 1

    until(look, "the screen stands still")
    return looks[-1]


def _difference(wanted: str, found: str) -> str:
    lines = difflib.unified_diff(
        wanted.splitlines(), found.splitlines(), "kept", "shown", lineterm=""
    )
    return "\n" + "\n".join(lines)
