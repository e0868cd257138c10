"""The feed of one job, over a real member and over doors that say when something changes."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from mesh.edge.feed import TOPICS
from mesh.edge.http.app import make_app
from mesh.edge.http.watch_job import FEW_PARTS, GATHER_S, LOOK_S, read_job_feed
from mesh.member.commands import SubmitJob, Submitted
from mesh.member.events import Changed
from scheduler.ids import JobId
from scheduler.jobs import (
    AttemptState,
    JobState,
    Observation,
    Refusal,
    Verdict,
    Waiting,
)
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.member_doors import MemberDoors
from tests.mesh.edge.readings import HERE, attempt_reading, finished, job_reading
from tests.mesh.edge.test_feed import frames_in
from tests.mesh.member.stage import scripted_job

ALL = frozenset(TOPICS)
JOB = job_reading()
Feed = AsyncIterator[bytes]


@pytest.fixture
def doors(tmp_path: Path) -> FakeDoors:
    doors = FakeDoors(tmp_path)
    doors.change(JOB)
    return doors


@asynccontextmanager
async def feed_of(doors: FakeDoors, job: JobId = JOB.id) -> AsyncIterator[Feed]:
    async with aclosing(read_job_feed(doors, job, ALL)) as feed:
        yield feed
    assert doors.listeners == []


async def told(feed: Feed) -> tuple[str, Any]:
    [(number, event, data)] = frames_in(await anext(feed))
    assert number == "", "there is nothing to go on from: what is told is all there is"
    return event, data


async def test_first_the_job_then_what_changes_of_it(doors: FakeDoors) -> None:
    attempts = (attempt_reading(JOB.id, id="e-1"), attempt_reading(JOB.id, id="e-2"))
    running = dataclasses.replace(JOB, attempts=attempts, state=JobState.RUNNING)
    doors.change(running)
    async with feed_of(doors) as feed:
        event, data = await told(feed)
        assert (event, data["Jobs"][0]["State"], data["More"]) == ("snapshot", "Running", True)
        event, data = await told(feed)
        assert (event, [one["ID"] for one in data["Executions"]]) == ("snapshot", ["e-1", "e-2"])
        doors.jobs[JOB.id] = dataclasses.replace(running, state=JobState.COMPLETED)
        doors.listeners[0](Changed((JOB.id,), (), ("e-2", "e-of-another")))
        event, data = await told(feed)
        assert (event, data["Jobs"][0]["State"]) == ("changes", "Completed")
        assert [one["ID"] for one in data["Executions"]] == ["e-2"]


async def test_other_jobs_say_nothing_here(doors: FakeDoors, autojump_clock: object) -> None:
    async with feed_of(doors) as feed:
        await told(feed)
        doors.change(job_reading(id=JobId("j-another")))
        assert await anext(feed) == b": still here\n\n"


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        (finished(JOB), dataclasses.replace(finished(JOB), settled=True), "Settled"),
        (
            dataclasses.replace(JOB, state=JobState.QUEUED),
            dataclasses.replace(
                JOB,
                state=JobState.QUEUED,
                waiting=Waiting(1, (Verdict(HERE, Refusal.CORDONED, "by its operator"),), True),
            ),
            "Message",
        ),
    ],
)
async def test_what_is_no_record_is_told_at_once(
    doors: FakeDoors, before: Any, after: Any, key: str
) -> None:
    doors.change(before)
    async with feed_of(doors) as feed:
        first = await anext(feed)
        if before.attempts:
            await anext(feed)
        doors.change(after)
        with trio.fail_after(1):
            _, data = await told(feed)
        assert data["Jobs"][0][key] != frames_in(first)[0][2]["Jobs"][0][key]


async def test_a_node_that_starts_again_tells_all_anew(doors: FakeDoors) -> None:
    async with feed_of(doors) as feed:
        assert (await told(feed))[0] == "snapshot"
        for tell in doors.listeners:
            tell(Changed())
        assert (await told(feed))[0] == "snapshot"


async def test_many_parts_are_gathered(doors: FakeDoors, autojump_clock: object) -> None:
    assert JOB.spec is not None
    many = dataclasses.replace(JOB, spec=dataclasses.replace(JOB.spec, count=FEW_PARTS + 1))
    doors.change(many)
    async with feed_of(doors) as feed:
        await told(feed)
        doors.change(many)
        await told(feed)
        before_s = trio.current_time()
        for _ in range(3):
            doors.change(many)
        await told(feed)
        assert trio.current_time() - before_s == pytest.approx(GATHER_S)
        assert await anext(feed) == b": still here\n\n"


async def test_a_job_of_a_member_from_submission_to_its_end(
    tmp_path: Path, autojump_clock: object
) -> None:
    doors = MemberDoors(tmp_path)
    taken = await doors.ask(SubmitJob(scripted_job(Count=2)))
    assert isinstance(taken, Submitted)
    async with feed_of(doors, taken.job) as feed:
        states: list[str] = []
        executions: dict[str, str] = {}
        while list(executions.values()) != ["Succeeded", "Succeeded"]:
            chunk = await anext(feed)
            for _, _, data in frames_in(chunk) if not chunk.startswith(b":") else ():
                states += [one["State"] for one in data.get("Jobs", ())]
                executions |= {one["ID"]: one["State"] for one in data.get("Executions", ())}
            doors.stage.advance(0.05)
            doors.news()
        assert states[-1] == "Completed"


async def test_a_name_will_do_and_the_topics_choose(doors: FakeDoors) -> None:
    doors.change(finished(dataclasses.replace(JOB, name="one")))
    transport = httpx.ASGITransport(app=make_app(doors))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get("/api/v1/mesh/watch", params={"job": "two"})
        assert answer.status_code == 404
    async with aclosing(read_job_feed(doors, JOB.id, frozenset({"jobs"}))) as feed:
        [(_, _, first)] = frames_in(await anext(feed))
        assert "Jobs" in first
        [(_, _, second)] = frames_in(await anext(feed))
        assert "Executions" not in second


async def test_what_is_being_prepared_is_looked_at_as_long_as_it_is(
    doors: FakeDoors, autojump_clock: object
) -> None:
    pulls = Observation(AttemptState.PREPARING, message="It pulls.")
    attempt = attempt_reading(JOB.id, observation=pulls)
    job = dataclasses.replace(JOB, attempts=(attempt,), state=JobState.RUNNING)
    doors.change(job)
    doors.logs = [([(3, b"[bacalhau-mesh: one]\n")], 1, False)]
    async with feed_of(doors, job.id) as feed:
        await told(feed)
        _, data = await told(feed)
        assert data["Executions"][0]["Message"] == "One."
        assert await anext(feed) == b": still here\n\n", "what was told is not told again"
        doors.logs.append(([(3, b"[bacalhau-mesh: two]\n")], 2, False))
        begun_s = trio.current_time()
        event, data = await told(feed)
        assert trio.current_time() - begun_s <= LOOK_S + 0.1
        assert (event, list(data)) == ("changes", ["Executions"])
        assert data["Executions"][0]["Message"] == "Two."
        runs = dataclasses.replace(attempt, observation=Observation(AttemptState.RUNNING))
        doors.change(dataclasses.replace(job, attempts=(runs,)))
        _, data = await told(feed)
        assert data["Executions"][0]["State"] == "Running"
        asked = len(doors.log_questions)
        assert await anext(feed) == b": still here\n\n"
        assert len(doors.log_questions) == asked, "nobody is asked any more"
