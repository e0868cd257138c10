"""What is read, what is told of it, and what waits."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from mesh.edge.feed_gather import (
    ATTEMPTS_PER_READ,
    JOBS_PER_READ,
    UNTOLD_MAX,
    Gathered,
    snapshot_reads,
)
from mesh.edge.feed_make import Here
from mesh.gossip.events import PeerState
from mesh.member.events import Changed
from mesh.member.watched import Happening, Outline, Tally, Watched, WatchedJob
from scheduler.ids import AttemptId, JobId
from tests.mesh.edge.readings import HERE, THERE, attempt_reading, job_reading, node_detail

NODES = (node_detail(HERE, "here"), node_detail(THERE, "there"))
JOB = job_reading()
EMPTY = Watched(1, (), (), (), (), 0, Tally({}, 0, 0))


def begun() -> Gathered:
    gathered = Gathered(Here(HERE, "here", "c" * 64, "0.1.0", 5))
    gathered.begin(dataclasses.replace(EMPTY, nodes=NODES, seq=4), 1_000)
    return gathered


def content(rows: Any) -> dict[str, Any]:
    return {key: json.loads(raw) for key, raw in rows.items()}


def test_what_changed_is_read_once() -> None:
    gathered = begun()
    gathered.note(Changed((JOB.id,), (THERE,), ("e-1",)))
    gathered.note(Changed((JOB.id,), (THERE,), ("e-1",)))
    assert gathered.waits
    asked = gathered.take()
    assert (asked.jobs, asked.attempts, asked.nodes) == ((JOB.id,), ("e-1",), (THERE,))
    assert asked.happenings_after == 4
    assert not gathered.waits


def test_a_burst_is_read_in_parts() -> None:
    gathered = begun()
    jobs = tuple(f"j-{number}" for number in range(JOBS_PER_READ + 1))
    attempts = tuple(f"e-{number}" for number in range(ATTEMPTS_PER_READ + 1))
    gathered.note(Changed(jobs, (), attempts))
    first, second = gathered.take(), gathered.take()
    assert first.jobs + second.jobs == jobs
    assert first.attempts + second.attempts == attempts
    assert len(second.jobs) == len(second.attempts) == 1


def test_what_could_not_be_read_waits_again() -> None:
    gathered = begun()
    gathered.note(Changed((JOB.id,), (THERE,), ("e-1",)))
    asked = gathered.take()
    gathered.put_back(asked)
    assert gathered.take() == asked


def test_rows_of_what_changed_are_told() -> None:
    gathered = begun()
    gathered.note(Changed((JOB.id,), (), ("e-1",)))
    happened = Happening(5, 1, "info", "job", "It began.")
    answer = dataclasses.replace(
        EMPTY,
        jobs=(WatchedJob(JOB, "batch", 1, 0, (), "here", 0),),
        attempts=(dataclasses.replace(attempt_reading(JOB.id), id=AttemptId("e-1")),),
        happenings=(happened,),
        seq=5,
        tally=Tally({"Pending": 1}, 0, 0),
    )
    parts = gathered.told(gathered.take(), answer, 2_000)
    assert parts is not None
    told = content(parts.rows)
    assert set(told) == {"Mesh", "Jobs", "Executions", "Events"}
    assert told["Mesh"]["Jobs"] == {"Pending": 1}
    assert not any(parts.gone.values())
    assert gathered.seq == 5


def test_nothing_new_is_not_told() -> None:
    gathered = begun()
    answer = dataclasses.replace(EMPTY, nodes=NODES, seq=4)
    assert gathered.told(gathered.take(sweep=True), answer, 9_000) is None


def test_a_sweep_asks_for_every_node_and_tells_those_that_differ() -> None:
    gathered = begun()
    asked = gathered.take(sweep=True)
    assert asked.nodes is None
    lost = dataclasses.replace(NODES[1], state=PeerState.UNREACHABLE)
    parts = gathered.told(asked, dataclasses.replace(EMPTY, nodes=(NODES[0], lost)), 2_000)
    assert parts is not None
    told = content(parts.rows)
    assert [one["Name"] for one in told["Nodes"]] == ["there"]
    assert told["Mesh"]["Split"] is True


def test_what_is_not_known_any_more_is_gone() -> None:
    gathered = begun()
    gathered.note(Changed((JOB.id,), (THERE,), ("e-1",)))
    parts = gathered.told(gathered.take(), EMPTY, 2_000)
    assert parts is not None
    assert parts.gone == {"Jobs": [JOB.id], "Executions": ["e-1"], "Nodes": [THERE]}
    assert gathered.mesh is not None
    assert gathered.mesh["Members"] == 1


def test_too_much_to_tell_change_by_change() -> None:
    gathered = begun()
    gathered.note(Changed(tuple(f"j-{number}" for number in range(UNTOLD_MAX))))
    assert not gathered.overflows
    gathered.note(Changed((), (), ("e-1",)))
    assert gathered.overflows


def test_a_snapshot_is_read_in_parts() -> None:
    jobs = tuple(JobId(f"j-{number}") for number in range(2 * JOBS_PER_READ + 1))
    attempts = tuple(AttemptId(f"e-{number}") for number in range(ATTEMPTS_PER_READ + 1))
    reads = snapshot_reads(Outline(jobs, attempts))
    assert sum((one.jobs for one in reads), ()) == jobs
    assert sum((one.attempts for one in reads), ()) == attempts
    assert [len(one.jobs) for one in reads] == [JOBS_PER_READ, JOBS_PER_READ, 1, 0, 0]


def test_the_first_piece_has_the_whole_and_its_nodes() -> None:
    gathered = begun()
    told = content(gathered.snapshot_head(EMPTY).rows)
    assert told["Mesh"]["Members"] == 2
    assert [one["Name"] for one in told["Nodes"]] == ["here", "there"]
    job = WatchedJob(JOB, "batch", 1, 0, (), "here", 0)
    piece = content(gathered.snapshot_piece(dataclasses.replace(EMPTY, jobs=(job,))).rows)
    assert [one["ID"] for one in piece["Jobs"]] == [JOB.id]
