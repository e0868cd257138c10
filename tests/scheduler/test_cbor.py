"""One value, one encoding; strangers' bytes raise CborError and nothing else."""

from __future__ import annotations

import datetime

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import cbor

keys = st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=8) | st.binary(max_size=8)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.text(max_size=40)
    | st.binary(max_size=40)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


@given(values)
def test_a_value_comes_back_from_its_encoding(value: object) -> None:
    assert cbor.decode_untrusted(cbor.encode(value), max_bytes=1 << 20) == value


@given(st.dictionaries(keys, leaves, max_size=6), st.randoms())
def test_the_order_in_which_a_map_was_made_does_not_show(
    value: dict[object, object], random
) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert cbor.encode(dict(items)) == cbor.encode(value)


@pytest.mark.parametrize("value", [{0: {1: 1.5}}, {1.5: 1}, {None: 1}, 1 << 64, [{1 << 64: 1}]])
def test_what_has_no_encoding_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        cbor.encode(value)


def test_keys_stand_in_the_order_of_rfc_8949_not_7049() -> None:
    # 7049 sorts by length first and would put "z" before 1000.
    assert cbor.encode({"z": 1, 1000: 2}) == bytes.fromhex("a2 1903e8 02 617a 01".replace(" ", ""))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_value_or_a_cbor_error(data: bytes) -> None:
    try:
        value = cbor.decode_untrusted(data, max_bytes=64)
    except cbor.CborError:
        return
    assert cbor.encode(value) == data


REFUSED = {
    "a float": cbor2.dumps(1.5),
    "a date": cbor2.dumps(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)),
    "a big integer": cbor2.dumps(1 << 70),
    "an unknown tag": cbor2.dumps(cbor2.CBORTag(999, 1)),
    "a set": cbor2.dumps(cbor2.CBORTag(258, [1])),
    "the self-described tag": b"\xd9\xd9\xf7\x01",
    "an indefinite list": b"\x9f\x01\xff",
    "an indefinite text": b"\x7f\x61a\xff",
    "a repeated key": b"\xa2\x01\x01\x01\x02",
    "keys out of order": b"\xa2\x02\x01\x01\x02",
    "a long form": b"\x18\x01",
    "undefined": b"\xf7",
    "a simple value": b"\xf8\xff",
    "a lone break": b"\xff",
    "nothing": b"",
    "something behind": b"\x01\x01",
    "depth": b"\x81" * 17 + b"\x01",
    "great depth": b"\x81" * 100_000,
    "a list for a key": b"\xa1\x80\x01",
    "half a text": b"\x63ab",
    "no UTF-8": b"\x61\xff",
    "a length of 4 GiB": b"\x5a\xff\xff\xff\xff",
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    with pytest.raises(cbor.CborError):
        cbor.decode_untrusted(REFUSED[what], max_bytes=1 << 20)


def test_the_size_is_looked_at_before_anything_is_parsed() -> None:
    with pytest.raises(cbor.CborError, match="3 bytes where 2"):
        cbor.decode_untrusted(b"\x62ab", max_bytes=2)


@pytest.mark.parametrize("value", [1.5, {1, 2}, object(), 1 << 64, {None: 1}, {True: 1}, {1.0: 1}])
def test_what_has_no_place_in_a_record_cannot_be_encoded(value: object) -> None:
    with pytest.raises(TypeError):
        cbor.encode(value)
