"""Which paths jobs may see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import storage.allow
from storage.allow import AllowedPath, allowed_root, parse_allowed_path, scan_offer
from storage.errors import NotAllowed


@pytest.mark.parametrize(
    ("text", "pattern", "writable"),
    [
        ("/data", "/data", False),
        ("/data/", "/data", False),
        ("/data:ro", "/data", False),
        ("/data:rw", "/data", True),
        ("/srv/*/readings:rw", "/srv/*/readings", True),
        ("/data//x/./y", "/data/x/y", False),
        ("/odd:name", "/odd:name", False),
        ("/", "/", False),
    ],
)
def test_parse(text, pattern, writable):
    assert parse_allowed_path(text) == AllowedPath(pattern, writable)


@pytest.mark.parametrize("text", ["", "data", "./data:rw", "/data/../etc", "*"])
def test_parse_refuses(text):
    with pytest.raises(ValueError, match=r"\.$"):
        parse_allowed_path(text)


RULES = (
    AllowedPath("/data"),
    AllowedPath("/srv/*/readings"),
    AllowedPath("/srv/scratch", writable=True),
    AllowedPath("/data/scratch", writable=True),
)


@pytest.mark.parametrize(
    ("path", "write", "root"),
    [
        ("/data", False, "/data"),
        ("/data/deep/file.csv", False, "/data"),
        ("/srv/engine-1/readings", False, "/srv/engine-1/readings"),
        ("/srv/engine-1/readings/x", False, "/srv/engine-1/readings"),
        ("/srv/scratch/x", True, "/srv/scratch"),
        ("/srv/scratch/x", False, "/srv/scratch"),
        ("/data/scratch/x", True, "/data/scratch"),
    ],
)
def test_allowed(path, write, root):
    assert allowed_root(path, RULES, write=write) == Path(root)


@pytest.mark.parametrize(
    ("path", "write", "words"),
    [
        ("/database", False, "not offered"),
        ("/srv/a/b/readings", False, "not offered"),
        ("/srv/readings", False, "not offered"),
        ("/etc/passwd", False, "not offered"),
        ("/data/x", True, "read but not written"),
        ("/data/../etc", False, "not an absolute path"),
        ("data", False, "not an absolute path"),
        ("", False, "not an absolute path"),
        ("/data/\0", False, "not an absolute path"),
        ("/", False, "not offered"),
    ],
)
def test_not_allowed(path, write, words):
    with pytest.raises(NotAllowed, match=words):
        allowed_root(path, RULES, write=write)


def test_the_sentence_says_what_the_operator_would_do():
    with pytest.raises(NotAllowed, match="--allow-path /nowhere"):
        allowed_root("/nowhere", RULES, write=False)


def test_scan_measures_roots_and_their_children(tmp_path):
    engine = tmp_path / "engine-1"
    (engine / "deep").mkdir(parents=True)
    (engine / "a.csv").write_bytes(b"x" * 10)
    (engine / "deep" / "b.csv").write_bytes(b"x" * 32)
    os.utime(engine / "a.csv", ns=(0, 5_000_000))
    os.utime(engine / "deep" / "b.csv", ns=(0, 7_000_000))
    os.symlink("/", engine / "root")
    entries, writable = scan_offer(
        [AllowedPath(f"{tmp_path}/engine-*", writable=True), AllowedPath("/nowhere/at/all")]
    )
    assert [(one.path, one.size_bytes, one.newest_ms) for one in entries] == [
        (str(engine), 42, 7),
        (str(engine / "a.csv"), 10, 5),
        (str(engine / "deep"), 32, 7),
    ]
    assert writable == (str(engine),)


def test_scan_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(storage.allow, "MAX_OFFERED", 5)
    monkeypatch.setattr(storage.allow, "MAX_SCANNED_FILES", 3)
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(b"x")
    entries, _ = scan_offer([AllowedPath(str(tmp_path))])
    assert len(entries) == 5
    assert entries[0].size_bytes == 3


def test_scan_of_one_file(tmp_path):
    (tmp_path / "x").write_bytes(b"123")
    entries, writable = scan_offer([AllowedPath(str(tmp_path / "x"))])
    assert [(one.path, one.size_bytes) for one in entries] == [(str(tmp_path / "x"), 3)]
    assert writable == ()
