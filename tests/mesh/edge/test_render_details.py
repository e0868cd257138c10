from __future__ import annotations

import re
from typing import Any

from mesh.edge.render_columns import Look
from mesh.edge.render_details import (
    execution_facts,
    job_facts,
    node_facts,
    node_lines,
    output_lines,
    story_lines,
)
from tests.mesh.edge.pictures import look_at, picture_of, texts

CALM = picture_of("calm")
LOOK = look_at(CALM)
START_NS = 1_795_600_000_000_000_000


def test_job() -> None:
    row = next(one for one in CALM.jobs.values() if one["Name"] == "parse-log")
    lines = texts(job_facts(row, LOOK))
    assert lines[0].startswith("✗ failed (settled) · batch of 1 · 0 done, 0 running, 0 waiting, 1")
    assert row["ID"] in lines[1]
    assert lines[-1] == "The program ended with exit code 2."


def test_times_are_exact_when_asked_for() -> None:
    row = next(one for one in CALM.jobs.values() if one["Name"] == "parse-log")
    assert texts(job_facts(row, LOOK))[1].endswith(" ago")
    exact = texts(job_facts(row, Look(LOOK.now_ms, exact=True)))[1]
    assert re.search(r"submitted \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", exact)


def test_execution() -> None:
    row = next(one for one in CALM.executions.values() if one["Accepted"])
    lines = texts(execution_facts(row, "the\x1bjob", LOOK))
    assert lines[0].startswith(f"✓ succeeded (accepted) on {row['NodeName']} · exit code 0")
    assert lines[1].endswith("of the\\x1bjob")
    running = next(one for one in CALM.executions.values() if one["State"] == "Running")
    assert len(execution_facts(running, "a", LOOK)) == 2, "its state is not said twice"


def test_node() -> None:
    row = next(one for one in CALM.nodes.values() if one["Name"] == "lab")
    assert texts(node_facts(row, LOOK))[2].startswith("runs docker 27.3.1")
    assert " ms away" in texts(node_facts(row, LOOK))[0]
    assert " away" not in texts(node_facts({**row, "State": "unreachable"}, LOOK))[0]
    answer = {
        "Refusals": {"capacity": 3},
        "Refused": [{"ExecutionID": "e-123456789", "JobID": "j-1", "Message": "busy",
                     "Reason": "capacity"}],
        "Counters": {"sent_per_hour_bytes": 1_000_000},
    }  # fmt: skip
    lines = texts(node_lines(row, answer, ""))
    assert "  3 for want of capacity" in lines
    assert "  e-12345678 of j-1: busy" in lines
    assert "  sends 1 MB an hour, hears 0 B" in lines
    assert "  no node answers" in texts(node_lines(row, None, "no node answers"))
    nothing: dict[str, Any] = {"Refusals": {}, "Refused": [], "Counters": None}
    assert "  It refused nothing." in texts(node_lines(row, nothing, ""))


def test_story_of_either_kind() -> None:
    told = {"Seq": 1, "Time": START_NS + 14_000_000, "NodeName": "lab", "Depth": 0,
            "Sentence": "lab ran it", "Because": "It could"}  # fmt: skip
    story = {
        "JobID": "j-1", "Name": "", "State": {"StateType": "Running"}, "Settled": False,
        "CreateTime": START_NS, "Items": [told],
    }  # fmt: skip
    assert texts(story_lines(story, {}, 80)) == ["+0.014 s  lab  ran it, because it could."]
    history = {
        "Time": "2026-11-25T09:46:41.000Z",
        "ExecutionID": "e-123456789",
        "Event": {"Message": "Running\x07", "Details": {"NodeID": "n-1"}},
    }
    lines = texts(story_lines({"Items": [history]}, {"n-1": "lab"}, 80))
    assert lines == ["09:46:41  e-12345678  Running\\x07 on lab"]
    assert texts(story_lines({"Items": []}, {}, 80)) == ["Nothing is told yet."]


def test_output_tells_the_streams_apart_and_shows_escapes() -> None:
    assert texts(output_lines(1, "a\n\x1b[2Jb\n")) == ["a", "\\x1b[2Jb"]
    assert texts(output_lines(2, "oh")) == ["! oh"]
