"""Types of fields: what is written is what readers take, and nothing else is either."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.ids import Dot, attempt_id_from_bytes, job_id_from_bytes, node_id_from_bytes
from scheduler.record_fields import (
    ATTEMPT,
    BLOB,
    COUNTER,
    CUT_OFF,
    DIGEST,
    DOT,
    DOTS,
    EPOCH,
    JOB,
    MAX_COUNTER,
    MAX_LIST_ITEMS,
    MAX_RECORD_BYTES,
    MAX_TEXT_BYTES,
    NODE,
    SIGNED,
    TEXT,
    FieldType,
    text_map,
)

AUTHOR = node_id_from_bytes(b"n" * 16)
COUNTS = text_map(COUNTER)

TAKEN: dict[str, tuple[FieldType, Any]] = {
    "the greatest counter": (COUNTER, MAX_COUNTER),
    "the least signed": (SIGNED, -MAX_COUNTER),
    "the longest text": (TEXT, "é" * (MAX_TEXT_BYTES // 2)),
    "the longest blob": (BLOB, b"x" * MAX_RECORD_BYTES),
    "a node": (NODE, AUTHOR),
    "a job": (JOB, job_id_from_bytes(b"j" * 16)),
    "an attempt": (ATTEMPT, attempt_id_from_bytes(b"a" * 16)),
    "a digest": (DIGEST, "ab" * 32),
    "the last dot": (DOT, Dot(AUTHOR, (1 << 64) - 1, MAX_COUNTER)),
    "no dots": (DOTS, ()),
    "a cut-off": (CUT_OFF, ((1, 2), (3, 4))),
    "counts": (COUNTS, {"fit": 1}),
}


@pytest.mark.parametrize("what", TAKEN)
def test_what_is_written_comes_back(what: str) -> None:
    type_, noun = TAKEN[what]
    assert type_.load_untrusted(type_.dump(noun)) == noun


NOT_WRITTEN: dict[str, tuple[FieldType, Any]] = {
    "a counter too great": (COUNTER, MAX_COUNTER + 1),
    "a counter that is true": (COUNTER, True),
    "an epoch below 0": (EPOCH, -1),
    "a signed integer too small": (SIGNED, -MAX_COUNTER - 1),
    "a text too long": (TEXT, "é" * (MAX_TEXT_BYTES // 2) + "x"),
    "a text of bytes": (TEXT, b"x"),
    "a blob too long": (BLOB, b"x" * (MAX_RECORD_BYTES + 1)),
    "a node of another length": (NODE, "n-abc"),
    "a job that is none": (JOB, "j-1"),
    "a short digest": (DIGEST, "ab" * 31),
    "a dot beyond any history": (DOT, Dot(AUTHOR, 1, MAX_COUNTER + 1)),
    "a dot of no epoch": (DOT, Dot(AUTHOR, 1 << 64, 1)),
    "too many dots": (DOTS, (Dot(AUTHOR, 1, 1),) * (MAX_LIST_ITEMS + 1)),
    "a cut-off of three": (CUT_OFF, ((1, 2, 3),)),
    "too many counts": (COUNTS, {str(one): 1 for one in range(MAX_LIST_ITEMS + 1)}),
    "a count by a long name": (COUNTS, {"x" * (MAX_TEXT_BYTES + 1): 1}),
    "a count below 0": (COUNTS, {"fit": -1}),
}


@pytest.mark.parametrize("what", NOT_WRITTEN)
def test_what_no_reader_takes_is_not_written(what: str) -> None:
    type_, noun = NOT_WRITTEN[what]
    with pytest.raises(ValueError, match=r"."):
        type_.dump(noun)


NOT_READ: dict[str, tuple[FieldType, Any]] = {
    "a short node": (NODE, b"n" * 15),
    "a digest in text": (DIGEST, "ab" * 32),
    "a dot of two": (DOT, [b"n" * 16, 1]),
    "a dot of a short author": (DOT, [b"n" * 15, 1, 1]),
    "a dot of no epoch": (DOT, [b"n" * 16, 1 << 64, 1]),
    "a dot with a true seq": (DOT, [b"n" * 16, 1, True]),
    "dots in a map": (DOTS, {}),
    "too many dots": (DOTS, [[b"n" * 16, 1, 1]] * (MAX_LIST_ITEMS + 1)),
    "a cut-off of three": (CUT_OFF, [[1, 2, 3]]),
    "counts in a list": (COUNTS, [1]),
    "a count by a number": (COUNTS, {1: 1}),
}


@pytest.mark.parametrize("what", NOT_READ)
def test_what_no_rule_allows_is_not_read(what: str) -> None:
    type_, wire = NOT_READ[what]
    with pytest.raises(ValueError, match=r"."):
        type_.load_untrusted(wire)


@given(st.binary(min_size=16, max_size=16), st.integers(0, (1 << 64) - 1), st.integers(0, 1 << 53))
def test_a_dot_is_written_as_it_is_read(author: bytes, epoch: int, seq: int) -> None:
    wire = [author, epoch, min(seq, MAX_COUNTER)]
    assert DOT.dump(DOT.load_untrusted(wire)) == wire
