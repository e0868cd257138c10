from __future__ import annotations

import dataclasses
import io
import json
import tarfile
from typing import Any

import httpx
import pytest
import trio

from mesh.edge.http.mesh import _changes
from mesh.member.commands import JobReading
from scheduler.ids import Digest
from scheduler.jobs import AttemptState, JobState, Observation, Refusal, Verdict, Waiting
from storage.digest import Entry, EntryKind, Manifest, encode_manifest
from tests.mesh.edge.fake_doors import (
    HERE,
    THERE,
    FakeDoors,
    attempt_reading,
    finished,
    job_reading,
)

MESH = "/api/v1/mesh"


async def test_blobs_go_in_and_out(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    content = b"0123456789"
    digest = doors.keep(content)
    doors.drop(digest)
    path = f"{MESH}/blobs/{digest}"
    kept = await client.put(path, content=content)
    assert kept.json() == {"Digest": digest, "Size": 10}
    assert (await client.get(path)).content == content
    part = await client.get(path, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")


async def test_a_blob_elsewhere_is_fetched_from_the_named_holder(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    digest = doors.keep(b"far away")
    doors.remote[digest] = b"far away"
    doors.drop(digest)
    answer = await client.get(f"{MESH}/blobs/{digest}?holder={THERE}")
    assert answer.content == b"far away"
    assert doors.asked_holders[0] == THERE


def stored_result(doors: FakeDoors) -> tuple[JobReading, Manifest]:
    report = doors.keep(b"report\n")
    job = job_reading()
    manifest = Manifest(
        attempt_reading(job.id).id,
        0,
        doors.keep(b"printed\n"),
        doors.keep(b""),
        (
            Entry("out", EntryKind.FOLDER, mode=0o755),
            Entry("out/report.txt", EntryKind.FILE, 7, report),
        ),
    )
    job = finished(job, doors.keep(encode_manifest(manifest)))
    doors.change(job)
    return job, manifest


async def test_results_are_told_by_digest(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job, manifest = stored_result(doors)
    [item] = (await client.get(f"{MESH}/jobs/{job.id}/results")).json()["Items"]
    assert item["NodeID"] == THERE
    assert item["ExitCode"] == 0
    assert item["Stdout"] == manifest.stdout
    assert [one["Path"] for one in item["Entries"]] == ["out", "out/report.txt"]
    assert [one["Kind"] for one in item["Entries"]] == ["Folder", "File"]


async def test_the_archive_is_laid_out_as_bacalhau_unpacks_it(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    job, _ = stored_result(doors)
    path = f"{MESH}/jobs/{job.id}/results/{job.attempts[0].id}.tar.gz"
    answer = await client.get(path)
    assert answer.headers["Content-Type"] == "application/gzip"
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert archive.getnames() == ["stdout", "stderr", "exitCode", "out", "out/report.txt"]
        members = {one: archive.extractfile(one) for one in ("stdout", "exitCode")}
        texts = {name: file.read() for name, file in members.items() if file is not None}
    assert texts == {"stdout": b"printed\n", "exitCode": b"0"}


async def test_a_result_that_nobody_can_give_is_404(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    job = finished(job_reading(), Digest("e" * 64))
    doors.change(job)
    answer = await client.get(f"{MESH}/jobs/{job.id}/results")
    assert answer.status_code == 404
    assert answer.json()["Hint"]


def events(raw: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in raw.split(b"\n") if line.startswith(b"data: ")]


async def test_the_feed_ends_with_the_job(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    doors.change(finished(job_reading()))
    answer = await client.get(f"{MESH}/jobs/j-0/follow")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    [only] = events(answer.content)
    assert only["Job"]["State"]["StateType"] == "Completed"


async def test_the_feed_tells_each_change_once(doors: FakeDoors) -> None:
    job = job_reading()
    doors.change(job)
    feed = _changes(doors, job)
    first = events(await anext(feed))[0]
    assert first["Executions"]["Items"] == []
    attempts = (
        attempt_reading(job.id, id="e-1", revision=1),
        attempt_reading(job.id, id="e-2", revision=1),
    )
    running = dataclasses.replace(job, attempts=attempts, revision=2, state=JobState.RUNNING)
    doors.change(running)
    assert [one["ID"] for one in events(await anext(feed))[0]["Executions"]["Items"]] == [
        "e-1",
        "e-2",
    ]
    done = dataclasses.replace(
        attempts[1], observation=Observation(AttemptState.SUCCEEDED), revision=2
    )
    over = dataclasses.replace(
        running, attempts=(attempts[0], done), revision=3, state=JobState.COMPLETED
    )
    doors.change(over)
    assert [one["ID"] for one in events(await anext(feed))[0]["Executions"]["Items"]] == ["e-2"]
    with pytest.raises(StopAsyncIteration):
        await anext(feed)


async def test_a_quiet_feed_gives_signs_of_life(
    doors: FakeDoors, autojump_clock: trio.abc.Clock
) -> None:
    job = job_reading()
    doors.change(job)
    feed = _changes(doors, job)
    await anext(feed)
    assert await anext(feed) == b": still here\n\n"


async def test_a_new_reason_for_waiting_is_told_though_it_is_no_record(
    doors: FakeDoors, autojump_clock: trio.abc.Clock
) -> None:
    waits = Waiting(1, (Verdict(HERE, Refusal.CORDONED, "by its operator"),), possible=True)
    job = dataclasses.replace(job_reading(), state=JobState.QUEUED, waiting=None)
    doors.change(job)
    feed = _changes(doors, job)
    assert not events(await anext(feed))[0]["Job"]["State"].get("Message")
    doors.jobs[job.id] = dataclasses.replace(job, waiting=waits)
    assert "cordoned" in events(await anext(feed))[0]["Job"]["State"]["Message"]
    assert await anext(feed) == b": still here\n\n"


async def test_explain(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job = job_reading()
    doors.change(dataclasses.replace(job, attempts=(attempt_reading(job.id),)))
    answer = (await client.get(f"{MESH}/jobs/{job.id}/explain")).json()
    assert answer["Placements"][0]["NodeName"] == "there"
    assert answer["Placements"][0]["NextBest"][0]["NodeName"] == "here"
    assert [one["Refusal"] for one in answer["Nodes"]] == ["capacity", ""]
    assert "2 cores are in use" in answer["Nodes"][0]["Sentence"]
    assert answer["Waiting"]


async def test_status(client: httpx.AsyncClient) -> None:
    answer = (await client.get(f"{MESH}/status")).json()
    assert answer["Name"] == "here"
    assert (answer["Members"], answer["Reachable"]) == (2, 2)


async def test_what_failed_executions_left_is_told_too(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    job, _ = stored_result(doors)
    result = job.attempts[0].observation.result
    ended = Observation(AttemptState.FAILED, exit_code=1, result=result)
    failed = attempt_reading(job.id, id="e-failed", observation=ended, modified_ms=9, created_ms=9)
    lost = attempt_reading(job.id, id="e-lost", index=1, observation=ended)
    doors.change(dataclasses.replace(job, attempts=(failed, *job.attempts, lost)))
    path = f"{MESH}/jobs/{job.id}/results"
    items = (await client.get(path)).json()["Items"]
    assert [(one["ExecutionID"], one["State"], one["Accepted"]) for one in items] == [
        (job.attempts[0].id, "Succeeded", True),
        ("e-lost", "Failed", False),
    ]
    items = (await client.get(path, params={"execution_id": "e-f"})).json()["Items"]
    assert [one["ExecutionID"] for one in items] == ["e-failed"]
    items = (await client.get(path, params={"all": "true"})).json()["Items"]
    assert [one["ExecutionID"] for one in items] == ["e-failed", job.attempts[0].id, "e-lost"]


async def test_the_feed_may_go_on_until_settled(doors: FakeDoors, autojump_clock: object) -> None:
    job = finished(job_reading())
    doors.change(job)
    feed = _changes(doors, job, until_settled=True)
    assert b'"Settled":false' in await anext(feed)
    async with trio.open_nursery() as nursery:

        async def settle() -> None:
            await trio.sleep(1)
            # No new revision comes with it.
            doors.change(dataclasses.replace(job, settled=True))

        nursery.start_soon(settle)
        assert b'"Settled":true' in await anext(feed)
    assert await anext(feed, None) is None
