"""The live feed over a real member: snapshots, changes, readers that come, go and lag."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from mesh.edge.feed import KEPT_ENTRIES, TOPICS, Position, read_position_untrusted
from mesh.edge.feed_reader import Picture
from mesh.edge.http.app import make_app
from mesh.edge.http.watch import LINGER_S, Feed, feed_of
from mesh.member.commands import SubmitJob
from tests.mesh.edge.member_doors import MemberDoors
from tests.mesh.edge.test_feed import frames_in
from tests.mesh.member.stage import scripted_job

ALL = frozenset(TOPICS)


@pytest.fixture
def doors(tmp_path: Path) -> MemberDoors:
    return MemberDoors(tmp_path)


class Reader:
    """Takes frames in, one at a time, as slowly as a test wants."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.picture = Picture()
        self.events: list[str] = []
        self.last_id = ""

    async def take(self) -> None:
        """The next bytes."""
        chunk = await anext(self._chunks)
        if chunk.startswith(b":"):
            self.events.append("still here")
            return
        for number, event, data in frames_in(chunk):
            self.last_id = number or self.last_id
            self.events.append(event)
            self.picture.apply(event, data)

    async def whole(self) -> None:
        """Until the first picture is complete."""
        while not self.picture.complete:
            await self.take()

    async def until(self, jobs: int) -> None:
        """Until so many jobs are completed in the picture."""
        while sum(one["State"] == "Completed" for one in self.picture.jobs.values()) < jobs:
            await self.take()


@asynccontextmanager
async def reading(
    feed: Feed, position: Position | None = None, topics: frozenset[str] = ALL, jobs_max: int = 0
) -> AsyncIterator[Reader]:
    async with aclosing(feed.read(position, topics, jobs_max)) as chunks:
        reader = Reader(chunks)
        await reader.take()
        yield reader


async def submit(doors: MemberDoors, **fields: Any) -> None:
    await doors.ask(SubmitJob(scripted_job(**fields)))
    doors.stage.advance(0.05)
    doors.news()


async def test_a_snapshot_and_then_what_changes(doors: MemberDoors, autojump_clock: object) -> None:
    await submit(doors, Name="one")
    async with reading(feed_of(doors)) as reader:
        await reader.whole()
        assert [one["Name"] for one in reader.picture.jobs.values()] == ["one"]
        assert [one["Name"] for one in reader.picture.nodes.values()] == ["a"]
        assert set(reader.events) == {"snapshot"}
        await submit(doors, Name="two")
        await reader.until(2)
        assert "changes" in reader.events
        assert reader.picture.mesh is not None
        assert reader.picture.mesh["Jobs"] == {"Completed": 2}
        assert len(reader.picture.executions) == 2
        assert any("two" in one["Sentence"] for one in reader.picture.events)


async def test_a_reader_goes_on_from_its_last_id(
    doors: MemberDoors, autojump_clock: object
) -> None:
    feed = feed_of(doors)
    async with reading(feed) as reader:
        await reader.whole()
    await submit(doors, Name="one")
    position = read_position_untrusted(reader.last_id)
    async with aclosing(feed.read(position, ALL, 0)) as chunks:
        again = Reader(chunks)
        again.picture = reader.picture
        await again.until(1)
    assert set(again.events) == {"changes"}


async def test_a_reader_that_is_too_slow_gets_a_snapshot(
    doors: MemberDoors, autojump_clock: object
) -> None:
    feed = feed_of(doors)
    async with reading(feed) as slow, reading(feed) as quick:
        await slow.whole()
        assert feed._ring is not None
        for _ in range(KEPT_ENTRIES):
            feed._ring.add(frame_of_nothing())
        await submit(doors, Name="one")
        await quick.until(1)
        slow.events.clear()
        await slow.until(1)
    assert slow.events[0] == "snapshot"


def frame_of_nothing() -> Any:
    from mesh.edge.feed import Parts

    return Parts({"Events": b"[]"})


async def test_when_the_reader_that_gathers_goes_another_does(
    doors: MemberDoors, autojump_clock: object
) -> None:
    feed = feed_of(doors)
    async with reading(feed) as stays:
        await stays.whole()
        gone = trio.CancelScope()

        async def leaves() -> None:
            with gone:
                async with reading(feed) as reader:
                    while True:
                        await reader.take()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leaves)
            await trio.sleep(1)
            nursery.start_soon(stays.until, 1)
            await trio.sleep(1)
            gone.cancel()
            await trio.sleep(1)
            await submit(doors, Name="one")
        assert len(stays.picture.jobs) == 1


