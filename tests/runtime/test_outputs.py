"""Bounded output: files, one log, tails."""

from __future__ import annotations

import pytest

from runtime.outputs import (
    CLOCK,
    CLOCK_TIME,
    FRAME_HEADER,
    NOTE,
    STDERR,
    STDOUT,
    TAIL_BYTES,
    OutputStream,
    read_tail,
)

NOW_MS = 1_800_000_000_000


def frame(stream: int, data: bytes) -> bytes:
    return FRAME_HEADER.pack(stream, len(data)) + data


def clock(now_ms: int) -> bytes:
    return frame(CLOCK, CLOCK_TIME.pack(now_ms))


@pytest.fixture
def streams(tmp_path):
    def make(stream: int, name: str, limit: int = 1000) -> OutputStream:
        path, log = str(tmp_path / name), str(tmp_path / "log")
        return OutputStream(stream, path, log, limit, wall_ms=lambda: NOW_MS)

    return make


def test_silence_makes_no_files(streams, tmp_path):
    stream = streams(STDOUT, "stdout")
    assert stream.write(b"") == 0
    stream.close()
    assert not list(tmp_path.iterdir())
    assert read_tail(str(tmp_path / "stdout")) == (b"", 0)


def test_the_first_byte_makes_the_folder_closed_to_others(tmp_path):
    folder = tmp_path / "attempt"
    stream = OutputStream(STDOUT, str(folder / "stdout"), str(tmp_path / "log"), 1000)
    stream.write(b"one")
    stream.close()
    assert (folder / "stdout").read_bytes() == b"one"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_two_streams_in_files_of_their_own_and_one_log(streams, tmp_path):
    out, err = streams(STDOUT, "stdout"), streams(STDERR, "stderr")
    for stream, data in ((out, b"one"), (err, b"two"), (out, b"three")):
        assert stream.write(data) == len(data)
    out.close()
    err.close()
    assert (tmp_path / "stdout").read_bytes() == b"onethree"
    assert (tmp_path / "stderr").read_bytes() == b"two"
    assert (tmp_path / "log").read_bytes() == b"".join(
        [
            *(clock(NOW_MS), frame(STDOUT, b"one"), clock(NOW_MS), frame(STDERR, b"two")),
            frame(STDOUT, b"three"),
        ]
    )


def test_the_log_tells_the_time_once_a_second(tmp_path):
    times = iter([NOW_MS, NOW_MS + 999, NOW_MS + 1000, NOW_MS + 500, NOW_MS - 600])
    path, log = str(tmp_path / "out"), tmp_path / "log"
    stream = OutputStream(STDOUT, path, str(log), 1000, wall_ms=lambda: next(times))
    for letter in (b"a", b"b", b"c", b"d", b"e"):
        stream.write(letter)
    stream.close()
    a, b, c, d, e = (frame(STDOUT, letter) for letter in (b"a", b"b", b"c", b"d", b"e"))
    first, second, back = clock(NOW_MS), clock(NOW_MS + 1000), clock(NOW_MS - 600)
    assert log.read_bytes() == first + a + b + second + c + d + back + e


def test_beyond_the_limit_is_counted_and_not_kept(streams, tmp_path):
    out = streams(STDOUT, "stdout", limit=10)
    for _ in range(3):
        assert out.write(b"1234567") == 7
    out.close()
    assert (tmp_path / "stdout").read_bytes() == b"1234567123"
    remark = b"[bacalhau-mesh: stdout is kept up to 10 bytes: the rest is not]\n"
    assert (tmp_path / "log").read_bytes() == b"".join(
        [clock(NOW_MS), frame(STDOUT, b"1234567"), frame(STDOUT, b"123"), frame(NOTE, remark)]
    )
    assert out.size_bytes == 21
    assert out.tail == b"1234567" * 3, "the tail is of all that was printed"


def test_tails(streams, tmp_path):
    out = streams(STDOUT, "stdout", limit=1 << 20)
    out.write(b"a" * 3000)
    out.write(b"b" * 100)
    out.close()
    assert out.tail == b"a" * (TAIL_BYTES - 100) + b"b" * 100
    assert read_tail(str(tmp_path / "stdout")) == (out.tail, 3100)


@pytest.mark.parametrize(("kept", "told"), [(10, False), (7, True)])
def test_a_cut_is_told_once_over_all_lives(tmp_path, kept, told):
    path, log = tmp_path / "err", tmp_path / "log"
    stream = OutputStream(STDERR, str(path), str(log), 10, kept_bytes=kept)
    stream.write(b"12345")
    stream.close()
    assert (log.exists() and b"stderr is kept up to" in log.read_bytes()) == told
