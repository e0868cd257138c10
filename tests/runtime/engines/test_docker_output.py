"""Output without gap or repetition, however it was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engines.docker_output import Demultiplexer, Output
from runtime.logs import Logs
from runtime.outputs import FRAME_HEADER, NOTE, STDERR, STDOUT
from scheduler.ids import AttemptId
from tests.runtime.engines.docker_jobs import job


def framed(parts):
    return b"".join(
        bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for stream, data in parts
    )


def joined(parts, stream):
    return b"".join(data for one, data in parts if one == stream)


PARTS = st.lists(st.tuples(st.sampled_from([0, STDOUT, STDERR]), st.binary(max_size=20)))


@given(PARTS, st.data())
def test_framing_comes_off_wherever_it_is_cut(parts, data):
    raw, got, demultiplexer = framed(parts), [], Demultiplexer()
    while raw:
        size = data.draw(st.integers(1, len(raw)))
        got += demultiplexer.feed(raw[:size])
        raw = raw[size:]
    for stream in (STDOUT, STDERR):
        assert joined(got, stream) == joined(parts, stream)
    assert 0 not in [stream for stream, _ in got]


def log_parts(wanted):
    read = Logs(wanted.log.parent).read(AttemptId("log"), offset=0, limit_bytes=10_000)
    return read.parts


def test_streams_go_to_their_files_and_to_one_log(tmp_path):
    wanted = job(tmp_path)
    output = Output(wanted)
    output.write([(STDOUT, b"out"), (STDERR, b"err"), (STDOUT, b"more")])
    output.close()
    assert wanted.stdout.read_bytes() == b"outmore"
    assert wanted.stderr.read_bytes() == b"err"
    assert log_parts(wanted) == ((STDOUT, b"out"), (STDERR, b"err"), (STDOUT, b"more"))


@pytest.mark.parametrize("again", ["in the same life", "in the next life"])
@pytest.mark.parametrize("limit_bytes", [100, 5])
def test_a_second_reading_adds_what_is_new(tmp_path, again, limit_bytes):
    wanted = job(tmp_path, limit_bytes=limit_bytes)
    output = Output(wanted)
    output.write([(STDOUT, b"abc"), (STDERR, b"x")])
    if again == "in the next life":
        output.close()
        output = Output(wanted)
        output.resume()
    output.begin_again()
    output.write([(STDERR, b"xy"), (STDOUT, b"a"), (STDOUT, b"bcdefgh")])
    output.close()
    assert wanted.stdout.read_bytes() == b"abcdefgh"[:limit_bytes]
    assert wanted.stderr.read_bytes() == b"xy"
    assert (output.stdout.size_bytes, output.stderr.size_bytes) == (8, 2)
    assert output.stdout.tail == b"abcdefgh"
    assert joined(log_parts(wanted), STDOUT) == b"abcdefgh"[:limit_bytes]
    assert (joined(log_parts(wanted), NOTE) != b"") == (limit_bytes < 8), "a cut is said"


@pytest.mark.parametrize(
    "torn",
    [b"", b"\x01", FRAME_HEADER.pack(STDOUT, 4), FRAME_HEADER.pack(STDOUT, 4) + b"wx"],
)
def test_a_torn_end_is_cut_off(tmp_path, torn):
    """The file is written before the log: it may be ahead by one frame."""
    wanted = job(tmp_path)
    output = Output(wanted)
    output.write([(STDOUT, b"abc")])
    output.close()
    with open(wanted.log, "ab") as log, open(wanted.stdout, "ab") as stdout:
        log.write(torn)
        stdout.write(b"wxyz")
    output = Output(wanted)
    output.resume()
    output.begin_again()
    output.write([(STDOUT, b"abcwxyz!")])
    output.close()
    assert wanted.stdout.read_bytes() == b"abcwxyz!"
    assert joined(log_parts(wanted), STDOUT) == b"abcwxyz!"


def test_notes_are_told_apart(tmp_path):
    wanted = job(tmp_path)
    output = Output(wanted)
    output.note("the engine was away")
    output.close()
    assert wanted.stderr.read_bytes() == b"[bacalhau-mesh: the engine was away]\n"
