from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.cli.jobfile import parse_document_untrusted
from mesh.edge.strictjson import NotJson

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + at)}: &{chr(98 + at)} [{', '.join([f'*{chr(97 + at)}'] * 9)}]\n" for at in range(8)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Name: a\nCount: 2\n", {"Name": "a", "Count": 2}),
        ('{"Name": "a"}', {"Name": "a"}),
        ("{Name: a,\n Count: 2}", {"Name": "a", "Count": 2}),
        ("\ufeffName: a\n", {"Name": "a"}),
        ("a: yes\nb: on\nc: 12:30:45\n", {"a": "yes", "b": "on", "c": "12:30:45"}),
        ("a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
    ],
)
def test_documents_are_read(text: str, value: object) -> None:
    assert parse_document_untrusted(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "a: 1\n---\nb: 2\n",
        "a: 1\na: 2\n",
        '{"a": 1, "a": 2}',
        "a: !!python/object:os.system x\n",
        "a: !mine x\n",
        "a: &x\n  b: *x\n",
        "a:\n\t- x\n",
        "a: [1, 2\n",
        "1: x\n",
        "a: 2026-01-01\n",
        "a: *nothing\n",
        "[" * 10_000,
        BOMB,
        '{"a": NaN}',
    ],
    ids=range(16),
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(NotJson) as refused:
        parse_document_untrusted(text.encode())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"\x00\x01", "a: b".encode("utf-16")])
def test_what_is_no_text_is_refused(raw: bytes) -> None:
    with pytest.raises(NotJson):
        parse_document_untrusted(raw)


@given(st.text(alphabet="ab:-[]{}&*!|>\n \"'%@`,#?1.~", max_size=40))
def test_nothing_else_is_raised(text: str) -> None:
    try:
        parse_document_untrusted(text.encode())
    except NotJson as refused:
        assert str(refused)  # noqa: PT017