async def test_a_quiet_feed_says_that_it_is_still_here(
    doors: MemberDoors, autojump_clock: object
) -> None:
    async with reading(feed_of(doors)) as reader:
        while "still here" not in reader.events:
            await reader.take()
        assert reader.picture.complete


async def test_a_node_that_starts_again_has_ids_of_another_boot(
    doors: MemberDoors, autojump_clock: object
) -> None:
    feed = feed_of(doors)
    async with reading(feed) as reader:
        await reader.whole()
        before = reader.last_id
        doors.stage.kill("a")
        doors.stage.boot("a")
        reader.events.clear()
        await submit(doors, Name="one")
        await reader.until(1)
    assert reader.events[0] == "snapshot"
    assert reader.last_id.partition("-")[0] != before.partition("-")[0]


async def test_without_readers_nothing_is_noted_after_a_while(
    doors: MemberDoors, autojump_clock: object
) -> None:
    async with reading(feed_of(doors)):
        assert doors.listeners
    await trio.sleep(LINGER_S / 2)
    await submit(doors, Name="one")
    assert doors.listeners, "a reader that lost its connection may come back"
    await trio.sleep(LINGER_S)
    await submit(doors, Name="two")
    assert not doors.listeners
    async with reading(feed_of(doors)) as reader:
        await reader.until(2)


async def test_topics_and_the_newest_jobs(doors: MemberDoors, autojump_clock: object) -> None:
    for name in ("one", "two", "three"):
        await submit(doors, Name=name)
    feed = feed_of(doors)
    async with reading(feed, topics=frozenset({"jobs"}), jobs_max=2) as reader:
        await reader.whole()
        assert [one["Name"] for one in reader.picture.jobs.values()] == ["three", "two"]
        assert not reader.picture.nodes
        assert reader.picture.mesh is not None
    async with reading(feed, topics=frozenset({"events"})) as reader:
        assert reader.picture.complete, "events alone need no more than one piece"
        assert not reader.picture.jobs
        assert reader.picture.events


async def test_many_readers_share_a_snapshot(doors: MemberDoors, autojump_clock: object) -> None:
    await submit(doors, Name="one")
    feed = feed_of(doors)
    asked: list[object] = []
    read_watched = doors.read_watched

    async def counted(command: Any) -> Any:
        asked.append(command)
        return await read_watched(command)

    doors.read_watched = counted  # type: ignore[method-assign]
    async with reading(feed):
        alone = len(asked)
    for _ in range(5):
        async with reading(feed):
            pass
    assert len(asked) == alone


@pytest.mark.parametrize(
    ("query", "why"),
    [({"topics": "jobs,moons"}, "topics must be of"), ({"jobs": "-1"}, "jobs must be")],
)
async def test_a_question_that_cannot_be_answered_is_400(
    doors: MemberDoors, query: dict[str, str], why: str
) -> None:
    transport = httpx.ASGITransport(app=make_app(doors))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1234") as client:
        answer = await client.get("/api/v1/mesh/watch", params=query)
    assert answer.status_code == 400
    assert why in answer.json()["Message"]


@pytest.mark.parametrize("others", [0, 1])
async def test_a_snapshot_that_was_read_a_moment_ago_is_brought_up_to_date(
    doors: MemberDoors, autojump_clock: object, others: int
) -> None:
    feed = feed_of(doors)
    async with AsyncExitStack() as stack:
        for _ in range(others):
            await stack.enter_async_context(reading(feed))
        await submit(doors, Name="one")
        async with reading(feed) as first:
            await first.until(1)
        await submit(doors, Name="two")
        async with reading(feed) as second:
            await second.whole()
            assert set(second.events) == {"snapshot"}
            names = [one["Name"] for one in second.picture.jobs.values()]
            assert sorted(names) == ["one", "two"]
            told = [one["Seq"] for one in second.picture.events]
            assert told == list(range(1, told[-1] + 1))
            assert any("(two) was submitted" in one["Sentence"] for one in second.picture.events)
            await submit(doors, Name="three")
            await second.until(3)
            told = [one["Seq"] for one in second.picture.events]
            assert told == list(range(1, told[-1] + 1)), "each once"
