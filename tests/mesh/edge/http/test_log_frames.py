"""Which execution a reader follows, where it goes on, and when its node is asked again."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import trio

from mesh.edge.http.log_frames import AWAY_S, Wish, choose_attempt
from mesh.edge.http.logs import _events
from mesh.edge.http.reading import STILL_HERE_S
from mesh.member.events import Changed
from scheduler.ids import AttemptId
from scheduler.jobs import AttemptState, JobState, Observation
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.http.log_readers import JOB, line, told_of
from tests.mesh.edge.readings import attempt_reading, finished


async def test_follow_goes_on_with_the_attempt_that_replaces_one(
    doors: FakeDoors, autojump_clock: object
) -> None:
    """Its node is away; the replacement's output is told from its beginning."""
    first = attempt_reading(JOB.id)
    second = dataclasses.replace(first, id=AttemptId("e-second"), created_ms=first.created_ms + 9)
    job = dataclasses.replace(JOB, attempts=(first,))
    doors.change(job)
    doors.away.add(first.id)
    doors.logs = [([(1, b"again\n")], 1, True)]
    told: list[str] = []

    async def read() -> None:
        async for chunk in _events(doors, job, Wish(follow=True, since_ms=5)):
            told.append(chunk.decode())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(3)
        assert told == []
        doors.change(dataclasses.replace(job, attempts=(first, second), revision=2))
        await trio.sleep(3)
        done = dataclasses.replace(finished(JOB).attempts[0], id=second.id)
        over = dataclasses.replace(finished(JOB), attempts=(first, done), revision=3)
        doors.change(over)
    texts = [one.removeprefix("data: ") for one in told if one.startswith("data: ")]
    remark, again = map(json.loads, texts)
    assert remark == line(
        2,
        "[bacalhau-mesh: e-00000000 on there was given up: what follows is of e-second on there, "
        "from its beginning]\n",
    )
    assert again == line(1, "again\n")
    assert doors.log_questions[-1][2] == 0, "since was for the first one"


async def test_a_node_is_asked_again_when_something_is_heard_of_it(
    doors: FakeDoors, autojump_clock: object
) -> None:
    attempt = attempt_reading(JOB.id)
    job = dataclasses.replace(JOB, attempts=(attempt,))
    doors.change(job)
    doors.away.add(attempt.id)
    doors.logs = [([(1, b"heard\n")], 1, False)]
    told: list[bytes] = []

    async def read() -> None:
        async for chunk in _events(doors, job, Wish(follow=True)):
            told.append(chunk)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(10 * AWAY_S)
        asked = len(doors.log_questions)
        assert asked <= 11
        await trio.sleep(AWAY_S / 2)
        for news in (Changed((), ("n-another",), ()), Changed((), (attempt.node,), ())):
            [tell] = doors.listeners
            tell(news)
        await trio.lowlevel.checkpoint()
        doors.away.clear()
        await trio.sleep(AWAY_S / 10)
        assert len(doors.log_questions) > asked
        nursery.cancel_scope.cancel()
    assert line(1, "heard\n") in [json.loads(one.removeprefix(b"data: ")) for one in told]
    assert doors.listeners == []


async def test_a_node_that_has_not_begun_is_asked_once_per_change(
    doors: FakeDoors, autojump_clock: object
) -> None:
    attempt = attempt_reading(JOB.id)
    placed = dataclasses.replace(JOB, attempts=(attempt,))
    doors.change(placed)
    doors.logs = [([], 1, True)]

    async def read() -> None:
        async for _ in _events(doors, placed, Wish(follow=True)):
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(4 * STILL_HERE_S + 1)
        assert len(doors.log_questions) == 5
        doors.change(dataclasses.replace(finished(placed), revision=placed.revision + 1))
        await trio.sleep(1)
        assert len(doors.log_questions) == 6
        assert nursery.child_tasks == frozenset()


async def test_a_failed_attempt_that_is_retried_is_not_the_end(
    doors: FakeDoors, autojump_clock: object
) -> None:
    first = attempt_reading(JOB.id, observation=Observation(AttemptState.FAILED))
    job = dataclasses.replace(JOB, attempts=(first,))
    doors.change(job)
    doors.logs = [([(1, b"x")], 1, True)]
    told: list[bytes] = []

    async def read() -> None:
        async for chunk in _events(doors, job, Wish(follow=True)):
            told.append(chunk)
        told.append(b"end")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(1)
        assert len(told) == 1
        doors.change(dataclasses.replace(job, state=JobState.FAILED, revision=2))
    assert told[-1] == b"end"


async def test_remarks_of_the_node_are_shown_with_stderr(doors: FakeDoors) -> None:
    doors.logs = [([(3, b"pulling\n")], 1, True)]
    assert await told_of(doors, finished(JOB), Wish()) == [line(2, "pulling\n")]


async def test_a_quiet_feed_gives_signs_of_life(doors: FakeDoors, autojump_clock: object) -> None:
    job = dataclasses.replace(JOB, attempts=(attempt_reading(JOB.id),))
    doors.change(job)
    feed = _events(doors, job, Wish(follow=True))
    begun_s = trio.current_time()
    assert await anext(feed) == b": still here\n\n"
    assert trio.current_time() - begun_s == pytest.approx(STILL_HERE_S, abs=1)


def attempt(name: str, state: AttemptState, **changes: Any) -> Any:
    return attempt_reading(JOB.id, id=name, observation=Observation(state), **changes)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("", "e-b"), ("e-a", "e-a"), ("e-", None), ("e-d", "e-d"), ("e-x", None)],
)
def test_choice(wanted: str, chosen: str | None) -> None:
    attempts = [
        attempt("e-a", AttemptState.FAILED, modified_ms=1),
        attempt("e-b", AttemptState.FAILED, modified_ms=2),
        attempt("e-d", AttemptState.REFUSED, modified_ms=3),
    ]
    found = choose_attempt(attempts, wanted)
    assert (found.id if found else None) == chosen


def test_the_accepted_one_is_preferred() -> None:
    attempts = [
        attempt("e-a", AttemptState.SUCCEEDED, accepted=True, modified_ms=1),
        attempt("e-b", AttemptState.FAILED, modified_ms=2),
    ]
    assert choose_attempt(attempts, "") == attempts[0]


async def test_a_rest_that_nobody_has_is_said_and_a_retry_followed(
    doors: FakeDoors, autojump_clock: object
) -> None:
    failed = attempt_reading(JOB.id, observation=Observation(AttemptState.FAILED))
    job = dataclasses.replace(JOB, attempts=(failed,), state=JobState.RUNNING)
    doors.change(job)
    doors.away.add(failed.id)
    doors.logs = [([(1, b"again\n")], 1, True)]
    told: list[str] = []

    async def read() -> None:
        async for chunk in _events(doors, job, Wish(follow=True)):
            if chunk.startswith(b"data: "):
                told.append(json.loads(chunk.removeprefix(b"data: "))["value"]["Line"])

    with trio.fail_after(100):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.sleep(1)
            retry = dataclasses.replace(
                finished(JOB).attempts[0], id=AttemptId("e-retry"), created_ms=failed.created_ms + 9
            )
            over = dataclasses.replace(finished(JOB), attempts=(failed, retry), revision=9)
            doors.change(over)
    unknown, handover, again = told
    assert "the rest of this output is not known here" in unknown
    assert "e-00000000 on there failed: what follows is of e-retry on there" in handover
    assert again == "again\n"
