"""Log sockets, over a real server: frames and close codes are what clients depend on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from mesh.edge.http.logs import _events, _Wish, choose_attempt
from mesh.edge.http.reading import STILL_HERE_S
from mesh.edge.http.server import serve
from mesh.member.commands import JobReading
from scheduler.ids import AttemptId, blob_digest
from scheduler.jobs import AttemptState, JobState, Observation
from storage.digest import Manifest, encode_manifest
from tests.mesh.edge.captures import FIXTURES
from tests.mesh.edge.fake_doors import FakeDoors, attempt_reading, finished, job_reading

JOB = job_reading()


@pytest.fixture
async def url(doors: FakeDoors) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        [bound] = await nursery.start(partial(serve, doors, bind=["127.0.0.1:0"]))
        yield bound.replace("http://", "ws://") + "/api/v1/orchestrator/jobs"
        nursery.cancel_scope.cancel()


def read_all(url: str) -> tuple[list[str], int]:
    """Every frame, and the code of the close."""
    with connect(url, proxy=None) as socket:
        frames = [str(frame) for frame in socket]
        assert socket.close_code is not None
        return frames, socket.close_code


async def frames_of(url: str) -> tuple[list[Any], int]:
    frames, code = await trio.to_thread.run_sync(read_all, url)
    assert all(one.endswith("\n") for one in frames)
    return [json.loads(one) for one in frames], code


def line(stream: int, text: str) -> dict[str, Any]:
    return {"value": {"Type": stream, "Line": text}}


@pytest.mark.real("loopback")
async def test_a_finished_execution_is_told_as_captured(doors: FakeDoors, url: str) -> None:
    doors.change(finished(JOB))
    doors.logs = [([(1, b"printed\n")], 1, True)]
    theirs = json.loads((FIXTURES / "14-job-logs.json").read_text())["exchanges"][0]["frames"]
    frames, code = await trio.to_thread.run_sync(read_all, f"{url}/{JOB.id}/logs")
    assert frames == [theirs[0]["payload"]]
    assert code == theirs[1]["code"] == 1000


@pytest.mark.real("loopback")
async def test_a_followed_execution_is_told_as_captured(doors: FakeDoors, url: str) -> None:
    captured = json.loads((FIXTURES / "27-docker-run-follow.json").read_text())["exchanges"]
    [socket] = [one for one in captured if one["status"] == 101]
    *told, closed = socket["frames"]
    running = dataclasses.replace(JOB, attempts=(attempt_reading(JOB.id),))
    doors.change(running)
    doors.logs = [([(1, b"line 1\n")], 1, False)]
    address = f"{url}/{JOB.id}/logs?{socket['raw_query']}"
    with ExitStack() as stack:

        async def hear() -> str | bytes:
            return await trio.to_thread.run_sync(client.recv)

        client = await trio.to_thread.run_sync(
            lambda: stack.enter_context(connect(address, proxy=None))
        )
        heard = [await hear()]
        # Each line is told when it is printed, not when the next one comes.
        for number in (2, 3):
            doors.logs.append(([(1, b"line %d\n" % number)], number, number == 3))
            heard.append(await hear())
        doors.change(finished(running))
        with pytest.raises(ConnectionClosedOK):
            await hear()
    assert heard == [one["payload"] for one in told]
    assert client.close_code == closed["code"]


@pytest.mark.real("loopback")
async def test_streams_stay_apart_and_letters_whole(doors: FakeDoors, url: str) -> None:
    doors.change(finished(JOB))
    euro = "€".encode()
    doors.logs = [([(1, b"a" + euro[:1]), (2, b"\xff")], 1, False), ([(1, euro[1:])], 2, True)]
    frames, code = await frames_of(f"{url}/{JOB.id}/logs")
    assert frames == [line(1, "a"), line(2, "\ufffd"), line(1, "€")]
    assert code == 1000


@pytest.mark.real("loopback")
async def test_without_follow_what_exists_is_told(doors: FakeDoors, url: str) -> None:
    doors.change(dataclasses.replace(JOB, attempts=(attempt_reading(JOB.id),)))
    doors.logs = [([(1, b"so far")], 1, False)]
    assert await frames_of(f"{url}/{JOB.id}/logs") == ([line(1, "so far")], 1000)


@pytest.mark.real("loopback")
async def test_follow_waits_for_an_execution_and_its_end(doors: FakeDoors, url: str) -> None:
    doors.change(JOB)
    doors.logs = [([(1, b"one\n")], 1, False)]
    async with trio.open_nursery() as nursery:

        async def go_on() -> None:
            await trio.sleep(0.05)
            placed = dataclasses.replace(JOB, attempts=(attempt_reading(JOB.id),), revision=2)
            doors.change(placed)
            await trio.sleep(0.05)
            doors.logs.append(([(1, b"two\n")], 2, True))
            doors.change(finished(placed))

        nursery.start_soon(go_on)
        frames, code = await frames_of(f"{url}/{JOB.id}/logs?follow=true")
    assert frames == [line(1, "one\n"), line(1, "two\n")]
    assert code == 1000


@pytest.mark.real("loopback")
async def test_a_node_that_has_not_begun_does_not_end_the_stream(
    doors: FakeDoors, url: str
) -> None:
    placed = dataclasses.replace(JOB, attempts=(attempt_reading(JOB.id),))
    doors.change(placed)
    doors.logs = [([], 1, True)]
    async with trio.open_nursery() as nursery:

        async def go_on() -> None:
            await trio.sleep(0.05)
            doors.logs = [([(1, b"late\n")], 1, True)]
            doors.change(finished(placed))

        nursery.start_soon(go_on)
        frames, code = await frames_of(f"{url}/{JOB.id}/logs?follow=true")
    assert frames == [line(1, "late\n")]
    assert code == 1000


@pytest.mark.real("loopback")
async def test_tail_leaves_out_what_was(doors: FakeDoors, url: str) -> None:
    doors.change(dataclasses.replace(JOB, attempts=(attempt_reading(JOB.id),)))
    doors.logs = [([(1, b"before")], 1, False)]
    async with trio.open_nursery() as nursery:

        async def go_on() -> None:
            await trio.sleep(0.2)
            doors.logs.append(([(1, b"after")], 2, True))
            doors.change(finished(JOB))

        nursery.start_soon(go_on)
        frames, _ = await frames_of(f"{url}/{JOB.id}/logs?tail=true")
    assert frames == [line(1, "after")]


@pytest.mark.real("loopback")
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("j-none/logs", "job not found"),
        (f"{JOB.id}/logs", "no executions found"),
        (f"{JOB.id}/logs?execution_id=e-9", "no execution e-9"),
        (f"{JOB.id}/logs?follow=maybe", "follow must be"),
    ],
)
async def test_problems_are_frames(doors: FakeDoors, url: str, path: str, reason: str) -> None:
    doors.change(JOB)
    [frame], code = await frames_of(f"{url}/{path}")
    assert reason in frame["error"]
    assert frame["value"] == {"Type": 0, "Line": ""}
    assert code == 1000


async def test_the_feed_has_the_same_frames(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    doors.change(finished(JOB))
    doors.logs = [([(1, b"out\n"), (2, b"err\n")], 1, True)]
    answer = await client.get(f"/api/v1/mesh/jobs/{JOB.id}/logs?follow=true")
    frames = [json.loads(one[6:]) for one in answer.text.split("\n") if one.startswith("data: ")]
    assert frames == [line(1, "out\n"), line(2, "err\n")]


async def test_a_problem_of_the_feed_is_told(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    doors.change(JOB)
    unknown = await client.get("/api/v1/mesh/jobs/j-none/logs")
    assert unknown.status_code == 404
    answer = await client.get(f"/api/v1/mesh/jobs/{JOB.id}/logs")
    assert "no executions found" in json.loads(answer.text.removeprefix("data: "))["error"]


async def feed(client: httpx.AsyncClient, query: str) -> list[Any]:
    answer = await client.get(f"/api/v1/mesh/jobs/{JOB.id}/logs?{query}")
    assert answer.status_code == 200, answer.text
    return [json.loads(one[6:]) for one in answer.text.split("\n") if one.startswith("data: ")]


async def test_the_last_lines(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    doors.change(finished(JOB))
    doors.logs = [([(1, b"one\ntwo\nthr")], 1, False), ([(2, b"err\n"), (1, b"ee\n")], 2, True)]
    assert await feed(client, "lines=2") == [line(1, "three\n"), line(2, "err\n")]
    assert await feed(client, "lines=2&follow=true") == [line(1, "three\n"), line(2, "err\n")]


async def test_output_since_a_time_is_asked_of_the_node(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    doors.change(finished(JOB))
    doors.logs = [([(1, b"late\n")], 1, True)]
    assert await feed(client, "since=1800000000") == [line(1, "late\n")]
    assert doors.log_questions[0][1:] == (0, 1_800_000_000_000)


@pytest.mark.parametrize("query", ["since=x", "lines=-1", "lines=x"])
async def test_bad_bounds(client: httpx.AsyncClient, doors: FakeDoors, query: str) -> None:
    doors.change(finished(JOB))
    assert (await client.get(f"/api/v1/mesh/jobs/{JOB.id}/logs?{query}")).status_code == 400


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
        async for chunk in _events(doors, job, _Wish(follow=True, since_ms=5)):
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
    [text] = [one.removeprefix("data: ") for one in told if one.startswith("data: ")]
    assert json.loads(text) == line(1, "again\n")
    assert doors.log_questions[-1][2] == 0, "since was for the first one"


async def test_a_failed_attempt_that_is_retried_is_not_the_end(
    doors: FakeDoors, autojump_clock: object
) -> None:
    first = attempt_reading(JOB.id, observation=Observation(AttemptState.FAILED))
    job = dataclasses.replace(JOB, attempts=(first,))
    doors.change(job)
    doors.logs = [([(1, b"x")], 1, True)]
    told: list[bytes] = []

    async def read() -> None:
        async for chunk in _events(doors, job, _Wish(follow=True)):
            told.append(chunk)
        told.append(b"end")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(1)
        assert len(told) == 1
        doors.change(dataclasses.replace(job, state=JobState.FAILED, revision=2))
    assert told[-1] == b"end"


def with_result(doors: FakeDoors, stdout: bytes, stderr: bytes) -> JobReading:
    """The job, over, with a result that holds these."""
    manifest = encode_manifest(
        Manifest(
            JOB.attempts[0].id if JOB.attempts else AttemptId("e-kept"),
            0,
            doors.keep(stdout),
            doors.keep(stderr),
        )
    )
    done = finished(JOB)
    told = dataclasses.replace(
        done.attempts[0].observation,
        result=doors.keep(manifest),
        stdout_bytes=len(stdout),
        stderr_bytes=len(stderr),
    )
    attempt = dataclasses.replace(done.attempts[0], observation=told)
    return dataclasses.replace(done, attempts=(attempt,))


async def told_of(doors: FakeDoors, job: JobReading, wish: _Wish) -> list[Any]:
    doors.change(job)
    return [
        json.loads(chunk.decode().removeprefix("data: "))
        async for chunk in _events(doors, job, wish)
        if chunk.startswith(b"data: ")
    ]


@pytest.mark.parametrize("follow", [False, True])
async def test_the_result_tells_what_a_node_that_is_away_printed(
    doors: FakeDoors, follow: bool
) -> None:
    job = with_result(doors, b"one\ntwo\n", b"oops\n")
    doors.away.add(job.attempts[0].id)
    first, *rest = await told_of(doors, job, _Wish(follow=follow))
    assert "cannot be reached: this is its output as kept" in first["value"]["Line"]
    assert rest == [line(1, "one\ntwo\n"), line(2, "oops\n")]
    assert (await told_of(doors, job, _Wish(lines=1)))[1:] == [line(2, "oops\n")]


async def test_the_result_tells_when_the_log_is_gone(doors: FakeDoors) -> None:
    doors.logs = [([], 0, True)]
    first, *rest = await told_of(doors, with_result(doors, b"one\n", b""), _Wish())
    assert "no longer kept" in first["value"]["Line"]
    assert rest == [line(1, "one\n")]


async def test_nobody_who_holds_it_can_be_reached(doors: FakeDoors) -> None:
    job = with_result(doors, b"one\n", b"")
    told = dataclasses.replace(job.attempts[0].observation, result=blob_digest(b"elsewhere"))
    attempt = dataclasses.replace(job.attempts[0], observation=told)
    doors.away.add(attempt.id)
    [only] = await told_of(doors, dataclasses.replace(job, attempts=(attempt,)), _Wish())
    assert only["error"].startswith("Nobody has")


async def test_remarks_of_the_node_are_shown_with_stderr(doors: FakeDoors) -> None:
    doors.logs = [([(3, b"pulling\n")], 1, True)]
    assert await told_of(doors, finished(JOB), _Wish()) == [line(2, "pulling\n")]


async def test_a_quiet_feed_gives_signs_of_life(doors: FakeDoors, autojump_clock: object) -> None:
    job = dataclasses.replace(JOB, attempts=(attempt_reading(JOB.id),))
    doors.change(job)
    feed = _events(doors, job, _Wish(follow=True))
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
