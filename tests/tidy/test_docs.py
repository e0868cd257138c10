"""Every link of every page leads somewhere, and the pages that must exist do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy import places

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/ARCHITECTURE.md")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.M)


def _pages() -> list[str]:
    return [name for name, _ in places.texts() if name.endswith(".md")]


def _anchors(text: str) -> set[str]:
    """The anchors that a page's headings make: lower case, words joined by hyphens."""
    made = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        made.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return made


def broken_links(page: Path) -> list[str]:
    """Links of one page to files or headings that are not there."""
    broken = []
    for groups in LINK.findall(FENCE.sub("", page.read_text())):
        target = groups[0] or groups[1]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (
            anchor and path.suffix == ".md" and anchor not in _anchors(path.read_text())
        ):
            broken.append(target)
    return broken


@pytest.mark.parametrize("name", PAGES)
def test_page_exists(name: str) -> None:
    assert len((places.ROOT / name).read_text().split()) > 30


def test_links_lead_somewhere() -> None:
    broken = {name: broken_links(places.ROOT / name) for name in _pages()}
    assert {name: links for name, links in broken.items() if links} == {}


def test_the_rule_sees(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` c\n[1](page.md#a-b-c) [2](none.md) [3](#a-b) [4](https://x.y/z)\n")
    assert broken_links(page) == ["none.md", "#a-b"]


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (places.ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    named = {
        target
        for name in PAGES
        for target in re.findall(r"\bmake ([a-z]+)\b", (places.ROOT / name).read_text())
        if f"`make {target}" in (places.ROOT / name).read_text()
    }
    assert {"demo", "test", "check"} <= targets
    assert named - targets == set()


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=places.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_have_a_page() -> None:
    if not (places.ROOT / "mesh/edge/cli/app.py").exists():
        pytest.skip("no mesh/edge/cli/app.py yet")
    assert '"cli.md"' in (places.ROOT / "docs/generate.py").read_text(), "a page that make writes"
    assert (places.ROOT / "docs/cli.md").is_file()
