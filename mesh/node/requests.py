"""Questions over a link: parts of blobs, and logs of attempts. Pulled by the asker, step by step.

A question is `[0, id, operation, ...]`, its answer `[1, id, status, ...]`; `docs/protocol.md` has
the tables. A transfer that broke off goes on where it was, with the same holder or the next; what
came is checked against the digest that was asked for before it is kept.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from mesh.gossip.events import LinkId
from mesh.node.frames import MAX_FRAME_BYTES
from scheduler import cbor
from scheduler.ids import AttemptId, Digest, attempt_id_from_bytes, uuid_bytes
from storage.blobs import BlobStore, Stage
from storage.errors import Corrupt, TooLarge, Unavailable

PART_BYTES = 256 * 1024
"""Of a blob in one answer: a quarter of a frame, so that a ping behind it waits little."""
STEP_S = 10.0
"""One answer of 256 KiB takes 2 s at 1 Mbit/s; five times that."""
MAX_SERVED = 8
"""Questions of one link answered at a time."""
MAX_LOG_BYTES = 256 * 1024
MAX_FACTS = 64
MAX_OFFSET = (1 << 53) - 1
"""Larger numbers make the system's own calls fail."""

_QUESTION, _ANSWER = 0, 1
_BLOB, _LOGS, _FACTS = 1, 2, 3
_DONE, _REFUSED = 0, 1

WAIT_MAX_S = 5.0
"""Half of a step, so that an answer to a patient question is in time whatever the link takes."""
MAX_PATIENT = 64
"""Questions of one link that wait for output; above that they are answered at once."""


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """A part of one attempt's output."""

    attempt: AttemptId
    offset: int
    limit_bytes: int
    wait_s: float = 0.0
    """How long to wait for output when there is none yet and the attempt is under way."""
    since_ms: int = 0
    """With offset 0: only what was printed from this time on, milliseconds since 1970."""


LogPart = tuple[Sequence[tuple[int, bytes]], int, bool]
"""([(stream, bytes)], next offset, ended); stream 1 is stdout, 2 stderr, 3 the node's
own remarks."""
ReadLogs = Callable[[LogQuestion], Awaitable[LogPart]]


class _Answered(Exception):
    """A question whose answer is no: the sentence goes back to the asker."""


@dataclass
class _Asked:
    """One question of ours that waits."""

    link: LinkId
    done: trio.Event
    answer: list[Any] | None = None


