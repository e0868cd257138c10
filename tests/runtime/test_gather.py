"""Result folders as nobody should leave them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.gather import MAX_DEPTH, Gatherer, remove_tree
from storage.digest import EntryKind
from storage.errors import TooLarge


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def gathered(folder: Path) -> dict[str, tuple[EntryKind, int]]:
    found = [one.entry for one in Gatherer().below("results", folder)]
    return {one.path: (one.kind, one.size_bytes) for one in found}


def deep(folder: Path, levels: int) -> None:
    """Folders in folders, further down than any path leads."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    with open(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=handle), "w") as file:
        file.write("x")
    os.close(handle)


def test_names_that_would_move_a_cursor_are_spelled_out(out: Path) -> None:
    for name in ("a\x1b[2J", "a\\x1b[2J", "b\n", "c\x9b"):
        (out / name).write_text("kept")
    (out / "d\t").mkdir()
    (out / "d\t" / "e").touch()
    assert gathered(out) == {
        "results": (EntryKind.FOLDER, 0),
        "results/a\\x1b[2J": (EntryKind.FILE, 4),
        "results/a\\x1b[2J (2)": (EntryKind.FILE, 4),
        "results/b\\x0a": (EntryKind.FILE, 4),
        "results/c\\x9b": (EntryKind.FILE, 4),
        "results/d\\x09": (EntryKind.FOLDER, 0),
        "results/d\\x09/e": (EntryKind.FILE, 0),
    }


def test_folders_without_end(out: Path) -> None:
    deep(out, 1200)
    found = gathered(out)
    assert found.pop("results (1 too deep, not kept)") == (EntryKind.NOTE, 0)
    assert len(found) == MAX_DEPTH
    Gatherer().check([out])
    remove_tree(out)
    assert not out.exists()


def test_a_path_that_is_too_long_for_anybody(out: Path) -> None:
    handle = os.open(out, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=handle)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    found = gathered(out)
    assert "results (1 too deep, not kept)" in found
    assert len(found) == 18
    remove_tree(out)
    assert not out.exists()


def test_a_sparse_file_counts_as_long_as_it_says(out: Path) -> None:
    with open(out / "sparse", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TooLarge, match=r"ask for more in Resources\.Disk"):
        Gatherer().check([out])
    Gatherer(limit_bytes=1 << 40).check([out])


def test_links_lead_nowhere(out: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("not yours")
    os.symlink(tmp_path / "secret", out / "folder")
    os.symlink("/", out / "root")
    assert gathered(out) == {
        "results": (EntryKind.FOLDER, 0),
        "results/folder": (EntryKind.NOTE, 0),
        "results/root": (EntryKind.NOTE, 0),
    }
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        list(Gatherer().below("results", out / "folder"))


def test_removing_leaves_what_links_lead_to(out: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (out / "a" / "b").mkdir(parents=True)
    os.symlink(tmp_path / "kept", out / "a" / "link")
    remove_tree(out)
    assert not out.exists()
    assert (tmp_path / "kept").read_text() == "kept"
