"""Logs: pages of whole frames, resumable; and the streams of a finished attempt."""

from __future__ import annotations

import os
import random

import pytest

from runtime.logs import LogPage, Logs, read_manifest_output
from runtime.outputs import CLOCK, CLOCK_TIME, FRAME_HEADER, NOTE, STDERR, STDOUT, write_note
from scheduler.ids import AttemptId, Digest
from storage.blobs import BlobStore
from storage.digest import Manifest

ATTEMPT = AttemptId("e-1")


@pytest.fixture
def logs(tmp_path):
    return Logs(tmp_path / "logs")


def append(logs: Logs, stream: int, data: bytes) -> None:
    with open(logs.path(ATTEMPT), "ab") as file:
        file.write(FRAME_HEADER.pack(stream, len(data)) + data)


def read_all(logs: Logs, limit_bytes: int) -> list[tuple[int, bytes]]:
    parts: list[tuple[int, bytes]] = []
    offset = 0
    while (page := logs.read(ATTEMPT, offset=offset, limit_bytes=limit_bytes)).parts:
        parts += page.parts
        offset = page.next_offset
    return parts


def test_nothing_printed(logs):
    assert not logs.exists(ATTEMPT)
    assert logs.read(ATTEMPT, offset=0, limit_bytes=100) == LogPage((), 0)


def test_neighbours_of_one_stream_are_one_part(logs):
    for stream, data in ((STDOUT, b"a"), (STDOUT, b"b"), (STDERR, b"c"), (STDOUT, b"d")):
        append(logs, stream, data)
    page = logs.read(ATTEMPT, offset=0, limit_bytes=1000)
    assert page.parts == ((STDOUT, b"ab"), (STDERR, b"c"), (STDOUT, b"d"))
    assert page.next_offset == logs.path(ATTEMPT).stat().st_size
    append(logs, STDERR, b"later")
    after = logs.read(ATTEMPT, offset=page.next_offset, limit_bytes=1000)
    assert after.parts == ((STDERR, b"later"),)


@pytest.mark.parametrize("limit_bytes", [1, 7, 64, 100_000])
def test_pages_of_any_size_lose_nothing(logs, limit_bytes):
    chance = random.Random(limit_bytes)
    printed = {STDOUT: b"", STDERR: b""}
    for _ in range(200):
        stream, data = chance.choice((STDOUT, STDERR)), chance.randbytes(chance.randrange(1, 90))
        printed[stream] += data
        append(logs, stream, data)
    read = read_all(logs, limit_bytes)
    for stream, data in printed.items():
        assert b"".join(part for one, part in read if one == stream) == data


def test_half_a_frame_waits_for_its_rest(logs):
    append(logs, STDOUT, b"whole")
    with open(logs.path(ATTEMPT), "ab") as file:
        file.write(FRAME_HEADER.pack(STDOUT, 100) + b"half")
    page = logs.read(ATTEMPT, offset=0, limit_bytes=1000)
    assert page.parts == ((STDOUT, b"whole"),)
    assert logs.read(ATTEMPT, offset=page.next_offset, limit_bytes=1000).parts == ()


@pytest.mark.parametrize("limit_bytes", [0, 1, 7, 13, 1000])
def test_clock_frames_are_no_output_and_never_look_like_the_end(logs, limit_bytes):
    for number in range(3):
        append(logs, CLOCK, CLOCK_TIME.pack(number))
        append(logs, CLOCK, CLOCK_TIME.pack(number))
        append(logs, STDOUT, b"%d" % number)
    printed = b"".join(data for _, data in read_all(logs, limit_bytes))
    assert printed == b"012"


@pytest.mark.parametrize(
    ("since_ms", "printed"),
    [(0, b"abc"), (10_999, b"abc"), (11_000, b"bc"), (20_500, b"bc"), (31_000, b"")],
)
def test_output_since_a_time(logs, since_ms, printed):
    for at_ms, data in ((10_000, b"a"), (20_000, b"b"), (30_000, b"c")):
        append(logs, CLOCK, CLOCK_TIME.pack(at_ms))
        append(logs, STDOUT, data)
    offset = logs.offset_since(ATTEMPT, since_ms)
    page = logs.read(ATTEMPT, offset=offset, limit_bytes=1000)
    assert b"".join(data for _, data in page.parts) == printed


def test_since_in_a_log_that_is_not_there_or_torn(logs):
    assert logs.offset_since(ATTEMPT, 5) == 0
    append(logs, STDOUT, b"old")
    with open(logs.path(ATTEMPT), "ab") as file:
        file.write(FRAME_HEADER.pack(CLOCK, 8) + b"to")
    assert logs.offset_since(ATTEMPT, 5) == FRAME_HEADER.size + 3


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden"])
def test_an_id_is_no_path(logs, name):
    with pytest.raises(ValueError, match="not an attempt id"):
        logs.path(AttemptId(name))


@pytest.mark.parametrize("limit_bytes", [1, 3, 100])
def test_output_from_a_manifest(tmp_path, limit_bytes):
    blobs = BlobStore(tmp_path / "blobs")
    manifest = Manifest(ATTEMPT, 0, blobs.keep_bytes(b"out\n"), blobs.keep_bytes(b"err"))
    parts: list[tuple[int, bytes]] = []
    offset = 0
    while True:
        page = read_manifest_output(manifest, blobs.find, offset=offset, limit_bytes=limit_bytes)
        assert page is not None
        if not page.parts:
            break
        parts += page.parts
        offset = page.next_offset
    assert b"".join(part for stream, part in parts if stream == STDOUT) == b"out\n"
    assert b"".join(part for stream, part in parts if stream == STDERR) == b"err"
    assert [stream for stream, _ in parts] == sorted(stream for stream, _ in parts)


def test_output_from_a_manifest_whose_blobs_are_elsewhere(tmp_path):
    blobs = BlobStore(tmp_path / "blobs")
    manifest = Manifest(ATTEMPT, 0, Digest("ab" * 32), Digest("cd" * 32))
    assert read_manifest_output(manifest, blobs.find, offset=0, limit_bytes=10) is None


def test_old_logs_go_and_the_newest_stay(tmp_path):
    logs = Logs(tmp_path / "logs")
    for age_s, name in enumerate(("e-new", "e-old", "e-older", "e-under-way", "e-ancient")):
        logs.path(AttemptId(name)).write_bytes(bytes(100))
        os.utime(logs.path(AttemptId(name)), (1000 - age_s, 1000 - age_s))

    def prune(**bounds):
        return logs.prune(lambda one: one == "e-under-way", 1000, **bounds)

    assert prune() == 0
    assert prune(age_s=3.5) == 1
    assert prune(total_bytes=200) == 1
    assert sorted(one.name for one in (tmp_path / "logs").iterdir()) == [
        "e-new",
        "e-old",
        "e-under-way",
    ]
    assert prune(total_bytes=99) == 2
    assert logs.exists(AttemptId("e-under-way"))


def test_a_note_is_in_the_log_alone(tmp_path):
    logs = Logs(tmp_path / "logs")
    write_note(str(logs.path(AttemptId("e-1"))), "pulling a")
    page = logs.read(AttemptId("e-1"), offset=0, limit_bytes=1000)
    assert page.parts == ((NOTE, b"[bacalhau-mesh: pulling a]\n"),)
