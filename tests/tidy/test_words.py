"""The repository speaks of the project alone; no address of a machine or registry stands in it."""

from __future__ import annotations

import re

import pytest

from tests.tidy import places

SELF = "tests/tidy/test_words.py"

UNWANTED = {
    "a path of somebody's machine": re.compile(r"/(work|home|Users)/\w+/|(?<![\w.])/root/\w"),
    "a package registry's address": re.compile(
        r"pypi\.org|pythonhosted\.org|registry\.npmjs|static\.crates\.io|proxy\.golang\.org", re.I
    ),
    "work that is not done": re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"),
    "how the work was handed out": re.compile(
        r"\bDESIGN\b|\bissues? #?\d+\b|\.\./shared\b|\b(this|previous|next) session\b"
    ),
}
# Recorded traffic holds what its machines were called.
RECORDED = ("tests/fixtures/",)
LOCKS = ("requirements.lock", "requirements-dev.lock")
IN_LOCK = re.compile(r"://|--(extra-)?index|--find-links|--trusted-host|@ ")


@pytest.mark.parametrize("what", sorted(UNWANTED))
def test_no_text_holds(what: str) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in places.texts()
        if name != SELF and not name.startswith(RECORDED)
        for number, line in enumerate(text.splitlines(), 1)
        if UNWANTED[what].search(line)
    ]
    assert found == [], what


@pytest.mark.parametrize("name", LOCKS)
def test_lock_file_names_no_place(name: str) -> None:
    text = (places.ROOT / name).read_text()
    assert IN_LOCK.findall(text) == []
    pins = re.findall(r"^(\S+)==", text, re.M)
    assert len(pins) > 30
    assert text.count("--hash=sha256:") >= len(pins)


def test_both_locks_pin_the_same_versions() -> None:
    run, develop = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (places.ROOT / name).read_text(), re.M))
        for name in LOCKS
    )
    assert {name: version for name, version in run.items() if develop.get(name) != version} == {}


def test_each_dependency_is_locked() -> None:
    settings = (places.ROOT / "pyproject.toml").read_text()
    block = settings.split("\ndependencies = [", 1)[1].split("\n]", 1)[0]
    wanted = re.findall(r'^\s*"([\w.-]+)', block, re.M)
    locked = (places.ROOT / "requirements.lock").read_text()
    assert len(wanted) > 10
    assert [name for name in wanted if f"\n{name.replace('.', '-')}==" not in "\n" + locked] == []
