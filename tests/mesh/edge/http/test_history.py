from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.http import history as history_module
from mesh.edge.http.errors import Refused
from mesh.edge.http.history import Cursor, _read_token_untrusted, _write_token
from mesh.member.commands import HistoryItem
from scheduler.ids import Dot
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.member_doors import MemberDoors
from tests.mesh.edge.readings import HERE, JOB, START_MS, THERE, finished, job_reading

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
    assert "No member could ever run it" in waits["Event"]["Message"]
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


# --- cursors --------------------------------------------------------------------------------------


def line(time_ms: int, dot: Dot) -> HistoryItem:
    return HistoryItem(0, "JobLevel", None, "Scheduling", f"{dot}", {}, time_ms, dot)


def in_order(lines: Sequence[HistoryItem]) -> tuple[HistoryItem, ...]:
    ordered = sorted(lines, key=lambda one: (one.time_ms, one.dot))
    return tuple(dataclasses.replace(one, seq=at) for at, one in enumerate(ordered, 1))


async def test_a_late_record_of_another_side_is_told_once(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    here = [line(START_MS + 10 * number, Dot(HERE, 1, number)) for number in (1, 2, 3)]
    late = line(START_MS + 15, Dot(THERE, 9, 4))
    job = job_reading(history=in_order(here))
    doors.change(job)
    path = f"{JOBS}/{job.id}/history?limit=100"
    first = (await client.get(path)).json()
    assert len(first["Items"]) == 3
    doors.change(dataclasses.replace(job, revision=2, history=in_order([*here, late])))
    second = (await client.get(f"{path}&next_token={first['NextToken']}")).json()
    assert [one["Event"]["Message"] for one in second["Items"]] == [late.message]
    third = (await client.get(f"{path}&next_token={second['NextToken']}")).json()
    assert third["Items"] == []


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), max_size=30),
    st.integers(1, 7),
    st.data(),
)
def test_whoever_follows_is_told_each_line_once_whatever_the_order_of_arrival(
    steps: list[tuple[int, int]], limit: int, data: st.DataObject
) -> None:
    logs: dict[int, list[HistoryItem]] = {}
    for log, pause_ms in steps:
        own = logs.setdefault(log, [])
        before_ms = own[-1].time_ms if own else 0
        own.append(line(before_ms + pause_ms, Dot(HERE, log, len(own) + 1)))
    held = dict.fromkeys(logs, 0)
    cursor, told = Cursor(), list[HistoryItem]()
    while len(told) < len(steps):
        for log, own in logs.items():
            held[log] = data.draw(st.integers(held[log], len(own)))
        here = in_order([one for log, own in logs.items() for one in own[: held[log]]])
        wanted = [one for one in here if not cursor.has_told(one)]
        page = wanted[:limit]
        told += page
        passed = here if len(page) == len(wanted) else here[: page[-1].seq]
        cursor = _read_token_untrusted(_write_token(cursor.after(passed, 0)))
        if not page:
            held = {log: len(own) for log, own in logs.items()}
    assert sorted(one.dot for one in told) == sorted(
        one.dot for own in logs.values() for one in own
    )


def test_a_cursor_of_very_many_logs_stays_short_and_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_module, "MAX_LOGS", 5)
    lines = in_order([line(START_MS + epoch, Dot(HERE, epoch, 1)) for epoch in range(1, 21)])
    cursor, told = Cursor(), list[HistoryItem]()
    while page := [one for one in lines if not cursor.has_told(one)][:3]:
        told += page
        cursor = cursor.after(lines[: page[-1].seq], 0)
        assert len(cursor.told) <= 5
    assert told == list(lines)


@pytest.mark.parametrize("token", ["a", "!!", "é", "aDozOjA", "AQ", "A" * 30, "A" * 9000])
def test_a_token_of_another_making_is_the_callers_mistake(token: str) -> None:
    with pytest.raises(Refused, match="next_token"):
        _read_token_untrusted(token)
