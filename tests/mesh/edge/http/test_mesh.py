from __future__ import annotations

import dataclasses
import io
import tarfile

import httpx

from mesh.member.commands import JobReading
from scheduler.ids import Digest
from scheduler.jobs import AttemptState, Observation
from storage.digest import Entry, EntryKind, Manifest, encode_manifest
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.readings import THERE, attempt_reading, finished, job_reading

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
