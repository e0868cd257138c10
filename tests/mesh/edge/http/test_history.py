from __future__ import annotations

import httpx

from tests.mesh.edge.fake_doors import JOB, FakeDoors, finished, job_reading
from tests.mesh.edge.member_doors import MemberDoors

JOBS = "/api/v1/orchestrator/jobs"


async def test_history_ends_only_with_the_job(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job = job_reading()
    doors.change(job)
    path = f"{JOBS}/{job.id}/history?event_type=all&limit=2"
    first = (await client.get(path)).json()
    assert [one["SeqNum"] for one in first["Items"]] == [1]
    assert first["NextToken"]
    quiet = (await client.get(f"{path}&next_token={first['NextToken']}")).json()
    assert quiet == {"NextToken": first["NextToken"], "Items": []}
    doors.change(finished(job))
    seen, token = [], first["NextToken"]
    while token:
        page = (await client.get(f"{path}&next_token={token}")).json()
        seen += [one["SeqNum"] for one in page["Items"]]
        token = page["NextToken"]
    assert seen == [2, 3, 4, 5, 6]


async def test_history_filters(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job = finished(job_reading())
    doors.change(job)
    path = f"{JOBS}/{job.id}/history"

    async def topics(query: str) -> list[int]:
        answer = (await client.get(f"{path}?{query}")).json()
        assert answer["NextToken"] == ""
        return [one["SeqNum"] for one in answer["Items"]]

    assert await topics("event_type=job") == [1, 3, 6]
    assert await topics("event_type=execution") == [2, 4, 5]
    assert await topics("execution_id=e-0000") == [2, 4, 5]
    assert await topics("since=1995475800") == []


async def test_a_job_that_waits_says_why_once_for_each_reason(
    real: httpx.AsyncClient, member: MemberDoors
) -> None:
    task = {**JOB["Tasks"][0], "Resources": {"CPU": "64"}, "Timeouts": {"QueueTimeout": 60}}
    answer = await real.put(JOBS, json={"Job": {**JOB, "Name": "big", "Tasks": [task]}})
    path = f"{JOBS}/{answer.json()['JobID']}/history?event_type=all&limit=10"
    first = (await real.get(path)).json()
    *_, waits = first["Items"]
    assert (waits["Event"]["Topic"], waits["Event"]["Details"]["IsError"]) == ("Queueing", "true")
    assert "no member could ever meet it" in waits["Event"]["Message"]
    again = (await real.get(f"{path}&next_token={first['NextToken']}")).json()
    assert again == {"NextToken": first["NextToken"], "Items": []}
    member.stage.advance(61)
    last = (await real.get(f"{path}&next_token={first['NextToken']}")).json()
    assert last["NextToken"] == ""
    assert [one["Event"]["Details"]["IsError"] for one in last["Items"]] == ["true"]


async def test_lines_of_executions_alone_hold_no_reason_for_waiting(
    real: httpx.AsyncClient,
) -> None:
    task = {**JOB["Tasks"][0], "Resources": {"CPU": "64"}}
    await real.put(JOBS, json={"Job": {**JOB, "Name": "big", "Tasks": [task]}})
    answer = (await real.get(f"{JOBS}/big/history?event_type=execution")).json()
    assert answer["Items"] == []
