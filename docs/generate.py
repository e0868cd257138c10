"""Writes the generated pages again (`make docs`); `--check` says which are out of date instead."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# page -> "module:function" that returns its text
PAGES: dict[str, str] = {
    "cli.md": "mesh.edge.cli.docs:cli_page",
    "lifecycle.md": "scheduler.lifecycle:draw",
    "screens/calm.svg": "screens:calm",
    "screens/split.svg": "screens:split",
    "screens/healed.svg": "screens:healed",
}


def page_text(source: str) -> str:
    """The current text of one generated page."""
    module, _, function = source.partition(":")
    text = getattr(importlib.import_module(module), function)()
    assert isinstance(text, str)
    return text


def main(arguments: list[str]) -> int:
    """Write every page, or with `--check` name the stale ones and answer 1."""
    stale = []
    for name, source in PAGES.items():
        page, text = HERE / name, page_text(source)
        if page.is_file() and page.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            page.write_text(text)
            print(f"docs/{name} written")
    if stale and "--check" in arguments:
        print(f"out of date: {', '.join(stale)}; run 'make docs'")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