class Requests:
    """Asks and serves. `send` queues one frame body on a link."""

    def __init__(
        self,
        *,
        send: Callable[[LinkId, bytes], None],
        blobs: BlobStore,
        read_logs: ReadLogs,
        facts: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._send = send
        self._blobs = blobs
        self._read_logs = read_logs
        self._facts = facts
        self._ids = itertools.count(1)
        self._asked: dict[int, _Asked] = {}
        self._served: Counter[LinkId] = Counter()
        self._patient: Counter[LinkId] = Counter()
        self._nursery: trio.Nursery | None = None
        self.counters: Counter[str] = Counter()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    async def fetch_blob(self, digest: Digest, links: Sequence[LinkId]) -> tuple[Path, bool]:
        """The blob as a file, from here or from the first of these links that has it whole; and
        whether it is new here.

        Raises Unavailable when none has it, OSError when it cannot be kept here.
        """
        path = self._blobs.path(digest)
        if path.exists():
            return path, False
        here = await trio.to_thread.run_sync(self._blobs.find, digest)
        if here is not None:
            return here, False
        stage = await trio.to_thread.run_sync(self._blobs.stage, digest)
        reasons: list[str] = []
        try:
            for link in links:
                try:
                    await self._pull(link, digest, stage)
                    await trio.to_thread.run_sync(stage.finish)
                    return self._blobs.path(digest), True
                except Unavailable as error:
                    reasons.append(str(error))
                except Corrupt as error:
                    self.counters["blobs_corrupt"] += 1
                    reasons.append(str(error))
                    # Which of the holders lied cannot be told: begin again with the next.
                    stage = await trio.to_thread.run_sync(self._blobs.stage, digest)
        finally:
            stage.discard()
        detail = f" ({'; '.join(reasons)})" if reasons else ""
        raise Unavailable(f"No holder of blob {digest[:12]} can be reached now{detail}.")

    async def fetch_logs(self, link: LinkId, question: LogQuestion) -> LogPart:
        """A part of an attempt's output from its node. Raises Unavailable."""
        wait_ms = int(min(question.wait_s, WAIT_MAX_S) * 1000)
        answer = await self._ask(
            link,
            [
                *(_LOGS, uuid_bytes(question.attempt), question.offset, question.limit_bytes),
                *(wait_ms, question.since_ms),
            ],
        )
        if len(answer) != 3 or type(answer[0]) is not int or type(answer[2]) is not list:
            raise Unavailable("The answer made no sense.")
        parts = [
            (stream, data)
            for stream, data in (
                part for part in answer[2] if type(part) is list and len(part) == 2
            )
            if stream in (1, 2, 3) and type(data) is bytes
        ]
        return parts, answer[0], bool(answer[1])

    async def fetch_facts(self, link: LinkId) -> Mapping[str, int]:
        """Counters of another node's present run, by name. Raises Unavailable."""
        match await self._ask(link, [_FACTS]):
            case [dict(facts)]:
                numbers = ((str(name), one) for name, one in facts.items() if type(one) is int)
                return dict(itertools.islice(numbers, MAX_FACTS))
            case _:
                raise Unavailable("The answer made no sense.")

    def frame_untrusted(self, link: LinkId, body: bytes) -> None:
        """One frame of the request channel. Nonsense is counted."""
        try:
            value = cbor.decode_untrusted(body, max_bytes=MAX_FRAME_BYTES)
        except cbor.CborError:
            value = None
        if type(value) is not list or len(value) < 3 or type(value[1]) is not int:
            self.counters["requests_malformed"] += 1
        elif value[0] == _ANSWER:
            asked = self._asked.get(value[1])
            if asked is not None and asked.link == link:
                asked.answer = value[2:]
                asked.done.set()
        elif value[0] == _QUESTION and self._nursery is not None:
            busy, limit = self._room(value)
            if busy[link] >= limit:
                self._answer(link, value[1], [_REFUSED, "too many questions at a time"])
                return
            busy[link] += 1
            self._nursery.start_soon(self._serve_untrusted, link, value[1], value[2:], busy)
        else:
            self.counters["requests_malformed"] += 1

    def _room(self, value: list[Any]) -> tuple[Counter[LinkId], int]:
        """What a question counts as: one that waits for output takes no room from transfers."""
        patient = value[2] == _LOGS and len(value) > 6 and value[6] != 0
        return (self._patient, MAX_PATIENT) if patient else (self._served, MAX_SERVED)

    def link_closed(self, link: LinkId) -> None:
        """Whoever waits for an answer on it need not."""
        for asked in self._asked.values():
            if asked.link == link:
                asked.done.set()

    async def _pull(self, link: LinkId, digest: Digest, stage: Stage) -> None:
        """Parts from one holder into the stage, from where it is, until the blob is whole."""
        told_bytes: int | None = None
        while told_bytes is None or stage.size_bytes < told_bytes:
            answer = await self._ask(
                link, [_BLOB, bytes.fromhex(digest), stage.size_bytes, PART_BYTES]
            )
            if len(answer) != 2 or type(answer[0]) is not int or type(answer[1]) is not bytes:
                raise Unavailable("The answer made no sense.")
            size_bytes, data = answer
            if told_bytes not in (None, size_bytes) or stage.size_bytes + len(data) > size_bytes:
                raise Unavailable("The holder told different sizes of one blob.")
            if not data and stage.size_bytes < size_bytes:
                raise Unavailable("The holder stopped within the blob.")
            told_bytes = size_bytes
            await trio.to_thread.run_sync(stage.write, data)

    async def _ask(self, link: LinkId, question: list[Any]) -> list[Any]:
        number = next(self._ids)
        asked = self._asked[number] = _Asked(link, trio.Event())
        try:
            self._send(link, cbor.encode([_QUESTION, number, *question]))
            with trio.move_on_after(STEP_S):
                await asked.done.wait()
        finally:
            del self._asked[number]
        if asked.answer is None:
            raise Unavailable("The holder did not answer.")
        status, *rest = asked.answer
        if status != _DONE:
            raise Unavailable(str(rest[0]) if rest else "The holder said no.")
        return rest

    def _answer(self, link: LinkId, number: int, answer: list[Any]) -> None:
        self._send(link, cbor.encode([_ANSWER, number, *answer]))

    async def _serve_untrusted(
        self, link: LinkId, number: int, question: list[Any], busy: Counter[LinkId]
    ) -> None:
        try:
            match question:
                case [1, bytes(raw), int(offset), int(limit)] if len(raw) == 32:
                    answer = await self._serve_blob(Digest(raw.hex()), offset, limit)
                case [2, bytes(raw), int(), int(), int(), int()] if len(raw) == 16:
                    answer = await self._serve_logs(attempt_id_from_bytes(raw), *question[2:])
                case [3]:
                    answer = [dict(self._facts())]
                case _:
                    raise _Answered("that question is not known here")
            self._answer(link, number, [_DONE, *answer])
        except _Answered as error:
            self._answer(link, number, [_REFUSED, str(error)])
        finally:
            busy[link] -= 1
            if not busy[link]:
                del busy[link]

    async def _serve_blob(self, digest: Digest, offset: int, limit: int) -> list[Any]:
        if offset < 0 or limit < 0:
            raise _Answered("offset and limit are not below zero")
        read = partial(read_part, self._blobs, digest, offset, min(limit, PART_BYTES))
        try:
            part = await trio.to_thread.run_sync(read)
        except OSError as error:
            raise _Answered(f"the blob cannot be read here: {error.strerror}") from error
        if part is None:
            raise _Answered(f"blob {digest[:12]} is not here")
        self.counters["blob_bytes_served"] += len(part[1])
        return list(part)

    async def _serve_logs(
        self, attempt: AttemptId, offset: int, limit: int, wait_ms: int, since_ms: int
    ) -> list[Any]:
        if min(offset, limit, wait_ms, since_ms) < 0 or offset > MAX_OFFSET:
            raise _Answered("offset, limit and times are not below zero, and no log is so long")
        wait_s = min(wait_ms / 1000, WAIT_MAX_S)
        question = LogQuestion(attempt, offset, min(limit, MAX_LOG_BYTES), wait_s, since_ms)
        try:
            parts, after, ended = await self._read_logs(question)
        except (OSError, Unavailable, TooLarge, LookupError) as error:
            raise _Answered(f"the logs of {attempt} are not here ({error})") from error
        return [after, ended, [[stream, data] for stream, data in parts]]


def read_part(
    blobs: BlobStore, digest: Digest, offset: int, limit: int
) -> tuple[int, bytes] | None:
    """(size of the blob, bytes from `offset` on), or None when it is not here. Blocks."""
    path = blobs.find(digest)
    if path is None:
        return None
    with path.open("rb") as file:
        size_bytes = file.seek(0, 2)
        file.seek(min(offset, size_bytes))
        return size_bytes, file.read(limit)
