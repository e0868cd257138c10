"""Many files become blobs together, whole, and stay where they are."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

import storage.intake
from scheduler.ids import Digest, blob_digest
from storage.blobs import PARTIAL, BlobStore
from storage.intake import FLUSH_ALONE, READ_WHOLE_BYTES, Intake

HELLO = blob_digest(b"hello")


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "blobs")


@pytest.fixture
def result(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"hello")
    return path


def kept(store: BlobStore) -> set[Digest]:
    return {digest for digest, _ in store.digests()}


def staged(store: BlobStore) -> list[str]:
    return os.listdir(store.folder / PARTIAL)


def test_nothing_is_there_before_the_end_and_the_file_stays(store, result):
    intake = Intake(store)
    assert intake.keep_file(result) == (HELLO, 5)
    assert kept(store) == set()
    intake.finish()
    assert store.read(HELLO, limit_bytes=5) == b"hello"
    assert store.path(HELLO).stat().st_mode & 0o777 == 0o400
    assert result.samefile(store.path(HELLO)), "linked, not copied"
    assert staged(store) == []


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o400])
def test_whoever_comes_again_finds_the_same(store, result, mode):
    """A node that was killed in the middle begins anew, on the same files."""
    result.chmod(mode)
    for cut_off in (True, True, False):
        intake = Intake(store)
        assert intake.keep_file(result) == (HELLO, 5)
        assert bool(result.stat().st_mode & 0o100) == bool(mode & 0o100)
        if not cut_off:
            intake.finish()
        store = BlobStore(store.folder)
    intake = Intake(store)
    assert intake.keep_file(result) == (HELLO, 5)
    intake.finish()
    assert store.read(HELLO, limit_bytes=5) == b"hello"


def test_what_others_can_change_is_copied(store, result, tmp_path):
    os.link(result, tmp_path / "second")
    intake = Intake(store)
    intake.keep_file(result)
    (tmp_path / "second").write_bytes(b"other")
    intake.finish()
    assert store.read(HELLO, limit_bytes=10) == b"hello"


def test_what_may_be_written_again_is_copied(store, result):
    intake = Intake(store)
    intake.keep_file(result, copy=True)
    result.write_bytes(b"other")
    intake.finish()
    assert store.read(HELLO, limit_bytes=10) == b"hello"


def test_where_no_link_can_be_made_it_is_copied(store, result, monkeypatch):
    def no_link(*_, **__):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    intake = Intake(store)
    intake.keep_file(result)
    intake.finish()
    assert store.read(HELLO, limit_bytes=10) == b"hello"
    assert not result.samefile(store.path(HELLO))


@pytest.mark.parametrize("size_bytes", [0, READ_WHOLE_BYTES, READ_WHOLE_BYTES + 1])
def test_files_of_any_size(store, tmp_path, size_bytes):
    data = os.urandom(size_bytes)
    (tmp_path / "any").write_bytes(data)
    intake = Intake(store)
    assert intake.keep_file(tmp_path / "any") == (blob_digest(data), size_bytes)
    intake.finish()
    assert kept(store) == {blob_digest(data)}


@pytest.mark.parametrize("count", [FLUSH_ALONE, FLUSH_ALONE + 1])
def test_many_share_a_flush(store, tmp_path, count, monkeypatch):
    alone: list[Path] = []
    together: list[Path] = []
    flush, flush_all = storage.intake._flush_file, storage.intake._flush_file_system

    def flush_one(path: Path) -> None:
        alone.append(path)
        flush(path)

    def flush_together(folder: Path) -> None:
        together.append(folder)
        flush_all(folder)

    monkeypatch.setattr(storage.intake, "_flush_file", flush_one)
    monkeypatch.setattr(storage.intake, "_flush_file_system", flush_together)
    intake = Intake(store)
    for number in range(count):
        path = tmp_path / str(number)
        path.write_text(str(number))
        intake.keep_file(path)
    intake.finish()
    assert len(kept(store)) == count
    assert (len(alone), len(together)) == ((count, 0) if count == FLUSH_ALONE else (0, 1))


def test_a_flush_that_fails_is_told(store, tmp_path, monkeypatch):
    monkeypatch.setattr(storage.intake, "FLUSH_ALONE", 0)
    (tmp_path / "one").write_text("one")
    intake = Intake(store)
    intake.keep_file(tmp_path / "one")
    real = ctypes.CDLL

    class Broken:
        def __init__(self, *_, **__):
            self.syncfs = lambda handle: real(None, use_errno=True).syncfs(-1)

    monkeypatch.setattr(ctypes, "CDLL", Broken)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        intake.finish()
    assert kept(store) == set()


def test_equal_files_are_one_blob(store, result, tmp_path):
    (tmp_path / "same").write_bytes(b"hello")
    intake = Intake(store)
    assert intake.keep_file(result) == intake.keep_file(tmp_path / "same")
    intake.finish()
    assert kept(store) == {HELLO}


def test_what_is_discarded_leaves_nothing(store, result):
    intake = Intake(store)
    intake.keep_file(result)
    intake.discard()
    intake.finish()
    assert (kept(store), staged(store)) == (set(), [])
    assert result.read_bytes() == b"hello"
