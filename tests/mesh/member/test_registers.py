"""Registers to and from bytes; strangers' bytes raise RegisterError and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.member.registers import (
    MAX_IMAGES,
    MAX_REGISTER_BYTES,
    CapacityRegister,
    DataRegister,
    RegisterError,
    decode_capacity_untrusted,
    decode_data_untrusted,
    encode_capacity,
    encode_data,
)
from scheduler import cbor
from scheduler.ids import blob_digest
from scheduler.jobs import DataEntry, Resources

texts = st.text(max_size=20)
amounts = st.integers(min_value=0, max_value=1 << 50)
capacities = st.builds(
    CapacityRegister,
    capacity=st.builds(Resources, amounts, amounts, amounts, amounts),
    engines=st.dictionaries(texts, texts, max_size=3),
    sources=st.lists(texts, max_size=3).map(tuple),
    publishers=st.lists(texts, max_size=3).map(tuple),
    labels=st.dictionaries(texts, texts, max_size=3),
    roles=st.lists(texts, max_size=3).map(tuple),
    blobs=st.lists(st.binary(max_size=4).map(blob_digest), max_size=3).map(tuple),
    images=st.lists(texts, max_size=3).map(tuple),
    version=texts,
    fold=st.integers(min_value=1, max_value=9),
    load_tenths=st.none() | st.integers(min_value=0, max_value=1_000),
)
offers = st.builds(
    DataRegister,
    entries=st.lists(st.builds(DataEntry, texts, amounts, amounts), max_size=4).map(tuple),
    writable=st.lists(texts, max_size=3).map(tuple),
)


@given(capacities)
def test_a_capacity_register_comes_back_as_it_was(register: CapacityRegister) -> None:
    assert decode_capacity_untrusted(encode_capacity(register)) == register


def test_a_register_of_a_node_that_does_not_tell_its_load_has_none() -> None:
    assert 9 not in cbor.decode_untrusted(encode_capacity(CapacityRegister()), max_bytes=1 << 15)
    assert decode_capacity_untrusted(encode_capacity(CapacityRegister())).load_tenths is None


@given(offers)
def test_a_data_register_comes_back_as_it_was(register: DataRegister) -> None:
    assert decode_data_untrusted(encode_data(register)) == register


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 9), inner, max_size=9)
    ),
    max_leaves=20,
)


@given(st.binary(max_size=64) | values.map(cbor.encode))
def test_anything_else_is_a_register_error(payload: bytes) -> None:
    for decode in (decode_capacity_untrusted, decode_data_untrusted):
        try:
            decode(payload)
        except RegisterError:
            continue


def test_a_later_releases_keys_are_passed_over() -> None:
    body = cbor.decode_untrusted(encode_data(DataRegister()), max_bytes=100)
    assert decode_data_untrusted(cbor.encode({**body, 9: "later"})) == DataRegister()


@pytest.mark.parametrize("body", [{}, {0: [], 1: 3}, {0: [["a", -1, 0]], 1: []}])
def test_what_lacks_or_bends_a_field_is_refused(body: dict[int, object]) -> None:
    with pytest.raises(RegisterError):
        decode_data_untrusted(cbor.encode(body))


def test_a_register_names_the_newest_images_and_fits() -> None:
    names = tuple("i" * 255 for _ in range(200))
    blobs = tuple(blob_digest(bytes([one])) for one in range(100))
    payload = encode_capacity(CapacityRegister(images=("i" * 256, *names), blobs=blobs))
    assert len(payload) < MAX_REGISTER_BYTES
    assert decode_capacity_untrusted(payload).images == names[:MAX_IMAGES]


def test_an_older_node_says_nothing_of_images() -> None:
    body = cbor.decode_untrusted(encode_capacity(CapacityRegister()), max_bytes=1000)
    del body[10]
    assert decode_capacity_untrusted(cbor.encode(body)).images == ()
