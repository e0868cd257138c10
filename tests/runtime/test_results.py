"""What an attempt left becomes a manifest; what cannot be kept becomes a note."""

from __future__ import annotations

import errno
import os

import pytest

import runtime.gather
import runtime.results
from runtime.attempt import EngineEnded, Order, ResultsFailed, ResultsStored
from runtime.results import SMALL_BYTES, SMALL_TOTAL_BYTES, Keeper, keep_results, store_results
from scheduler.ids import AttemptId, JobId, blob_digest
from scheduler.jobs import JobSpec, JobType, ResultPath, Source, Task
from storage.blobs import BlobStore
from storage.digest import EntryKind, ManifestError, decode_manifest_untrusted
from storage.errors import TooLarge

ATTEMPT = AttemptId("e-11111111-1111-1111-1111-111111111111")


@pytest.fixture
def keep(tmp_path):
    blobs = BlobStore(tmp_path / "blobs")
    (tmp_path / "out").mkdir()

    def keep(*, exit_code=0, printed=(0, 0), name="results"):
        keeper = Keeper(blobs)
        digest, size_bytes = store_results(
            ATTEMPT,
            EngineEnded(exit_code, "", "", "", "", *printed),
            stdout=tmp_path / "stdout",
            stderr=tmp_path / "stderr",
            outputs=[(name, tmp_path / "out")],
            blobs=keeper,
        )
        for small in keeper.small.values():
            blobs.keep_bytes(small)  # what the member does with them, for the tests to read
        data = blobs.read(digest, limit_bytes=1 << 20)
        assert data is not None
        return decode_manifest_untrusted(data), size_bytes, blobs

    return keep


def test_streams_files_and_folders(keep, tmp_path):
    (tmp_path / "stdout").write_bytes(b"hello\n")
    (tmp_path / "out" / "deep").mkdir()
    (tmp_path / "out" / "deep" / "data").write_bytes(b"12345")
    (tmp_path / "out" / "tool").write_bytes(b"#!")
    (tmp_path / "out" / "tool").chmod(0o6777)
    (tmp_path / "out" / "empty").mkdir()
    manifest, size_bytes, blobs = keep(exit_code=3, printed=(6, 0))
    assert (manifest.attempt, manifest.exit_code) == (ATTEMPT, 3)
    assert manifest.stdout == blob_digest(b"hello\n")
    assert manifest.stderr == blob_digest(b"")
    assert [(one.path, one.kind, one.size_bytes, one.mode) for one in manifest.entries] == [
        ("results", EntryKind.FOLDER, 0, 0o755),
        ("results/deep", EntryKind.FOLDER, 0, 0o755),
        ("results/deep/data", EntryKind.FILE, 5, 0o644),
        ("results/empty", EntryKind.FOLDER, 0, 0o755),
        ("results/tool", EntryKind.FILE, 2, 0o755),
    ]
    assert size_bytes == 6 + 5 + 2
    for digest in manifest.digests():
        assert blobs.has(digest)


def test_what_cannot_be_kept_is_noted(keep, tmp_path):
    (tmp_path / "secret").write_text("not yours")
    os.symlink(tmp_path / "secret", tmp_path / "out" / "link")
    os.mkfifo(tmp_path / "out" / "pipe")
    (tmp_path / "out" / os.fsdecode(b"caf\xe9")).write_bytes(b"x")
    (tmp_path / "stdout").write_bytes(b"12345")
    manifest, _, blobs = keep(printed=(50, 0))
    notes = {one.path: one.size_bytes for one in manifest.entries if one.kind is EntryKind.NOTE}
    assert notes == {
        "results/link": 0,
        "results/pipe": 0,
        "results/b'caf\\xe9'": 1,
        "stdout (rest, not kept)": 45,
    }
    assert not blobs.has(blob_digest(b"not yours"))


def test_a_file_with_a_second_name_is_copied(keep, tmp_path):
    (tmp_path / "input").write_bytes(b"shared")
    os.link(tmp_path / "input", tmp_path / "out" / "linked")
    _, _, blobs = keep()
    (tmp_path / "input").write_bytes(b"changed")
    assert blobs.read(blob_digest(b"shared"), limit_bytes=100) == b"shared"


def test_too_many_files(keep, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime.gather, "MAX_ENTRIES", 3)
    for number in range(3):
        (tmp_path / "out" / str(number)).touch()
    with pytest.raises(TooLarge, match="more than 3 files"):
        keep()


