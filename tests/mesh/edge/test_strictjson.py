from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.strictjson import NotJson, parse_json_untrusted

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_read(value: object) -> None:
    try:
        raw = json.dumps(value).encode()
    except UnicodeEncodeError:
        return
    if "\\ud" not in json.dumps(value).lower():
        assert parse_json_untrusted(raw) == value


@given(st.binary(max_size=60))
def test_bytes_raise_nothing_else(raw: bytes) -> None:
    with suppress(NotJson):
        parse_json_untrusted(raw)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "empty"),
        (b"\xff", "UTF-8"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b"[NaN]", "NaN"),
        (b"[-1e999]", "too large"),
        (b'["\\udc00"]', "surrogate"),
        (b"[" * 100_000, "deeply"),
        (b"[1,]", "line 1"),
    ],
)
def test_refusals_say_why(raw: bytes, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        parse_json_untrusted(raw)


def test_a_whole_surrogate_pair_is_a_letter() -> None:
    assert parse_json_untrusted(b'"\\ud83d\\udc1f"') == "\U0001f41f"
