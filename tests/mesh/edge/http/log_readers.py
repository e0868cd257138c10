"""Readers of a job's output, and jobs that have some: what tests of logs share."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import httpx
import trio
from websockets.sync.client import connect

from mesh.edge.http.log_frames import Wish
from mesh.edge.http.logs import _events
from mesh.member.commands import JobReading
from scheduler.ids import AttemptId
from storage.digest import Entry, Manifest, encode_manifest
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.readings import finished, job_reading

JOB = job_reading()


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


async def feed(client: httpx.AsyncClient, query: str) -> list[Any]:
    answer = await client.get(f"/api/v1/mesh/jobs/{JOB.id}/logs?{query}")
    assert answer.status_code == 200, answer.text
    return [json.loads(one[6:]) for one in answer.text.split("\n") if one.startswith("data: ")]


def with_result(doors: FakeDoors, stdout: bytes, stderr: bytes, *entries: Entry) -> JobReading:
    """The job, over, with a result that holds these."""
    manifest = encode_manifest(
        Manifest(
            JOB.attempts[0].id if JOB.attempts else AttemptId("e-kept"),
            0,
            doors.keep(stdout),
            doors.keep(stderr),
            entries,
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


async def told_of(doors: FakeDoors, job: JobReading, wish: Wish) -> list[Any]:
    doors.change(job)
    return [
        json.loads(chunk.decode().removeprefix("data: "))
        async for chunk in _events(doors, job, wish)
        if chunk.startswith(b"data: ")
    ]
