import random
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from mesh.gossip.events import LinkId
from mesh.node import requests as requests_module
from mesh.node.requests import (
    MAX_PATIENT,
    MAX_SERVED,
    PART_BYTES,
    WAIT_MAX_S,
    LogQuestion,
    Requests,
)
from scheduler import cbor
from scheduler.ids import attempt_id_from_bytes, blob_digest
from storage.blobs import BlobStore
from storage.errors import Unavailable

BLOB = random.Random(1).randbytes(3 * PART_BYTES + 77)
DIGEST = blob_digest(BLOB)
ATTEMPT = attempt_id_from_bytes(b"a" * 16)


class Wire:
    """Two nodes joined in memory by several links; each link may be broken after some answers."""

    def __init__(self, tmp_path: Path, nursery: trio.Nursery) -> None:
        self.limiter: dict[int, int] = {}
        self.questions: list[LogQuestion] = []
        self.log: list[tuple[str, int, list]] = []
        self.asker_blobs = BlobStore(tmp_path / "asker")
        self.holders = {1: BlobStore(tmp_path / "one"), 2: BlobStore(tmp_path / "two")}
        self.asker = Requests(send=self._to_holder, blobs=self.asker_blobs, read_logs=self._no_logs)
        self.servers = {
            link: Requests(
                send=self._to_asker,
                blobs=blobs,
                read_logs=self.read_logs,
                facts=lambda: {"sent_bytes": 7},
            )
            for link, blobs in self.holders.items()
        }
        self._nursery = nursery

    async def start(self) -> None:
        for one in (self.asker, *self.servers.values()):
            await self._nursery.start(one.run)

    async def _no_logs(self, question: LogQuestion):
        raise LookupError("none")

    async def read_logs(self, question: LogQuestion):
        self.questions.append(question)
        if question.attempt != ATTEMPT:
            raise LookupError("not here")
        return [(1, b"out"), (2, b"err")], question.offset + 6, False

    def _to_holder(self, link: LinkId, body: bytes) -> None:
        self.log.append(("ask", link, cbor.decode_untrusted(body, max_bytes=10**7)))
        self.servers[link].frame_untrusted(link, body)

    def _to_asker(self, link: LinkId, body: bytes) -> None:
        left = self.limiter.get(link, 10**9)
        self.limiter[link] = left - 1
        if left <= 0:
            self.asker.link_closed(link)
            return
        self.asker.frame_untrusted(link, body)


@pytest.fixture
async def wire(tmp_path: Path, nursery: trio.Nursery) -> Wire:
    wire = Wire(tmp_path, nursery)
    await wire.start()
    return wire


async def test_blob_comes_in_parts_and_is_kept(wire: Wire) -> None:
    wire.holders[1].keep_bytes(BLOB)
    path, is_new = await wire.asker.fetch_blob(DIGEST, [LinkId(1)])
    assert is_new
    assert path.read_bytes() == BLOB
    assert [question[2][4] for question in wire.log] == [
        0,
        PART_BYTES,
        2 * PART_BYTES,
        3 * PART_BYTES,
    ]
    assert await wire.asker.fetch_blob(DIGEST, []) == (path, False)


async def test_empty_blob(wire: Wire) -> None:
    digest = wire.holders[1].keep_bytes(b"")
    path, _ = await wire.asker.fetch_blob(digest, [LinkId(1)])
    assert path.read_bytes() == b""


async def test_transfer_goes_on_with_the_next_holder_where_it_was(wire: Wire) -> None:
    for blobs in wire.holders.values():
        blobs.keep_bytes(BLOB)
    wire.limiter[1] = 2
    path, _ = await wire.asker.fetch_blob(DIGEST, [LinkId(1), LinkId(2)])
    assert path.read_bytes() == BLOB
    assert [(link, question[4]) for _, link, question in wire.log][2:] == [
        (1, 2 * PART_BYTES),
        (2, 2 * PART_BYTES),
        (2, 3 * PART_BYTES),
    ]


async def test_holder_that_lies_costs_its_bytes_and_nothing_else(wire: Wire) -> None:
    liar = wire.holders[1].path(DIGEST)
    liar.parent.mkdir(exist_ok=True)
    liar.write_bytes(BLOB[:-1] + b"!")
    wire.holders[2].keep_bytes(BLOB)
    path, _ = await wire.asker.fetch_blob(DIGEST, [LinkId(1), LinkId(2)])
    assert path.read_bytes() == BLOB
    assert wire.asker.counters["blobs_corrupt"] == 1


async def test_nobody_has_it(wire: Wire, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is not here"):
        await wire.asker.fetch_blob(DIGEST, [LinkId(1), LinkId(2)])
    with pytest.raises(Unavailable, match="No holder"):
        await wire.asker.fetch_blob(DIGEST, [])
    assert list((tmp_path / "asker" / "partial").iterdir()) == []


async def test_silent_holder_costs_one_step(
    wire: Wire, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire.asker, "_send", lambda link, body: None)
    asked = wire.asker._ask(LinkId(1), [1, b"x" * 32, 0, 1])
    began_s = trio.current_time()
    with pytest.raises(Unavailable, match="did not answer"):
        await asked
    assert trio.current_time() - began_s == requests_module.STEP_S


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [0],
        [0, "size", b""],
        [0, 5, "text"],
        [0, 100, b"x" * 101],
        [0, 100, b""],
        [7],
    ],
)
async def test_nonsense_from_a_holder_is_a_no(wire: Wire, answer: list, monkeypatch) -> None:
    def reply(link: LinkId, body: bytes) -> None:
        number = cbor.decode_untrusted(body, max_bytes=1000)[1]
        wire.asker.frame_untrusted(link, cbor.encode([1, number, *answer]))

    monkeypatch.setattr(wire.asker, "_send", reply)
    if answer:
        with pytest.raises(Unavailable):
            await wire.asker.fetch_blob(DIGEST, [LinkId(1)])
    else:
        wire.asker.frame_untrusted(LinkId(1), cbor.encode([1, 1]))
        assert wire.asker.counters["requests_malformed"] == 1


