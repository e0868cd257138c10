from __future__ import annotations

import dataclasses

import httpx
import pytest
import trio

from mesh.member.commands import RerunJob
from scheduler.ids import JobId
from scheduler.jobs import JobState
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.member_doors import MemberDoors
from tests.mesh.edge.readings import JOB, attempt_reading, finished, job_reading

JOBS = "/api/v1/orchestrator/jobs"


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_submit(client: httpx.AsyncClient, doors: FakeDoors, method: str) -> None:
    answer = await client.request(method, JOBS, json={"Job": JOB, "Namespace": ""})
    document = answer.json()
    assert answer.status_code == 200
    assert document["JobID"] in doors.jobs
    assert document["EvaluationID"] == document["JobID"][2:]
    assert document["Warnings"] is None
    assert document["Mesh"] == {"JobVersion": 1, "Created": True}


async def test_submit_takes_keys_of_any_case(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    answer = await client.put(JOBS, json={"job": JOB, "force": False, "credential": None})
    assert answer.status_code == 200


async def test_one_key_makes_one_job(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    body = {"Job": JOB, "IdempotencyToken": "k1"}
    first = (await client.put(JOBS, json=body)).json()
    again = await client.put(JOBS, json={"Job": JOB}, headers={"Idempotency-Key": "k1"})
    assert again.json()["JobID"] == first["JobID"]
    assert len(doors.jobs) == 1


async def test_a_taken_name_is_409(client: httpx.AsyncClient) -> None:
    body = {"Job": {**JOB, "Name": "one"}}
    assert (await client.put(JOBS, json=body)).status_code == 200
    again = await client.put(JOBS, json=body)
    assert again.status_code == 409
    assert again.json()["Code"] == "ResourceInUse"


def wasm_job(digest: str) -> dict[str, object]:
    task = {
        "Name": "main",
        "Engine": {"Type": "wasm", "Params": {"EntryModule": "/main.wasm"}},
        "InputSources": [
            {
                "Source": {"Type": "mesh", "Params": {"Digest": digest}},
                "Target": "/main.wasm",
            }
        ],
    }
    return {"Type": "batch", "Tasks": [task]}


@pytest.mark.parametrize(("size_bytes", "pushed"), [(1000, True), ((1 << 20) + 1, False)])
async def test_small_modules_travel_with_the_job(
    client: httpx.AsyncClient, doors: FakeDoors, size_bytes: int, pushed: bool
) -> None:
    module = b"\0" * size_bytes
    answer = await client.put(JOBS, json={"Job": wasm_job(doors.keep(module))})
    assert answer.status_code == 200
    assert doors.submits[0].blobs == ((module,) if pushed else ())


async def test_stop(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job = job_reading(name="n")
    doors.change(job)
    body = {"Namespace": "", "Credential": None, "reason": "enough"}
    answer = await client.request("DELETE", f"{JOBS}/n", json=body)
    assert answer.json() == {"EvaluationID": job.id[2:]}
    assert doors.stops[0].reason == "enough"
    again = await client.delete(f"{JOBS}/{job.id}?reason=more")
    assert again.json() == {"EvaluationID": ""}
    assert doors.stops[1].reason == "more"


async def test_get_with_includes(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job = finished(job_reading())
    doors.change(job)
    answer = (await client.get(f"{JOBS}/{job.id[:10]}?include=executions%2Chistory")).json()
    assert answer["Job"]["State"] == {"StateType": "Completed"}
    assert [one["ID"] for one in answer["Executions"]["Items"]] == [job.attempts[0].id]
    assert len(answer["History"]["Items"]) == 6
    plain = (await client.get(f"{JOBS}/{job.id}")).json()
    assert "Executions" not in plain
    assert "History" not in plain


async def test_list(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    assert (await client.get(JOBS)).json() == {"NextToken": "", "Items": []}
    doors.change(job_reading())
    answer = await client.get(f"{JOBS}?labels=bacalhau_canary%21%3Dtrue&limit=10&reverse=true")
    assert len(answer.json()["Items"]) == 1


async def test_executions_order_and_limit(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job = job_reading()
    attempts = tuple(
        attempt_reading(job.id, id=f"e-{at}", index=at, created_ms=at, modified_ms=100 - at)
        for at in range(3)
    )
    doors.change(dataclasses.replace(job, attempts=attempts))
    path = f"{JOBS}/{job.id}/executions"

    async def ids(query: str) -> list[str]:
        return [one["ID"] for one in (await client.get(f"{path}?{query}")).json()["Items"]]

    assert await ids("limit=20") == ["e-0", "e-1", "e-2"]
    assert await ids("order_by=modified_at") == ["e-2", "e-1", "e-0"]
    assert await ids("reverse=true&limit=1") == ["e-2"]


async def test_results_name_an_address_that_the_asker_reaches(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    job = finished(job_reading(), doors.keep(b"manifest"))
    doors.change(job)
    answer = await client.get(f"{JOBS}/{job.id}/results", headers={"Host": "localhost:9"})
    [item] = answer.json()["Items"]
    assert item["Type"] == "urlDownload"
    path = f"/api/v1/mesh/jobs/{job.id}/results/{job.attempts[0].id}.tar.gz"
    assert item["Params"]["URL"] == "http://localhost:9" + path


async def submitted(client: httpx.AsyncClient, **fields: object) -> str:
    answer = await client.put(JOBS, json={"Job": {**JOB, "Name": "one", **fields}})
    assert answer.status_code == 200, answer.json()
    return str(answer.json()["JobID"])


async def test_the_job_names_its_client_and_the_node_that_took_it(
    real: httpx.AsyncClient, member: MemberDoors
) -> None:
    headers = {"X-Bacalhau-InstanceID": "f" * 64}
    await real.put(JOBS, json={"Job": {**JOB, "Name": "one"}}, headers=headers)
    meta = (await real.get(f"{JOBS}/one")).json()["Job"]["Meta"]
    assert meta == {
        "bacalhau.org/orchestrator.id": member.status.node,
        "bacalhau.org/requester.id": member.status.node,
        "bacalhau.org/client.instance.id": "f" * 64,
    }


async def test_a_changed_job_is_a_version_an_unchanged_one_409(real: httpx.AsyncClient) -> None:
    job = await submitted(real)
    unchanged = await real.put(JOBS, json={"Job": {**JOB, "Name": "one"}})
    assert unchanged.status_code == 409
    assert "no changes detected" in unchanged.json()["Message"]
    forced = await real.put(JOBS, json={"Job": {**JOB, "Name": "one"}, "Force": True})
    assert forced.json()["Mesh"] == {"JobVersion": 2, "Created": True}
    assert await submitted(real, Priority=1) == job
    items = (await real.get(f"{JOBS}/one/versions")).json()["Items"]
    assert [one["Version"] for one in items] == [1, 2, 3]
    assert [one["Priority"] for one in items] == [0, 0, 1]
    assert [one["State"] for one in items] == [{"StateType": "Completed"}] * 3
    assert len({one["CreateTime"] for one in items}) == 1
    assert [one["Revision"] for one in items] == sorted({one["Revision"] for one in items})


async def test_reads_are_of_one_version_or_of_all(real: httpx.AsyncClient) -> None:
    await submitted(real)
    await submitted(real, Priority=1)
    for path, key in [("executions", "JobVersion"), ("history", "JobVersion")]:
        for query, numbers in [
            ("", {2}),
            ("?job_version=1", {1}),
            ("?all_job_versions=true", {1, 2}),
            ("?all_job_versions=true&job_version=1", {1}),
        ]:
            items = (await real.get(f"{JOBS}/one/{path}{query}")).json()["Items"]
            assert {one[key] for one in items} == numbers, (path, query)
    assert (await real.get(f"{JOBS}/one?job_version=1")).json()["Job"]["Priority"] == 0


async def test_a_rerun_is_the_next_version(real: httpx.AsyncClient) -> None:
    job = await submitted(real)
    answer = (await real.put(f"{JOBS}/one/rerun", json={"JobVersion": 0, "Reason": ""})).json()
    assert answer == {
        "EvaluationID": job[2:],
        "JobID": job,
        "JobVersion": 2,
        "Warnings": None,
    }
    told = (await real.get(f"{JOBS}/{job}/history?event_type=all&job_version=2&limit=10")).json()
    assert told["NextToken"] == ""
    assert told["Items"][0]["Event"]["Message"] == "Job rerun requested"
    assert told["Items"][0]["Event"]["Details"] == {"Reason": "job rerun"}
    assert told["Items"][0]["SeqNum"] > 1


async def test_a_diff_names_each_place(real: httpx.AsyncClient) -> None:
    unknown = await real.put(f"{JOBS}/diff", json={"Job": {**JOB, "Name": "one"}})
    assert unknown.status_code == 404
    await submitted(real)
    same = await real.put(f"{JOBS}/diff", json={"Job": {**JOB, "Name": "one"}})
    assert same.json() == {"Diff": "", "Warnings": None}
    changed = {**JOB, "Name": "one", "Priority": 3}
    answer = await real.put(f"{JOBS}/diff", json={"Job": changed})
    assert answer.json()["Diff"] == "Priority: 0 -> 3\n"


async def test_a_version_made_elsewhere_a_moment_ago_is_waited_for(
    real: httpx.AsyncClient, member: MemberDoors, autojump_clock: object
) -> None:
    await submitted(real)
    assert (await real.get(f"{JOBS}/one/history?job_version=2")).status_code == 404
    async with trio.open_nursery() as nursery:

        async def arrive() -> None:
            await trio.sleep(1)
            member.stage.ask("a", RerunJob("one"))
            member.news()

        nursery.start_soon(arrive)
        answer = await real.get(f"{JOBS}/one/history?job_version=2")
    assert answer.status_code == 200


async def test_a_job_made_elsewhere_a_moment_ago_is_found(
    client: httpx.AsyncClient, doors: FakeDoors, autojump_clock: object
) -> None:
    job = job_reading(id=JobId("j-22222222-0000-4000-8000-000000000001"))
    async with trio.open_nursery() as nursery:

        async def arrive() -> None:
            await trio.sleep(1)
            doors.change(dataclasses.replace(job, state=JobState.RUNNING))

        nursery.start_soon(arrive)
        answer = await client.get(f"{JOBS}/{job.id}")
    assert answer.status_code == 200
