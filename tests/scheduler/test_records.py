"""Records to and from bytes, by the one table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import cbor
from scheduler.ids import Dot, attempt_id_from_bytes, job_id_from_bytes, node_id_from_bytes
from scheduler.instant import Hlc
from scheduler.records import (
    KINDS,
    MAX_HLC,
    Kind,
    Record,
    RecordError,
    decode_record_untrusted,
    encode_record,
)

NODE = node_id_from_bytes(b"n" * 16)
DOT = Dot(NODE, 7 << 16, 3)
JOB = job_id_from_bytes(b"j" * 16)
CLAIM = {"job": JOB, "birth": DOT, "term": 1}


def claim(**changes: Any) -> Record:
    return Record(Kind.OWNER_CLAIMED, Hlc(5), DOT, {**CLAIM, **changes})


def test_a_record_comes_back() -> None:
    placed = {
        "job": JOB,
        "birth": DOT,
        "attempt": attempt_id_from_bytes(b"a" * 16),
        "version": DOT,
        "index": 4,
        "number": 2,
        "term": 1,
        "node": NODE,
        "score": -3,
        "next_best": ((NODE, 12),),
        "refusals": {"capacity": 2},
        "reasons": {"fit": 40},
    }
    record = Record(Kind.ATTEMPT_PLACED, Hlc(9), None, placed)
    assert decode_record_untrusted(encode_record(record)) == record


def test_optional_fields_may_be_left_out_or_none() -> None:
    body = {"job": JOB, "birth": DOT, "attempt": attempt_id_from_bytes(b"a" * 16), "state": 3}
    short = Record(Kind.ATTEMPT_OBSERVED, Hlc(1), None, body)
    long = short._replace(body={**body, "reason": None, "exit_code": None})
    assert encode_record(short) == encode_record(long)


def test_our_own_mistakes_are_named() -> None:
    with pytest.raises(RecordError, match="no field"):
        encode_record(claim(colour=1))
    with pytest.raises(RecordError, match="lacks term"):
        encode_record(claim(term=None))


REFUSED_BY_READERS = {
    "a negative term": claim(term=-1),
    "a term that is true": claim(term=True),
    "a clock beyond year 9999": claim()._replace(hlc=Hlc(MAX_HLC + 1)),
    "a kind of a later release": claim()._replace(kind=999),
    "a cause beyond any history": claim()._replace(cause=DOT._replace(seq=1 << 60)),
    "a long reason": Record(
        Kind.STOP_REQUESTED, Hlc(5), None, {"job": JOB, "birth": DOT, "reason": "x" * 5000}
    ),
    "more than a record holds": Record(
        Kind.EPOCH_OPENED,
        Hlc(5),
        None,
        {"builds_on": [(1 << 60, 1 << 50, "ab" * 32)] * 400, "version": "1"},
    ),
}


@pytest.mark.parametrize("what", REFUSED_BY_READERS)
def test_what_readers_would_refuse_is_not_written(what: str) -> None:
    with pytest.raises(RecordError):
        encode_record(REFUSED_BY_READERS[what])


def test_a_kind_of_a_later_release_is_kept_and_read_as_nothing() -> None:
    data = cbor.encode([999, 5, None, {0: "whatever", 7: [1, 2]}])
    assert decode_record_untrusted(data) == Record(999, Hlc(5), None, {})


def test_a_field_of_a_later_release_is_passed_over() -> None:
    kind, hlc, cause, body = cbor.decode_untrusted(encode_record(claim()), max_bytes=1000)
    later = cbor.encode([kind, hlc, cause, {**body, 99: "later"}])
    assert decode_record_untrusted(later) == claim()


BENT = {
    "no list": 3,
    "three": [5, 1, None],
    "kind 0": [0, 1, None, {}],
    "kind text": ["5", 1, None, {}],
    "kind true": [True, 1, None, {}],
    "hlc negative": [5, -1, None, {}],
    "hlc beyond year 9999": [5, MAX_HLC + 1, None, {}],
    "cause no dot": [5, 1, [b"n" * 16, 1], {}],
    "cause short node": [5, 1, [b"n" * 15, 1, 1], {}],
    "body a list": [5, 1, None, []],
    "body empty": [5, 1, None, {}],
    "term negative": [5, 1, None, {0: b"j" * 16, 1: [b"n" * 16, 1, 1], 2: -1}],
    "term 2^63": [5, 1, None, {0: b"j" * 16, 1: [b"n" * 16, 1, 1], 2: 1 << 63}],
    "term true": [5, 1, None, {0: b"j" * 16, 1: [b"n" * 16, 1, 1], 2: True}],
    "cause beyond any history": [5, 1, [b"n" * 16, 1, 1 << 60], {}],
    "job short": [5, 1, None, {0: b"j", 1: [b"n" * 16, 1, 1], 2: 1}],
    "a long reason": [4, 1, None, {0: b"j" * 16, 1: [b"n" * 16, 1, 1], 2: "x" * 5000}],
}


@pytest.mark.parametrize("what", BENT)
def test_no_rule_allows(what: str) -> None:
    with pytest.raises(RecordError):
        decode_record_untrusted(cbor.encode(BENT[what]))


@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_a_record_error(data: bytes) -> None:
    try:
        decode_record_untrusted(data)
    except RecordError:
        return


def test_field_numbers_and_names_are_used_once_in_a_kind() -> None:
    assert set(KINDS) == set(Kind)
    for fields in KINDS.values():
        assert len({field.number for field in fields}) == len(fields)
        assert len({field.name for field in fields}) == len(fields)
