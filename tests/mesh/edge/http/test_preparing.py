"""What nodes say about executions that they prepare, and who is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import trio

from mesh.edge.http.preparing import ANSWER_S, ASKED_MAX, with_remarks
from mesh.member.commands import AttemptReading
from mesh.node.requests import LogPart
from scheduler.ids import AttemptId
from scheduler.jobs import AttemptState, Observation
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.readings import attempt_reading, job_reading

JOB = job_reading()
PULLS = Observation(AttemptState.PREPARING, message="The engine is pulling the image x.")
FIRST = (3, b"[bacalhau-mesh: pulling x]\n")
SECOND = (3, b"[bacalhau-mesh: pulling x: 1.0 of 3.1 MB, 0 of 2 layers are here]\n")
SAID = "Pulling x: 1.0 of 3.1 MB, 0 of 2 layers are here."
Pages = Sequence[Sequence[tuple[int, bytes]]]


def preparing(name: str = "e-1") -> AttemptReading:
    return attempt_reading(JOB.id, id=AttemptId(name), observation=PULLS)


async def message(doors: FakeDoors, attempt: AttemptReading) -> str:
    [told] = await with_remarks(doors, [attempt])
    return told.observation.message


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([[FIRST], [SECOND]], SAID),
        ([[(3, FIRST[1] + SECOND[1])]], SAID),
        ([[FIRST, (1, b"what an earlier life printed")]], "Pulling x."),
        ([[(1, b"no remark\n")]], PULLS.message),
        ([], PULLS.message),
        ([[(3, b"half a remark")]], PULLS.message),
    ],
)
async def test_the_last_remark_is_told(doors: FakeDoors, pages: Pages, said: str) -> None:
    doors.logs = [(parts, number, False) for number, parts in enumerate(pages, 1)]
    assert await message(doors, preparing()) == said


async def test_others_are_not_asked(doors: FakeDoors) -> None:
    running = attempt_reading(JOB.id)
    assert await with_remarks(doors, [running]) == [running]
    assert doors.log_questions == []
    await with_remarks(doors, [preparing(f"e-{number}") for number in range(ASKED_MAX + 1)])
    assert len({attempt for attempt, _, _ in doors.log_questions}) == ASKED_MAX


async def test_a_node_that_cannot_be_asked_leaves_its_record(
    doors: FakeDoors, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors.away.add(AttemptId("e-1"))
    assert await message(doors, preparing()) == PULLS.message

    async def never(*_: object, **__: object) -> LogPart:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(doors, "read_logs", never)
    begun_s = trio.current_time()
    assert await message(doors, preparing("e-2")) == PULLS.message
    assert trio.current_time() - begun_s == pytest.approx(ANSWER_S, abs=0.1)


async def test_it_is_told_with_the_job_its_executions_and_its_story(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    doors.change(dataclasses.replace(JOB, attempts=(preparing(),)))
    doors.logs = [([SECOND], 1, False)]

    async def get(path: str) -> Any:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    job = f"/api/v1/orchestrator/jobs/{JOB.id}"
    [one] = (await get(f"{job}?include=executions"))["Executions"]["Items"]
    [other] = (await get(f"{job}/executions"))["Items"]
    assert one["ComputeState"]["Message"] == other["ComputeState"]["Message"] == SAID
    story = await get(f"/api/v1/mesh/jobs/{JOB.id}/story")
    assert story["Now"] == [f"e-1 on there: {SAID}"]