def test_a_name_that_leads_out(keep):
    with pytest.raises(ManifestError):
        keep(name="../up")


def test_small_blobs_go_with_the_record_and_large_ones_into_files(tmp_path):
    blobs = BlobStore(tmp_path / "blobs")
    keeper = Keeper(blobs)
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"s" * SMALL_BYTES)
    large.write_bytes(b"l" * (SMALL_BYTES + 1))
    assert keeper.keep_file(small) == (blob_digest(b"s" * SMALL_BYTES), SMALL_BYTES)
    keeper.keep_file(large)
    keeper.finish()
    assert list(keeper.small.values()) == [b"s" * SMALL_BYTES]
    assert blobs.has(blob_digest(b"l" * (SMALL_BYTES + 1)))
    assert not blobs.has(blob_digest(b"s" * SMALL_BYTES))


def test_many_small_ones_do_not_swell_the_flush(tmp_path):
    keeper = Keeper(BlobStore(tmp_path / "blobs"))
    for number in range(40):
        keeper.keep_bytes(bytes([number]) * SMALL_BYTES)
    assert sum(map(len, keeper.small.values())) <= SMALL_TOTAL_BYTES


def test_a_result_that_cannot_be_kept_whole_leaves_nothing(keep, tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / "out" / name).write_bytes(name.encode() * SMALL_BYTES)

    def full(keeper):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Keeper, "finish", full)
    with pytest.raises(OSError, match="No space left"):
        keep()
    assert list(BlobStore(tmp_path / "blobs").digests()) == []
    assert sorted(os.listdir(tmp_path / "out")) == ["one", "two"]


def test_a_result_that_is_kept_again_is_the_same(keep, tmp_path):
    """The node may be killed before it has said so."""
    (tmp_path / "out" / "large").write_bytes(b"l" * (SMALL_BYTES + 1))
    (tmp_path / "out" / "tool").write_bytes(b"t" * (SMALL_BYTES + 1))
    (tmp_path / "out" / "tool").chmod(0o755)
    (tmp_path / "stdout").write_bytes(b"o" * (SMALL_BYTES + 1))
    first = keep(printed=(SMALL_BYTES + 1, 0))
    again = keep(printed=(SMALL_BYTES + 1, 0))
    assert first[0] == again[0]
    assert [one.mode for one in again[0].entries] == [0o755, 0o644, 0o755]


def kept_of(tmp_path, **more):
    """What becomes of a folder with one large result file."""
    folder = tmp_path / "results" / ATTEMPT
    (folder / "outputs" / "0").mkdir(parents=True, exist_ok=True)
    (folder / "outputs" / "0" / "large").write_bytes(b"l" * (SMALL_BYTES + 1))
    task = Task("main", Source("docker"), result_paths=(ResultPath("out", "/out"),))
    job = JobSpec(JobType.BATCH, task)
    order = Order(ATTEMPT, JobId("j-one"), 1, 0, 1, job, {})
    outcome = EngineEnded(0, "", "", "", "", 0, 0)
    return folder, keep_results(folder, order, outcome, BlobStore(tmp_path / "kept"))


def test_a_result_that_would_fill_the_disk_is_given_up_and_its_room_given_back(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(runtime.results, "KEEP_FREE_BYTES", 1 << 60)
    folder, event = kept_of(tmp_path)
    assert event == ResultsFailed(
        f"The result was not kept: the disk that holds {tmp_path}/results on this node is full. "
        "Free some space there or write less, and run the job again."
    )
    assert [path.name for path in folder.rglob("*")] == ["not-kept"]
    assert list(BlobStore(tmp_path / "kept").digests()) == []
    monkeypatch.undo()
    assert kept_of(tmp_path)[1] == event, "whoever asks again after a restart hears the same"


def test_a_result_with_room_is_kept(tmp_path):
    _, event = kept_of(tmp_path)
    assert isinstance(event, ResultsStored)
    assert event.size_bytes == SMALL_BYTES + 1


def test_a_result_that_breaks_a_limit_would_do_so_anywhere(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime.gather, "MAX_ENTRIES", 0)
    _, event = kept_of(tmp_path)
    assert isinstance(event, ResultsFailed)
    assert event.reason == "results_refused"
    assert "pack them into one" in event.message
