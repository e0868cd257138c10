"""Ids as text and as bytes."""

from __future__ import annotations

import hashlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import ids

sixteen = st.binary(min_size=16, max_size=16)


@given(sixteen)
def test_ids_come_back_from_their_bytes(raw: bytes) -> None:
    assert ids.node_id_to_bytes(ids.node_id_from_bytes(raw)) == raw
    assert ids.uuid_bytes(ids.job_id_from_bytes(raw)) == raw
    assert ids.uuid_bytes(ids.attempt_id_from_bytes(raw)) == raw


def test_a_node_id_is_the_hash_of_its_key() -> None:
    node = ids.node_id_from_key(b"k" * 32)
    assert ids.node_id_to_bytes(node) == hashlib.sha256(b"k" * 32).digest()[:16]
    assert len(node) == 28
    assert node == node.lower()


@pytest.mark.parametrize(
    "text", ["", "n-", "n-short", "j-" + "a" * 26, "n-" + "a" * 27, "n-" + "1" * 26]
)
def test_what_is_no_node_id_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"node id|base32|alphabet"):
        ids.node_id_to_bytes(ids.NodeId(text))


def test_a_name_made_on_two_sides_is_one_job() -> None:
    assert ids.named_job_id("default", "one") == ids.named_job_id("default", "one")
    assert ids.named_job_id("default", "one") != ids.named_job_id("other", "one")
    assert ids.named_job_id("a", "bc") != ids.named_job_id("ab", "c")


def test_a_key_belongs_to_its_submitter_and_namespace() -> None:
    one = ids.keyed_job_id("default", "me", "k")
    assert one == ids.keyed_job_id("default", "me", "k")
    assert one != ids.keyed_job_id("default", "you", "k")
    assert one != ids.named_job_id("default", "k")


def test_random_ids_come_from_the_generator_that_is_given() -> None:
    assert ids.random_job_id(Random(1)) == ids.random_job_id(Random(1))
    assert ids.random_attempt_id(Random(1)) != ids.random_attempt_id(Random(2))


def test_a_blob_is_named_by_its_hash() -> None:
    assert ids.blob_digest(b"abc") == hashlib.sha256(b"abc").hexdigest()
