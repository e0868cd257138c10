from __future__ import annotations

import re

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.http.outgoing import Answer

Headers = list[tuple[bytes, bytes]]
LENGTH = (b"content-length", b"3")


def read(data: bytes, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
    """What a reader of HTTP makes of an answer that is whole."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(data)
    head = reader.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while isinstance(event := reader.next_event(), h11.Data):
        body += bytes(event.data)
    if event is h11.NEED_DATA:
        reader.receive_data(b"")
        event = reader.next_event()
    assert isinstance(event, h11.EndOfMessage)
    return head.status_code, dict(head.headers), body


def test_a_body_whose_length_is_told() -> None:
    answer = Answer()
    data = answer.head(200, [LENGTH, (b"x-one", b"1")], is_last=False)
    assert (answer.begun, answer.whole) == (True, False)
    data += answer.part(b"ab", more=True) + answer.part(b"c", more=False)
    assert answer.whole
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    status, headers, body = read(data)
    assert (status, body, headers[b"x-one"]) == (200, b"abc", b"1")
    assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers[b"date"])
    assert b"connection" not in headers


@given(st.lists(st.binary(max_size=40)))
def test_a_body_in_chunks(pieces: list[bytes]) -> None:
    answer = Answer()
    data = answer.head(200, [], is_last=False)
    data += b"".join(answer.part(one, more=True) for one in pieces)
    data += answer.part(b"", more=False)
    assert read(data)[2] == b"".join(pieces)
    assert answer.whole


def test_an_older_reader_reads_to_the_end() -> None:
    answer = Answer("1.0")
    data = answer.head(200, [], is_last=True) + answer.part(b"all", more=False)
    assert data.endswith(b"connection: close\r\n\r\nall")
    assert b"transfer-encoding" not in data


@pytest.mark.parametrize(
    ("status", "headers", "method"),
    [
        (200, [LENGTH], "HEAD"),
        (200, [], "HEAD"),
        (204, [], "GET"),
        (304, [LENGTH], "GET"),
    ],
)
def test_no_body_where_none_may_be(status: int, headers: Headers, method: str) -> None:
    answer = Answer(is_mute=method == "HEAD")
    data = answer.head(status, headers, is_last=False)
    data += answer.part(b"abc", more=True) + answer.part(b"", more=False)
    assert read(data, method) == (status, read(data, method)[1], b"")
    assert data.endswith(b"\r\n\r\n")
    assert data.count(b"\r\n\r\n") == 1
    assert answer.whole


def test_too_little_is_not_whole_and_too_much_is_not_sent() -> None:
    answer = Answer()
    answer.head(200, [LENGTH], is_last=False)
    answer.part(b"a", more=False)
    assert not answer.whole
    with pytest.raises(ValueError, match="longer"):
        answer.part(b"bcd", more=False)


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nx: y", b"a\rx: y", b"\r\n", b"a\r\n"])
def test_a_header_cannot_hold_another(value: bytes) -> None:
    for header in ((b"a", value), (value, b"a")):
        answer = Answer()
        with pytest.raises(ValueError, match="end of a line"):
            answer.head(200, [header], is_last=False)
        assert not answer.begun
