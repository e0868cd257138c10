"""Output out of a result, where the log on its node cannot be reached."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import trio

from mesh.edge.http import log_frames
from mesh.edge.http.log_frames import Wish
from mesh.edge.http.logs import _events
from scheduler.ids import blob_digest
from scheduler.jobs import AttemptState, JobState, Observation
from storage.digest import Entry, EntryKind
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.http.log_readers import JOB, line, told_of, with_result
from tests.mesh.edge.readings import START_MS, attempt_reading


@pytest.mark.parametrize("follow", [False, True])
async def test_the_result_tells_what_a_node_that_is_away_printed(
    doors: FakeDoors, follow: bool
) -> None:
    job = with_result(doors, b"one\ntwo\n", b"oops\n")
    doors.away.add(job.attempts[0].id)
    first, *rest = await told_of(doors, job, Wish(follow=follow))
    assert "cannot be reached: this is its output as kept" in first["value"]["Line"]
    assert rest == [line(1, "one\ntwo\n"), line(2, "oops\n")]
    assert (await told_of(doors, job, Wish(lines=1)))[1:] == [line(2, "oops\n")]


async def test_the_result_tells_when_the_log_is_gone(doors: FakeDoors) -> None:
    doors.logs = [([], 0, True)]
    first, *rest = await told_of(doors, with_result(doors, b"one\n", b""), Wish())
    assert "no longer kept" in first["value"]["Line"]
    assert rest == [line(1, "one\n")]


async def test_nobody_who_holds_it_can_be_reached(doors: FakeDoors) -> None:
    job = with_result(doors, b"one\n", b"")
    told = dataclasses.replace(job.attempts[0].observation, result=blob_digest(b"elsewhere"))
    attempt = dataclasses.replace(job.attempts[0], observation=told)
    doors.away.add(attempt.id)
    [only] = await told_of(doors, dataclasses.replace(job, attempts=(attempt,)), Wish())
    assert only["error"].startswith("Nobody has")


async def test_the_rest_comes_from_the_result_when_its_node_goes_away_midway(
    doors: FakeDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other parts of the job still run: the end of this one is not the end of the job."""
    monkeypatch.setattr(log_frames, "WAIT_S", 0.01)
    euro = "\u20ac".encode()
    [attempt] = with_result(doors, b"one\n" + euro + b"\n", b"oops\n").attempts
    began = dataclasses.replace(attempt, observation=Observation(AttemptState.RUNNING))
    other = attempt_reading(JOB.id, id="e-other", index=1)
    running = dataclasses.replace(JOB, attempts=(began, other), state=JobState.RUNNING)
    doors.change(running)
    doors.logs = [([(1, b"one\n" + euro[:1]), (2, b"oo")], 1, False)]
    told: list[Any] = []

    async def read() -> None:
        async for chunk in _events(doors, running, Wish(follow=True)):
            if chunk.startswith(b"data: "):
                told.append(json.loads(chunk.removeprefix(b"data: ")))

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            while len(told) < 2:  # noqa: ASYNC110 - what a reader sees
                await trio.sleep(0.001)
            doors.away.add(attempt.id)
            doors.change(dataclasses.replace(running, attempts=(attempt, other), revision=7))
    assert told[:2] == [line(1, "one\n"), line(2, "oo")]
    assert "the rest is as kept with the result" in told[2]["value"]["Line"]
    assert told[3:] == [line(1, "\u20ac\n"), line(2, "ps\n")]


@pytest.mark.parametrize("gone", ["away", "removed"])
@pytest.mark.parametrize(
    ("since_ms", "told", "all_of_it"),
    [(START_MS, True, False), (START_MS + 500, True, True), (START_MS + 1500, False, False)],
)
async def test_output_since_a_time_out_of_the_result(
    doors: FakeDoors, gone: str, since_ms: int, told: bool, all_of_it: bool
) -> None:
    """Only when it began and ended is known there."""
    job = with_result(doors, b"one\n", b"")
    attempt = dataclasses.replace(
        job.attempts[0], started_ms=START_MS + 100, modified_ms=START_MS + 1000
    )
    if gone == "away":
        doors.away.add(attempt.id)
    else:
        doors.logs = [([], 0, True)]
    wish = Wish(since_ms=since_ms)
    heard = await told_of(doors, dataclasses.replace(job, attempts=(attempt,)), wish)
    assert (line(1, "one\n") in heard) == told
    assert ("so this is all of it" in str(heard)) == all_of_it
    assert len(heard) == (2 if told else 0)


async def test_what_a_result_has_not_kept_of_a_stream_is_said(doors: FakeDoors) -> None:
    cut = Entry("stdout (rest, not kept)", EntryKind.NOTE, 2_000_000)
    of_the_program = Entry("out (2 too deep, not kept)", EntryKind.NOTE)
    job = with_result(doors, b"one\n", b"", of_the_program, cut)
    doors.away.add(job.attempts[0].id)
    _, _, last = await told_of(doors, job, Wish())
    assert last == line(2, "[bacalhau-mesh: stdout (rest, not kept): 2 MB]\n")
