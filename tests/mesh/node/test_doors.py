from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from mesh.gossip.events import LinkId
from mesh.member.commands import GetJob, JobReading, ListJobs, Problem
from mesh.member.events import Answer, BlobKept, Changed, CommandReceived
from mesh.node.doors import RESTARTING, BlobUnavailable, Doors, NodeStatus, disk_full
from mesh.node.requests import LogQuestion
from scheduler.ids import AttemptId, JobId, NodeId, blob_digest
from scheduler.jobs import JobState
from storage.blobs import BlobStore
from storage.errors import Unavailable

ME, OTHER, THIRD = NodeId("n-me"), NodeId("n-other"), NodeId("n-third")
JOB = JobId("j-1")
ATTEMPT = AttemptId("e-1")


class FakeRequests:
    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Any = Unavailable("No holder.")

    async def fetch_blob(self, digest: str, links: list[LinkId]) -> Any:
        self.asked.append(list(links))
        return self._give()

    async def fetch_logs(self, link: LinkId, question: LogQuestion) -> Any:
        self.asked.append((link, question))
        return self._give()

    async def fetch_facts(self, link: LinkId) -> Any:
        return self._give()

    def _give(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Room:
    def __init__(self, folder: Path) -> None:
        self.posted: list[Any] = []
        self.requests = FakeRequests()
        self.links = {OTHER: LinkId(7), THIRD: LinkId(8)}
        self.doors = Doors(
            status=NodeStatus(ME, "me", "00", "1", folder, (), (), 0),
            post=self.posted.append,
            blobs=BlobStore(folder),
            requests=cast(Any, self.requests),
            links=lambda: self.links,
            read_logs=self._read_logs,
            facts=lambda: {"here": 1},
        )

    async def _read_logs(self, question: LogQuestion) -> Any:
        return [(1, b"here")], question.offset + 4, True

    def answer(self, reply: Any) -> None:
        """The member answers the oldest command that waits."""
        command = next(one for one in self.posted if type(one) is CommandReceived)
        self.posted.remove(command)
        self.doors.answered(Answer(command.token, reply))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "blobs")


def reading(revision: int) -> JobReading:
    return JobReading(
        JOB, "", "default", None, JobState.PENDING, "", False, 1, revision, 0, 0, None, ME, {}
    )


async def test_each_command_gets_its_own_answer(room: Room, nursery) -> None:
    replies: dict[str, Any] = {}

    async def ask(name: str) -> None:
        replies[name] = await room.doors.ask(GetJob(name))

    nursery.start_soon(ask, "a")
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(ask, "b")
    await trio.testing.wait_all_tasks_blocked()
    first, second = room.posted
    room.doors.answered(Answer(second.token, f"for {second.command.job}"))
    room.doors.answered(Answer(first.token, f"for {first.command.job}"))
    room.doors.answered(Answer(999, "nobody asked"))
    await trio.testing.wait_all_tasks_blocked()
    assert replies == {"a": "for a", "b": "for b"}


async def test_what_can_be_read_at_once_takes_no_turn(room: Room) -> None:
    doors = Doors(
        status=room.doors.status,
        post=room.posted.append,
        blobs=BlobStore(room.doors.status.data_dir),
        requests=cast(Any, room.requests),
        links=dict,
        read_logs=room._read_logs,
        read=lambda command: reading(7) if isinstance(command, GetJob) else None,
    )
    assert await doors.ask(GetJob(JOB)) == reading(7)
    assert room.posted == []
    with trio.move_on_after(0):
        await doors.ask(ListJobs())
    assert [one.command for one in room.posted] == [ListJobs()]


async def test_member_that_is_gone_answers_with_a_problem(room: Room, nursery) -> None:
    replies: list[Any] = []

    async def ask() -> None:
        replies.append(await room.doors.ask(GetJob("x")))
        await room.doors.wait_job_changed(JOB, 0)
        replies.append(None)

    nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    room.doors.restarting()
    await trio.testing.wait_all_tasks_blocked()
    assert replies == [RESTARTING]
    room.answer(Problem("NotFound", "no such job"))
    await trio.testing.wait_all_tasks_blocked()
    room.doors.restarting()
    await trio.testing.wait_all_tasks_blocked()
    assert replies == [RESTARTING, None]


