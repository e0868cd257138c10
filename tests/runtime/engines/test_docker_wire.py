"""Answers in pieces, refusals, and nonsense: always an answer or one of two errors."""

from __future__ import annotations

import pytest

from runtime.engines.docker_wire import EngineAway, EngineRefused, JsonLines, ask, asking
from tests.runtime.engines.fake_docker import GONE, SILENT, fake_docker, reply


async def test_a_question_and_its_answer(tmp_path):
    async with fake_docker(tmp_path, {"/x": reply({"A": [1]})}) as (socket, asked):
        assert await ask(socket, "/x", {"filters": '{"a b": 1}'}) == {"A": [1]}
    assert asked == ["/x?filters=%7B%22a+b%22%3A+1%7D"]


async def test_a_refusal_has_the_engine_s_words(tmp_path):
    answers = {"/x": reply({"message": "no space left"}, 500), "/y": b"HTTP/1.0 400 x\r\n\r\nplain"}
    async with fake_docker(tmp_path, answers) as (socket, _):
        for path, status, words in (("/x", 500, "no space left"), ("/y", 400, "plain")):
            with pytest.raises(EngineRefused) as caught:
                await ask(socket, path)
            assert (caught.value.status, caught.value.words) == (status, words)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (GONE, "hung up"),
        (b"HTTP/1.0 200 x\r\n", "hung up"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
        (b"x" * (1 << 20), "no HTTP"),
        (b'HTTP/1.0 200 x\r\n\r\n{"half":', "no JSON"),
        (b"HTTP/1.0 200 x\r\n\r\n\xff", "no JSON"),
        (b"HTTP/1.0 200 x\r\n\r\n" + b" " * (17 << 20), "does not end"),
    ],
)
async def test_nonsense_is_an_engine_that_is_away(tmp_path, raw, said):
    async with fake_docker(tmp_path, {"/x": raw}) as (socket, _):
        with pytest.raises(EngineAway, match=said):
            await ask(socket, "/x")


async def test_silence_ends(tmp_path, autojump_clock):
    async with fake_docker(tmp_path, {"/x": SILENT}) as (socket, _):
        with pytest.raises(EngineAway, match="no answer within 10 s"):
            await ask(socket, "/x")


async def test_no_socket(tmp_path):
    with pytest.raises(EngineAway, match="No such file"):
        await ask(str(tmp_path / "none"), "/x")


async def test_documents_a_line_each(tmp_path):
    lines = b'HTTP/1.0 200 x\r\n\r\n{"a":1}\r\n\r\n{"b":2}\n{"cut'
    async with (
        fake_docker(tmp_path, {"/x": lines}) as (socket, _),
        asking(socket, "GET", "/x") as answer,
    ):
        documents = JsonLines(answer)
        got = [await documents.next() for _ in range(3)]
    assert got == [{"a": 1}, {"b": 2}, None]


async def test_a_line_without_end(tmp_path):
    async with (
        fake_docker(tmp_path, {"/x": b"HTTP/1.0 200 x\r\n\r\n" + b"x" * (2 << 20)}) as (socket, _),
        asking(socket, "GET", "/x") as answer,
    ):
        with pytest.raises(EngineAway, match="one line"):
            await JsonLines(answer).next()
