"""Where things stand in this repository: the packages, their files, and which of them are cores."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("scheduler", "storage", "runtime", "mesh", "sim")

CORE_ROOMS = ("scheduler", "mesh/gossip", "mesh/ledger", "mesh/member", "sim")
CORE_FILES = (
    "runtime/attempt.py",
    "runtime/budget.py",
    "storage/digest.py",
    "mesh/trust.py",
    "mesh/edge/documents.py",
    "mesh/edge/feed.py",
    "mesh/edge/feed_gather.py",
    "mesh/edge/feed_make.py",
    "mesh/edge/feed_reader.py",
    "mesh/edge/feed_rows.py",
    "mesh/edge/render.py",
    "mesh/edge/render_columns.py",
    "mesh/edge/render_details.py",
    "mesh/edge/render_hints.py",
    "mesh/edge/render_rows.py",
    "mesh/edge/render_times.py",
    "mesh/edge/render_top.py",
)
SHELLS_IN_CORE_ROOMS = ("sim/__main__.py", "sim/report.py")


def source_files() -> list[Path]:
    """Every module of the five packages."""
    return sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def is_core(path: Path) -> bool:
    """Whether this module must stay free of clocks, chance, threads and I/O."""
    name = path.relative_to(ROOT).as_posix()
    if name in SHELLS_IN_CORE_ROOMS:
        return False
    return name in CORE_FILES or any(name.startswith(room + "/") for room in CORE_ROOMS)


def core_files() -> list[Path]:
    """Every module that is a core, package heads included."""
    return [path for path in source_files() if is_core(path)]


def module_name(path: Path) -> str:
    """The dotted name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def texts() -> Iterator[tuple[str, str]]:
    """(path from the root, text) of every text file that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in sorted(filter(None, listed.stdout.decode().split("\0"))):
        path = ROOT / name
        if not path.is_file() or path.is_symlink():
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