@pytest.mark.parametrize(
    ("known", "revision", "waits"),
    [
        (reading(3), 3, True),
        (reading(3), 2, False),
        (Problem("NotFound", "no"), 0, True),
        (Problem("NotFound", "no"), 1, False),
    ],
    ids=["unchanged", "changed before", "unknown", "gone"],
)
async def test_waiting_for_a_change(
    room: Room, nursery, known: Any, revision: int, waits: bool
) -> None:
    done = trio.Event()

    async def wait() -> None:
        await room.doors.wait_job_changed(JOB, revision)
        done.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    room.answer(known)
    await trio.testing.wait_all_tasks_blocked()
    assert done.is_set() is not waits
    room.doors.changed(Changed(jobs=("j-other",)))
    await trio.testing.wait_all_tasks_blocked()
    assert done.is_set() is not waits
    room.doors.changed(Changed(jobs=(JOB,)))
    await trio.testing.wait_all_tasks_blocked()
    assert done.is_set()
    assert room.doors._watches == {}


async def test_change_between_the_question_and_its_answer_is_not_missed(
    room: Room, nursery
) -> None:
    done = trio.Event()

    async def wait() -> None:
        await room.doors.wait_job_changed(JOB, 3)
        done.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    room.doors.changed(Changed(jobs=(JOB,)))
    room.answer(reading(3))
    await trio.testing.wait_all_tasks_blocked()
    assert done.is_set()


async def test_waiter_that_goes_away_leaves_nothing(room: Room) -> None:
    with trio.move_on_after(0):
        await room.doors.wait_job_changed(JOB, 0)
    assert room.doors._watches == {}
    assert room.doors._asks == {}


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_blob_from_a_client(room: Room) -> None:
    digest = blob_digest(b"abcdef")
    assert room.doors.blob_path(digest) is None
    assert await room.doors.keep_blob(digest, chunks(b"abc", b"def"), limit_bytes=6) == 6
    path = room.doors.blob_path(digest)
    assert path is not None
    assert path.read_bytes() == b"abcdef"
    assert room.posted == [BlobKept(digest)]


@pytest.mark.parametrize(
    ("data", "words"), [(b"abcdeX", "digest"), (b"abcdefg", "More than the 6 bytes")]
)
async def test_bad_blob_from_a_client_leaves_nothing(
    room: Room, tmp_path: Path, data: bytes, words: str
) -> None:
    digest = blob_digest(b"abcdef")
    with pytest.raises(ValueError, match=words):
        await room.doors.keep_blob(digest, chunks(data), limit_bytes=6)
    assert room.posted == []
    assert list((tmp_path / "blobs" / "partial").iterdir()) == []


async def test_holders_are_asked_first_then_every_peer(room: Room, tmp_path: Path) -> None:
    digest = blob_digest(b"x")
    room.requests.answer = (tmp_path / "x", True)
    assert await room.doors.fetch_blob(digest, [THIRD, NodeId("n-away")]) == tmp_path / "x"
    assert room.requests.asked == [[LinkId(8), LinkId(7)]]
    assert room.posted == [BlobKept(digest)]


async def test_blob_that_nobody_has_names_its_holders(room: Room) -> None:
    with pytest.raises(BlobUnavailable, match="Known holders: n-away"):
        await room.doors.fetch_blob(blob_digest(b"x"), [NodeId("n-away")])


async def test_logs_here_there_and_nowhere(room: Room) -> None:
    assert await room.doors.read_logs(ATTEMPT, ME, offset=5, limit=9) == ([(1, b"here")], 9, True)
    room.requests.answer = ([(2, b"there")], 12, False)
    there = await room.doors.read_logs(ATTEMPT, OTHER, offset=5, limit=9, wait_s=2.0, since_ms=1000)
    assert there == room.requests.answer
    assert room.requests.asked == [(LinkId(7), LogQuestion(ATTEMPT, 5, 9, 2.0, 1000))]
    with pytest.raises(BlobUnavailable, match="n-away cannot be reached"):
        await room.doors.read_logs(ATTEMPT, NodeId("n-away"), offset=0, limit=9)


async def test_facts_here_there_and_nowhere(room: Room) -> None:
    assert await room.doors.read_facts(ME) == {"here": 1}
    assert await room.doors.read_facts(NodeId("n-away")) is None
    assert await room.doors.read_facts(OTHER) is None, "it does not answer"
    room.requests.answer = {"there": 2}
    assert await room.doors.read_facts(OTHER) == {"there": 2}


async def test_a_full_disk_is_what_everybody_is_told_until_there_is_a_member_again(
    room: Room,
) -> None:
    full = disk_full("The disk that holds /x is full; free some space.")
    assert full.status == 507
    changes: list[Changed] = []
    room.doors.listeners.append(changes.append)
    room.doors.restarting(full)
    for _ in range(2):
        assert await room.doors.ask(GetJob(JOB)) == full
    assert room.posted == [], "nobody reads it"
    room.doors.restarted()
    assert changes == [Changed(), Changed()]
    with trio.move_on_after(0):
        await room.doors.ask(GetJob(JOB))
    assert len(room.posted) == 1
