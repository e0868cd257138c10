"""Blobs are whole or absent."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from scheduler.ids import Digest, blob_digest
from storage.blobs import PARTIAL, BlobStore, file_digest, is_digest
from storage.errors import Corrupt, TooLarge

HELLO = blob_digest(b"hello")
ABSENT = Digest("ab" * 32)


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "blobs")


def partial_files(store: BlobStore) -> list[str]:
    return os.listdir(store.folder / PARTIAL)


def test_keep_and_find(store):
    assert store.keep_bytes(b"hello") == HELLO
    assert store.keep_bytes(b"hello") == HELLO, "twice is once"
    assert store.has(HELLO)
    assert store.size(HELLO) == 5
    assert store.read(HELLO, limit_bytes=5) == b"hello"
    assert store.find(HELLO) == store.folder / HELLO[:2] / HELLO[2:]
    assert list(store.digests()) == [(HELLO, 5)]
    assert partial_files(store) == []


def test_nobody_writes_a_blob(store):
    store.keep_bytes(b"hello")
    assert store.path(HELLO).stat().st_mode & 0o777 == 0o400


def test_what_is_not_there(store):
    assert not store.has(ABSENT)
    assert store.size(ABSENT) is None
    assert store.read(ABSENT, limit_bytes=5) is None
    assert store.find(ABSENT) is None


@pytest.mark.parametrize(
    "text", ["", "ab", "AB" * 32, "../" * 21 + "a", "ab" * 32 + "\n", "gg" * 32]
)
def test_what_is_no_digest_makes_no_path(store, text):
    assert not is_digest(text)
    with pytest.raises(ValueError, match="not a SHA-256"):
        store.path(Digest(text))


def test_read_within_a_limit(store):
    store.keep_bytes(b"hello")
    with pytest.raises(TooLarge):
        store.read(HELLO, limit_bytes=4)


def test_staged_piece_by_piece(store):
    stage = store.stage(HELLO)
    stage.write(b"hel")
    assert stage.size_bytes == 3
    assert not store.has(HELLO)
    stage.write(b"lo")
    assert stage.finish() == HELLO
    assert store.read(HELLO, limit_bytes=10) == b"hello"


def test_other_bytes_than_expected_leave_nothing(store):
    stage = store.stage(HELLO)
    stage.write(b"hullo")
    with pytest.raises(Corrupt, match="digest"):
        stage.finish()
    assert not store.has(HELLO)
    assert partial_files(store) == []


def test_too_many_bytes(store):
    stage = store.stage(limit_bytes=4)
    with pytest.raises(TooLarge):
        stage.write(b"hello")
    stage.discard()
    stage.discard()
    assert partial_files(store) == []


def test_what_was_staged_when_the_process_died_is_removed(store):
    stage = store.stage()
    stage.write(b"half")
    assert partial_files(store)
    assert partial_files(BlobStore(store.folder)) == []


def test_small_ones_that_live_elsewhere(tmp_path):
    elsewhere = {HELLO: b"hello"}
    store = BlobStore(tmp_path / "blobs", fallback=elsewhere.get)
    assert store.has(HELLO)
    assert store.size(HELLO) == 5
    assert store.read(HELLO, limit_bytes=5) == b"hello"
    assert not store.path(HELLO).exists()
    path = store.find(HELLO)
    assert path is not None
    assert path.read_bytes() == b"hello"
    assert not store.has(ABSENT)


def test_many_threads_keep_the_same(store):
    with ThreadPoolExecutor(8) as pool:
        kept = set(pool.map(lambda _: store.keep_bytes(b"hello" * 10_000), range(40)))
    assert kept == {blob_digest(b"hello" * 10_000)}
    assert partial_files(store) == []


def test_file_digest(tmp_path):
    (tmp_path / "x").write_bytes(b"hello")
    assert file_digest(tmp_path / "x") == (HELLO, 5)


def test_a_stage_that_found_no_room_leaves_nothing(tmp_path, monkeypatch):
    store = BlobStore(tmp_path)
    stage = store.stage()
    stage.write(b"x" * 100)

    class Full:
        def close(self):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(stage, "_file", Full())
    stage.discard()
    assert not any((tmp_path / "partial").iterdir())
