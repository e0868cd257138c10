from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge import documents, node_documents, render
from scheduler.jobs import AttemptState, Observation
from tests.mesh.edge.fake_doors import (
    HERE,
    THERE,
    attempt_reading,
    finished,
    job_reading,
    node_detail,
)

OBEYED = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} | set("\u202e\u2066\u200f")


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not set(render.plain(text)) & OBEYED
    assert not set(render.plain_lines(text)) & (OBEYED - {"\n", "\t"})


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"))))
def test_letters_are_left_alone(text: str) -> None:
    assert render.plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb", "a\\nb"),
        ("a\rb", "a\\rb"),
        ("\u202eevil", "\\u202eevil"),
        ("\x9b2J", "\\x9b2J"),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert render.plain(text) == shown


NOW_MS = 1_790_000_000_000


def test_a_table_gives_way_in_its_last_column() -> None:
    text = render.table(("A", "B"), [("one", "x" * 50), ("three", "y")], 30)
    assert text.splitlines() == ["A      B", "one    " + "x" * 22 + "…", "three  y"]


def test_wide_letters_take_two_columns() -> None:
    lines = render.table(("A", "B"), [("漢字", "x"), ("ab", "y")], 80).splitlines()
    assert lines == ["A     B", "漢字  x", "ab    y"]


def test_a_narrow_terminal_is_no_error() -> None:
    assert render.job_table([documents.job_document(job_reading())]).text(1)


def test_node_table() -> None:
    nodes = [
        node_documents.node_document(one, system="linux", machine="amd64")
        for one in (node_detail(HERE, "here"), node_detail(THERE, "there"))
    ]
    lines = render.node_table(nodes, NOW_MS).text(1000).splitlines()
    assert "here (asked)" in lines[1]
    assert "1.5 / 2" in lines[1]
    assert "alive" in lines[2]


def execution(**changes: Any) -> documents.Document:
    attempt = attempt_reading(job_reading().id, **changes)
    return documents.execution_document(attempt, namespace="default", base_url="")


@pytest.mark.parametrize(
    ("observation", "line"),
    [
        (
            Observation(AttemptState.ASSIGNED),
            "e-00000000 assigned on there: Score: locality +50, fit +20.",
        ),
        (Observation(AttemptState.RUNNING), "e-00000000 running on there"),
        (
            Observation(AttemptState.FAILED, message="It broke\x07."),
            "e-00000000 failed on there: It broke\\x07.",
        ),
        (
            Observation(AttemptState.SUCCEEDED, exit_code=0, elapsed_ms=12),
            "e-00000000 completed on there in 12 ms, exit code 0",
        ),
    ],
)
def test_execution_lines(observation: Observation, line: str) -> None:
    assert render.execution_line(execution(observation=observation)) == line


def test_progress_tells_what_is_new() -> None:
    job = finished(job_reading())
    change = documents.change_document(job, job.attempts)
    new = render.progress_lines(change, {})
    assert list(new) == [job.attempts[0].id]
    assert render.progress_lines(change, new) == {}


def test_progress_says_why_a_job_waits() -> None:
    job = job_reading(message="1 slot waits: 2 nodes have no room")
    [line] = render.progress_lines(documents.change_document(job, ()), {}).values()
    assert line == "pending: 1 slot waits: 2 nodes have no room"


@pytest.mark.parametrize(("settled", "word"), [(True, "(settled)"), (False, "(provisional)")])
def test_describe(settled: bool, word: str) -> None:
    job = finished(job_reading(settled=settled))
    answer = {
        "Job": documents.job_document(job),
        "Mesh": documents.job_mesh_document(job),
        "History": documents.page([documents.history_document(one, job.id) for one in job.history]),
        "Executions": documents.page([execution(observation=job.attempts[0].observation)]),
    }
    text = render.describe(answer, 100)
    assert word in text
    assert "Completed successfully" in text
    assert "printed" in text
    assert all(len(line) <= 110 for line in text.splitlines())


def test_of_several_results_of_one_part_one_counts() -> None:
    done = Observation(AttemptState.SUCCEEDED, exit_code=0)
    pair = [execution(observation=done, accepted=True), execution(observation=done)]
    text = render.execution_table(pair).text(1000)
    assert "completed, accepted" in text
    assert "completed, duplicate" in text
    assert "accepted" not in render.execution_table(pair[:1]).text(1000)


def test_a_retry_is_told_as_such() -> None:
    line = render.execution_line(execution(number=2))
    assert line == "e-00000000 running on there (attempt 2)"


def test_times_and_ids_are_short_for_people_and_whole_when_wide() -> None:
    document = documents.job_document(job_reading())
    created_ms = document["CreateTime"] // 1_000_000
    short = render.job_table([document], created_ms + 185_000).rows[0]
    whole = render.job_table([document]).rows[0]
    assert short[:2] == ("3 min ago", document["ID"][:10])
    assert whole[:2] == (render.show_time(document["CreateTime"]), document["ID"])