async def test_holder_that_changes_its_mind_about_the_size(wire: Wire, monkeypatch) -> None:
    sizes = iter([10, 20])

    def reply(link: LinkId, body: bytes) -> None:
        number = cbor.decode_untrusted(body, max_bytes=1000)[1]
        wire.asker.frame_untrusted(link, cbor.encode([1, number, 0, next(sizes), b"abc"]))

    monkeypatch.setattr(wire.asker, "_send", reply)
    with pytest.raises(Unavailable, match="different sizes"):
        await wire.asker.fetch_blob(DIGEST, [LinkId(1)])


async def test_answer_on_another_link_is_not_believed(wire: Wire, monkeypatch) -> None:
    def reply(link: LinkId, body: bytes) -> None:
        number = cbor.decode_untrusted(body, max_bytes=1000)[1]
        wire.asker.frame_untrusted(LinkId(2), cbor.encode([1, number, 0, 0, b""]))
        wire.asker.link_closed(link)

    monkeypatch.setattr(wire.asker, "_send", reply)
    with pytest.raises(Unavailable, match="did not answer"):
        await wire.asker.fetch_blob(DIGEST, [LinkId(1)])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        cbor.encode(5),
        cbor.encode([0, 1]),
        cbor.encode([0, "x", 1]),
        cbor.encode([2, 1, 1]),
    ],
)
async def test_malformed_frames_are_counted(wire: Wire, body: bytes) -> None:
    wire.servers[1].frame_untrusted(LinkId(1), body)
    assert wire.servers[1].counters["requests_malformed"] == 1


@pytest.mark.parametrize(
    "question",
    [
        [9, b"x" * 32, 0, 1],
        [1, b"x", 0, 1],
        [1, b"x" * 32, -1, 1],
        [1, b"x" * 32, 0, -1],
        [1, b"x" * 32],
        [2, b"a" * 16, -1, 1, 0, 0],
        [2, b"a" * 16, 0, 1, -1, 0],
        [2, b"a" * 16, 0, 1, 0, -1],
        [2, b"a" * 16, 2**64 - 1, 1, 0, 0],
        [2, b"b" * 16, 0, 1, 0, 0],
        [2, b"a" * 16, 0, 1],
        [2, "a", 0, 1, 0, 0],
    ],
)
async def test_bad_questions_are_answered_with_a_no(wire: Wire, question: list) -> None:
    with pytest.raises(Unavailable):
        await wire.asker._ask(LinkId(1), question)


async def test_logs_of_another_node(wire: Wire) -> None:
    question = LogQuestion(ATTEMPT, 10, 100, wait_s=60.0, since_ms=1_800_000_000_000)
    parts, after, ended = await wire.asker.fetch_logs(LinkId(1), question)
    assert (list(parts), after, ended) == ([(1, b"out"), (2, b"err")], 16, False)
    assert wire.questions == [replace(question, wait_s=WAIT_MAX_S)]


async def test_facts_of_another_node(wire: Wire) -> None:
    assert await wire.asker.fetch_facts(LinkId(1)) == {"sent_bytes": 7}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([0, {"a": 1, "b": "x", "c": True}], {"a": 1}),
        ([0, {f"n{number}": number for number in range(100)}], 64),
        ([0, 5], None),
        ([0], None),
        ([1, "no"], None),
    ],
)
async def test_facts_are_a_strangers_words(
    wire: Wire, monkeypatch, answer: list, told: object
) -> None:
    def reply(link: LinkId, body: bytes) -> None:
        number = cbor.decode_untrusted(body, max_bytes=1000)[1]
        wire.asker.frame_untrusted(link, cbor.encode([1, number, *answer]))

    monkeypatch.setattr(wire.asker, "_send", reply)
    if told is None:
        with pytest.raises(Unavailable):
            await wire.asker.fetch_facts(LinkId(1))
    else:
        facts = await wire.asker.fetch_facts(LinkId(1))
        assert facts == told or len(facts) == told


@pytest.mark.parametrize(("wait_ms", "room"), [(0, MAX_SERVED), (5000, MAX_PATIENT)])
async def test_one_link_is_served_a_few_questions_at_a_time(
    wire: Wire, monkeypatch, wait_ms: int, room: int
) -> None:
    held = trio.Event()

    async def wait(question: LogQuestion):
        await held.wait()
        return [], 0, True

    server = wire.servers[1]
    monkeypatch.setattr(server, "_read_logs", wait)
    refusals: list[bytes] = []
    monkeypatch.setattr(server, "_send", lambda link, body: refusals.append(body))

    def ask(number: int, wait_ms: int) -> None:
        question = [0, number, 2, b"a" * 16, 0, 1, wait_ms, 0]
        server.frame_untrusted(LinkId(1), cbor.encode(question))

    for number in range(room + 1):
        ask(number, wait_ms)
    assert len(refusals) == 1
    assert b"too many" in refusals[0]
    ask(90, 5000 - wait_ms)
    assert len(refusals) == 1, "those that wait and those that do not have rooms of their own"
    held.set()
    await trio.testing.wait_all_tasks_blocked()
    assert len(refusals) == room + 2
    ask(99, wait_ms)
    await trio.testing.wait_all_tasks_blocked()
    assert b"too many" not in refusals[-1]
