from __future__ import annotations

import httpx

from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.readings import job_reading


async def test_the_story_of_a_job(client: httpx.AsyncClient, doors: FakeDoors) -> None:
    job = job_reading()
    doors.change(job)
    answer = await client.get(f"/api/v1/mesh/jobs/{job.id}/story")
    assert answer.status_code == 200, answer.text
    story = answer.json()
    assert (story["JobID"], story["State"]["StateType"]) == (job.id, job.state.value)
    (line,) = story["Items"]
    assert line["Sentence"] == "here took the job"
    assert (line["Seq"], line["Cause"], line["Depth"], line["ExecutionID"]) == (1, 0, 0, "")
    unknown = await client.get("/api/v1/mesh/jobs/j-nothing/story")
    assert unknown.status_code == 404
