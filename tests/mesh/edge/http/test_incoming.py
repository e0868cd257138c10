from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.http.incoming import MAX_HEAD_BYTES, Head, NotHttp, Requests
from tests.mesh.edge.http.wires import HOST

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
Parts = list[Head | bytes | int]


def head(*lines: bytes, first: bytes = b"POST / HTTP/1.1") -> bytes:
    return b"".join(one + b"\r\n" for one in (first, *lines, b""))


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return head(HOST.strip(), *lines) + body


def chunked(body: bytes, *lines: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", *lines, body=body)


def parts_of(*pieces: bytes, ends: bool = False) -> Parts:
    """All parts that these bytes make, and the status of the error at their end."""
    requests = Requests()
    found: Parts = []
    for piece in (*pieces, b"") if ends else pieces:
        requests.take(piece)
        try:
            while (part := requests.next_untrusted()) is not None:
                found.append(part)
        except NotHttp as error:
            found.append(error.status)
            break
    return found


def heads_of(found: Parts) -> list[tuple[str, bytes]]:
    return [(one.method, one.target) for one in found if isinstance(one, Head)]


def one_head(data: bytes) -> Head:
    found = parts_of(data)[0]
    assert isinstance(found, Head)
    return found


# --- what is read ---------------------------------------------------------------------------------


def test_a_head() -> None:
    found = one_head(b"GET /a%2Fb?c=d HTTP/1.1\r\nHost: x\r\nX-One:  1 \t\r\nEmpty:\r\n\r\n")
    assert (found.method, found.target, found.version) == ("GET", b"/a%2Fb?c=d", "1.1")
    assert found.headers == [(b"host", b"x"), (b"x-one", b"1"), (b"empty", b"")]
    assert (found.is_last, found.waits, found.to_socket) == (False, False, False)


def test_bodies_and_what_follows_them() -> None:
    first, second = (
        post(b"Content-Length: 3", body=b"abc"),
        chunked(b"2\r\nde\r\n0\r\nX: y\r\n\r\n"),
    )
    found = parts_of(first + second + GET)
    assert [one for one in found if isinstance(one, bytes)] == [b"abc", b"", b"de", b"", b""]
    assert heads_of(found) == [("POST", b"/"), ("POST", b"/"), ("GET", b"/")]


def test_headers_after_a_body_are_not_those_of_its_head() -> None:
    found = parts_of(chunked(b"0\r\nX-Late: 1\r\n\r\n"))
    assert isinstance(found[0], Head)
    assert [name for name, _ in found[0].headers] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize(
    ("lines", "version", "is_last"),
    [
        ((), b"1.1", False),
        ((b"Connection: keep-alive",), b"1.1", False),
        ((b"Connection: foo, Close",), b"1.1", True),
        ((b"Connection: foo", b"Connection: close"), b"1.1", True),
        ((), b"1.0", True),
        ((b"Connection: keep-alive",), b"1.0", True),
    ],
)
def test_who_wants_nothing_to_follow(
    lines: tuple[bytes, ...], version: bytes, is_last: bool
) -> None:
    assert one_head(head(b"Host: x", *lines, first=b"GET / HTTP/" + version)).is_last is is_last


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_who_waits_to_be_told_to_go_on(version: bytes) -> None:
    lines = (b"Host: x", b"Content-Length: 1", b"Expect: 100-Continue")
    assert one_head(head(*lines, first=b"PUT / HTTP/" + version)).waits is (version == b"1.1")


def test_an_answer_may_come_before_the_body_does() -> None:
    requests = Requests()
    requests.take(post(b"Content-Length: 8", body=b"half"))
    assert isinstance(requests.next_untrusted(), Head)
    assert requests.next_untrusted() == b"half"
    assert requests.next_untrusted() is None
    assert requests.begun
    requests.take(b"more")
    assert [requests.next_untrusted(), requests.next_untrusted()] == [b"more", b""]
    assert not requests.begun


# --- other protocols ------------------------------------------------------------------------------

UPGRADE = b"Connection: keep-alive, Upgrade"


def test_what_follows_a_request_for_a_websocket_is_kept() -> None:
    requests = Requests()
    requests.take(post(UPGRADE, b"Upgrade: WebSocket", body=b"\x81\x82\0\0\0\0hi"))
    found = requests.next_untrusted()
    assert isinstance(found, Head)
    assert found.to_socket
    assert requests.unread == b"\x81\x82\0\0\0\0hi"


def test_a_websocket_without_the_connection_header_is_none() -> None:
    found = parts_of(post(b"Upgrade: websocket") + GET)
    assert heads_of(found) == [("POST", b"/"), ("GET", b"/")]
    assert not any(isinstance(one, Head) and one.to_socket for one in found)


@pytest.mark.parametrize("sized", [True, False])
def test_another_protocol_is_not_taken_up(sized: bool) -> None:
    """Clients of HTTP/2 ask for it with their first request, and go on in HTTP/1.1 without."""
    lines = (UPGRADE, b"Upgrade: h2c", b"HTTP2-Settings: AAMA")
    sent = (
        post(*lines, b"Content-Length: 3", body=b"abc")
        if sized
        else chunked(b"3\r\nabc\r\n0\r\n\r\n", *lines)
    )
    found = parts_of((sent + GET) * 300)
    assert heads_of(found) == [("POST", b"/"), ("GET", b"/")] * 300
    assert [one for one in found if isinstance(one, bytes)] == [b"abc", b"", b""] * 300


# --- what is no request ---------------------------------------------------------------------------

LONG = b"y" * (MAX_HEAD_BYTES + 1)

BAD = {
    "length and chunks": (post(b"Content-Length: 3", b"Transfer-Encoding: chunked"), 400),
    "chunks and length": (post(b"Transfer-Encoding: chunked", b"Content-Length: 3"), 400),
    "two lengths": (post(b"Content-Length: 1", b"Content-Length: 2"), 400),
    "one length twice": (post(b"Content-Length: 1", b"Content-Length: 1"), 400),
    "a list of lengths": (post(b"Content-Length: 1, 1"), 400),
    "length with a sign": (post(b"Content-Length: +1"), 400),
    "negative length": (post(b"Content-Length: -1"), 400),
    "hexadecimal length": (post(b"Content-Length: 0x1"), 400),
    "length beyond 64 bits": (post(b"Content-Length: 99999999999999999999999"), 400),
    "empty length": (post(b"Content-Length: "), 400),
    "blank before a colon": (post(b"Content-Length : 1"), 400),
    "blank in a name": (post(b"Content Length: 1"), 400),
    "no name": (post(b": 1"), 400),
    "name with a bracket": (post(b"A(b: 1"), 400),
    "folded": (post(b"A: b", b" c"), 400),
    "folded at the start": (head(b" A: b", HOST.strip()), 400),
    "bare line feed after the first line": (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
    "bare line feed in the head": (post(b"A: b\nContent-Length: 1"), 400),
    "bare line feed at its end": (b"GET / HTTP/1.1\r\nHost: x\r\n\n", 400),
    "bare carriage return": (post(b"A: b\rContent-Length: 1"), 400),
    "NUL": (post(b"A: b\0c"), 400),
    "control character": (post(b"A: b\x01c"), 400),
    "compressed body": (post(b"Transfer-Encoding: gzip"), 501),
    "compressed chunks": (post(b"Transfer-Encoding: gzip, chunked"), 501),
    "chunks that are not last": (post(b"Transfer-Encoding: chunked, gzip"), 400),
    "chunks of chunks": (post(b"Transfer-Encoding: chunked, chunked"), 400),
    "chunks twice": (post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
    "unknown coding": (post(b"Transfer-Encoding: xchunked"), 501),
    "empty coding": (post(b"Transfer-Encoding: "), 400),
    "no host": (head(), 400),
    "two hosts": (post(b"Host: y"), 400),
    "chunk of no size": (chunked(b"zz\r\n"), 400),
    "chunk of negative size": (chunked(b"-1\r\n"), 400),
    "chunk size with a prefix": (chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    "chunk size beyond 64 bits": (chunked(b"f" * 17 + b"\r\n"), 400),
    "chunk size with a bare line feed": (chunked(b"3\nabc\r\n0\r\n\r\n"), 400),
    "chunk with a bare line feed": (chunked(b"3\r\nabc\n0\r\n\r\n"), 400),
    "chunk longer than its size": (chunked(b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    "length after chunks": (chunked(b"0\r\nContent-Length: 3\r\n\r\n"), 400),
    "blank in the address": (head(HOST.strip(), first=b"GET /a b HTTP/1.1"), 400),
    "address beyond ASCII": (head(HOST.strip(), first=b"GET /\xff HTTP/1.1"), 400),
    "unknown method": (head(HOST.strip(), first=b"FETCH / HTTP/1.1"), 400),
    "method in lower case": (head(HOST.strip(), first=b"get / HTTP/1.1"), 400),
    "blank at the end of the line": (head(HOST.strip(), first=b"GET / HTTP/1.1 "), 400),
    "a proxy's method": (head(HOST.strip(), first=b"CONNECT x:1 HTTP/1.1"), 501),
    "version 0.9": (head(HOST.strip(), first=b"GET / HTTP/0.9"), 505),
    "no version": (b"GET /\r\n\r\n", 505),
    "version 1.2": (head(HOST.strip(), first=b"GET / HTTP/1.2"), 400),
    "version 2": (head(HOST.strip(), first=b"GET / HTTP/2.0"), 505),
    "version 2, known before": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "long value": (post(b"A: " + LONG), 431),
    "long name": (post(LONG + b": b"), 431),
    "long address": (head(HOST.strip(), first=b"GET /" + LONG + b" HTTP/1.1"), 431),
    "long in all": (post(*[b"A: " + b"y" * 100] * 200), 431),
    "long and not at its end": (b"GET / HTTP/1.1\r\nA: " + LONG, 431),
    "long after the chunks": (chunked(b"0\r\n" + b"A: b\r\n" * MAX_HEAD_BYTES), 431),
}


@pytest.mark.parametrize(("sent", "status"), BAD.values(), ids=BAD)
def test_what_is_no_request(sent: bytes, status: int) -> None:
    """It is found out however it is cut, and nothing that follows is taken for a request."""
    for found in (
        parts_of(sent + GET),
        parts_of(GET + sent + GET)[2:],
        parts_of(*(sent[at : at + 7] for at in range(0, len(sent), 7)), GET),
    ):
        assert found[-1] == status
        assert len(heads_of(found)) <= 1
        assert b"" not in found


@pytest.mark.parametrize("sent", [b"\r\n" * MAX_HEAD_BYTES, chunked(b"1;" + LONG + LONG)])
def test_what_makes_no_part_is_not_read_for_ever(sent: bytes) -> None:
    assert parts_of(*(sent[at : at + 999] for at in range(0, len(sent), 999)))[-1] == 431


@pytest.mark.parametrize("sent", [GET[:1], GET[:-1], post(b"Content-Length: 2", body=b"a")])
def test_what_breaks_off(sent: bytes) -> None:
    assert parts_of(sent, ends=True)[-1] == 400


@pytest.mark.parametrize("sent", [b"", b"\r\n", GET, GET + b"\r\n", GET + GET])
def test_an_end_between_requests_is_no_trouble(sent: bytes) -> None:
    assert 400 not in parts_of(sent, ends=True)


# --- laws -----------------------------------------------------------------------------------------

PIECES = [
    GET,
    post(b"Content-Length: 5", body=b"hello"),
    chunked(b"5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX: y\r\n\r\n"),
    post(UPGRADE, b"Upgrade: h2c", b"Content-Length: 2", body=b"ok"),
    b"\r\n",
    post(b"A: b\0"),
    b"nonsense",
    b"\r\n\r\n",
]


def joined(found: Parts) -> Parts:
    """With the pieces of each body put together."""
    whole: Parts = []
    for part in found:
        last = whole[-1] if whole else None
        if isinstance(part, bytes) and part and isinstance(last, bytes) and last:
            whole[-1] = last + part
        else:
            whole.append(part)
    return whole


@given(st.lists(st.sampled_from(PIECES), max_size=5), st.lists(st.integers(1, 60), max_size=40))
def test_how_it_is_cut_makes_no_difference(sent: list[bytes], sizes: list[int]) -> None:
    data, cut = b"".join(sent), []
    rest = data
    for size in sizes:
        cut.append(rest[:size])
        rest = rest[size:]
    pieces = [one for one in (*cut, rest) if one]
    assert joined(parts_of(*pieces, ends=True)) == joined(parts_of(data, ends=True))


@given(st.lists(st.sampled_from([*PIECES, b"GET / HTTP/", b":"]) | st.binary(max_size=9)))
def test_nothing_but_a_sentence_comes_of_nonsense(sent: list[bytes]) -> None:
    parts_of(*(one for one in sent if one), ends=True)
