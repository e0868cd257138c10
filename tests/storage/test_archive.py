"""Archives: strangers' ones unpacked within bounds, results packed as Bacalhau does."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zlib

import pytest

from scheduler.ids import AttemptId, Digest
from storage.archive import ArchiveLimits, result_archive, unpack_untrusted
from storage.blobs import BlobStore
from storage.digest import Entry, EntryKind, Manifest
from storage.errors import Corrupt, StorageError, TooLarge, Unavailable

LIMITS = ArchiveLimits(total_bytes=10_000, entries=20)


def pack(*members, kind=None, link="") -> bytes:
    """A gzip'd tar of (name, content) files and (name, None) folders."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.mode = 0o6755 if name.endswith("tool") else 0o644
            if content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(content)
            if kind is not None:
                info.type, info.linkname, info.size = kind, link, 0
            archive.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def test_one_file_is_that_file(tmp_path):
    path = unpack_untrusted(pack(("main.wasm", b"\0asm")), tmp_path, limits=LIMITS)
    assert path == tmp_path / "main.wasm"
    assert path.read_bytes() == b"\0asm"


@pytest.mark.parametrize("members", [[("a", b"1"), ("b", b"2")], [("d", None)], [("d/a", b"1")]])
def test_anything_else_is_its_folder(tmp_path, members):
    assert unpack_untrusted(pack(*members), tmp_path, limits=LIMITS) == tmp_path


def test_folders_modes_and_long_names(tmp_path):
    long = "x" * 150 + "/" + "y" * 150
    data = pack(("./", None), ("./d", None), ("./d/tool", b"#!"), (long, b"far"), ("é", b"1"))
    unpack_untrusted(data, tmp_path, limits=LIMITS)
    assert (tmp_path / "d" / "tool").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / long).read_bytes() == b"far"
    assert (tmp_path / "é").read_bytes() == b"1"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(b"not tar" * 100),
        pack(("a", b"x" * 3000))[:-30],
        pack(("../up", b"x")),
        pack(("/etc/passwd", b"x")),
        pack(("a/../../up", b"x")),
        pack(("a", b"1"), ("a", b"2")),
        pack(("a", b"1"), ("a/b", b"2")),
        pack(("link", b""), kind=tarfile.SYMTYPE, link="/etc"),
        pack(("hard", b""), kind=tarfile.LNKTYPE, link="/etc/passwd"),
        pack(("pipe", b""), kind=tarfile.FIFOTYPE),
        pack(("disk", b""), kind=tarfile.BLKTYPE),
    ],
)
def test_refused(tmp_path, data):
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(Corrupt):
        unpack_untrusted(data, folder, limits=LIMITS)
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    "data",
    [
        pack(("a", b"x" * 10_001)),
        pack(*((str(number), b"x" * 1000) for number in range(11))),
        pack(*((str(number), b"") for number in range(21))),
        gzip.compress(b"\0" * 50_000_000),
    ],
)
def test_too_large(tmp_path, data):
    with pytest.raises((TooLarge, Corrupt)):
        unpack_untrusted(data, tmp_path, limits=LIMITS)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) <= LIMITS.total_bytes


def test_mutated_archives_raise_storage_errors_only(tmp_path):
    chance = random.Random(3)
    raw = zlib.decompress(pack(("a", b"hello"), ("d/b", b"x" * 600)), wbits=31)
    for number in range(500):
        mutated = bytearray(raw)
        for _ in range(chance.randrange(1, 6)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            unpack_untrusted(gzip.compress(bytes(mutated), 1), folder, limits=LIMITS)
        except StorageError:
            pass
    assert len(list(tmp_path.iterdir())) == 500


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "blobs")


def result(blobs: BlobStore) -> Manifest:
    return Manifest(
        AttemptId("e-1"),
        3,
        blobs.keep_bytes(b"out\n"),
        blobs.keep_bytes(b""),
        (
            Entry("data", EntryKind.FOLDER, mode=0o755),
            Entry("data/big", EntryKind.FILE, 300_000, blobs.keep_bytes(b"z" * 300_000), 0o755),
            Entry("data/" + "n" * 200, EntryKind.FILE, 1, blobs.keep_bytes(b"1")),
            Entry("data/socket", EntryKind.NOTE),
        ),
    )


def test_a_result_as_bacalhau_lays_it_out(blobs):
    data = b"".join(result_archive(result(blobs), blobs.find))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        contents: dict[str, bytes | None] = {}
        for one in archive:
            file = archive.extractfile(one)
            contents[one.name] = None if file is None else file.read()
        assert archive.getmember("data/big").mode == 0o755
    assert contents == {
        "stdout": b"out\n",
        "stderr": b"",
        "exitCode": b"3",
        "data": None,
        "data/big": b"z" * 300_000,
        "data/" + "n" * 200: b"1",
    }


def test_the_same_bytes_every_time(blobs):
    manifest = result(blobs)
    first, second = (b"".join(result_archive(manifest, blobs.find)) for _ in range(2))
    assert first == second


def test_a_blob_that_is_not_here(blobs):
    manifest = Manifest(AttemptId("e-1"), 0, Digest("ab" * 32), Digest("cd" * 32))
    with pytest.raises(Unavailable):
        b"".join(result_archive(manifest, blobs.find))
