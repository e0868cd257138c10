"""Result manifests: one encoding, and nothing believed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import cbor
from scheduler.ids import AttemptId, Digest
from storage.digest import (
    Entry,
    EntryKind,
    Manifest,
    ManifestError,
    check_path_untrusted,
    decode_manifest_untrusted,
    encode_manifest,
)

ONE, TWO = Digest("11" * 32), Digest("22" * 32)
MANIFEST = Manifest(
    attempt=AttemptId("e-11111111-1111-1111-1111-111111111111"),
    exit_code=0,
    stdout=ONE,
    stderr=TWO,
    entries=(
        Entry("out", EntryKind.FOLDER, mode=0o755),
        Entry("out/a b.txt", EntryKind.FILE, 5, ONE, 0o644),
        Entry("out/link", EntryKind.NOTE),
    ),
)
GOLDEN = (
    "a60001017826652d31313131313131312d313131312d313131312d313131312d31313131313131313131313102"
    "0003582011111111111111111111111111111111111111111111111111111111111111110458202222222222222"
    "222222222222222222222222222222222222222222222222222058385636f75740100f61901ed856b6f75742f6120"
    "622e74787400055820111111111111111111111111111111111111111111111111111111111111111"
    "11901a485686f75742f6c696e6b0200f61901a4"
)


def test_round_trip():
    assert decode_manifest_untrusted(encode_manifest(MANIFEST)) == MANIFEST


def test_golden_bytes():
    assert encode_manifest(MANIFEST).hex() == GOLDEN


def test_golden_bytes_stand_in_the_protocol():
    page = Path(__file__).parents[2] / "docs" / "protocol.md"
    assert f"`{GOLDEN}`" in page.read_text()


def test_entries_are_put_in_order():
    shuffled = replace(MANIFEST, entries=tuple(reversed(MANIFEST.entries)))
    assert encode_manifest(shuffled) == encode_manifest(MANIFEST)


def test_digests_each_once():
    assert list(MANIFEST.digests()) == [ONE, TWO]


@pytest.mark.parametrize("exit_code", [None, 0, 255, -1])
def test_exit_codes(exit_code):
    manifest = replace(MANIFEST, exit_code=exit_code)
    assert decode_manifest_untrusted(encode_manifest(manifest)).exit_code == exit_code


@pytest.mark.parametrize(
    "entries",
    [
        (Entry("out/a", EntryKind.FILE, 1, ONE),),
        (Entry("a", EntryKind.FILE, 1, ONE), Entry("a", EntryKind.FILE, 1, ONE)),
        (Entry("a", EntryKind.FILE, 1, ONE), Entry("a/b", EntryKind.FILE, 1, ONE)),
        (Entry("a", EntryKind.FILE, 1, None),),
        (Entry("a", EntryKind.FOLDER, 0, ONE),),
        (Entry("a", EntryKind.FILE, -1, ONE),),
        (Entry("a", EntryKind.FILE, 1, ONE, 0o4755),),
        (Entry("a", EntryKind.FILE, 1, ONE, 0o777),),
    ],
)
def test_entries_that_make_no_tree(entries):
    with pytest.raises(ManifestError):
        encode_manifest(replace(MANIFEST, entries=entries))


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\0b", "x" * 5000, 7, None]
)
def test_paths_that_lead_astray(path):
    with pytest.raises(ManifestError):
        check_path_untrusted(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (0, 2), (0, True), (1, b"e-1"), (1, ""), (2, 1 << 31), (2, "0"), (3, b"short"),
        (4, "11" * 32), (5, None), (5, [["a"]]), (5, [["a", 3, 0, None, 0]]), (5, ["a"]),
    ],
)  # fmt: skip
def test_fields_that_are_not_what_they_should_be(key, value):
    document = cbor.decode_untrusted(encode_manifest(MANIFEST), max_bytes=10_000)
    document[key] = value
    with pytest.raises(ManifestError):
        decode_manifest_untrusted(cbor.encode(document))


def test_a_missing_field():
    document = cbor.decode_untrusted(encode_manifest(MANIFEST), max_bytes=10_000)
    del document[4]
    with pytest.raises(ManifestError):
        decode_manifest_untrusted(cbor.encode(document))


def test_later_fields_are_passed_over():
    document = cbor.decode_untrusted(encode_manifest(MANIFEST), max_bytes=10_000)
    document[6] = "from a later release"
    assert decode_manifest_untrusted(cbor.encode(document)) == MANIFEST


def test_mutated_bytes_raise_one_error():
    chance, data = random.Random(5), encode_manifest(MANIFEST)
    for _ in range(2000):
        mutated = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        cut = mutated[: chance.randrange(len(mutated))] if chance.random() < 0.2 else mutated
        try:
            decode_manifest_untrusted(bytes(cut))
        except ManifestError:
            pass


@given(st.binary(max_size=200))
def test_any_bytes_raise_one_error(data):
    with pytest.raises(ManifestError):
        decode_manifest_untrusted(data)
