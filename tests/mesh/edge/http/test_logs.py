"""Log sockets, over a real server: frames and close codes are what clients depend on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial

import httpx
import pytest
import trio
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from mesh.edge.http.server import serve
from tests.mesh.edge.captures import FIXTURES
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.http.log_readers import JOB, feed, frames_of, line, read_all
from tests.mesh.edge.readings import attempt_reading, finished


@pytest.fixture
async def url(doors: FakeDoors) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        [bound] = await nursery.start(partial(serve, doors, bind=["127.0.0.1:0"]))
        yield bound.replace("http://", "ws://") + "/api/v1/orchestrator/jobs"
        nursery.cancel_scope.cancel()


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
