from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge import documents, node_documents, render
from scheduler.jobs import AttemptState, Observation
from tests.mesh.edge.readings import (
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


@pytest.mark.parametrize("width", [60, 50, 44, 36, 34])
def test_a_long_name_gives_way_before_the_screen_is_broken(width: int) -> None:
    rows = [("a1", "ab-cd-ef-gh-ij-kl-mn-op-qr-st", "x", "it waits for one that is busy")]
    shown = render.Table(("A", "NAME", "TYPE", "WHY"), rows, spared=("TYPE",), cut="NAME")
    text = shown.text(width).splitlines()
    assert max(map(len, text)) <= width
    assert ("TYPE" in text[0]) == (width > 40)
    assert "ab-cd-ef-gh-ij" in text[1]
    assert "it waits" in text[1]


def test_sentences_are_broken_between_words() -> None:
    line = "Message     " + "a sentence that goes on " * 6
    folded = render.fold(line, 60, 12)
    assert all(len(one) <= 60 for one in folded)
    assert " ".join(one.strip() for one in folded).split() == line.split()
    assert all(one.startswith(" " * 12) for one in folded[1:])
    assert render.fold("", 60, 12) == [""]


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
    nodes[1]["Mesh"]["State"] = "unreachable"
    assert "? / 2 " in render.node_table(nodes, NOW_MS).text(1000).splitlines()[2]


def execution(**changes: Any) -> documents.Document:
    attempt = attempt_reading(job_reading().id, **changes)
    return documents.execution_document(attempt, namespace="default", base_url="")


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


def test_a_comment_says_more_than_the_state() -> None:
    running, preparing = (
        execution(observation=Observation(state))
        for state in (AttemptState.RUNNING, AttemptState.PREPARING)
    )
    rows = render.execution_table([running, preparing]).rows
    assert [one[-1] for one in rows] == ["", "Preparing inputs"]


def test_of_several_results_of_one_part_one_counts() -> None:
    done = Observation(AttemptState.SUCCEEDED, exit_code=0)
    pair = [execution(observation=done, accepted=True), execution(observation=done)]
    text = render.execution_table(pair).text(1000)
    assert "completed, accepted" in text
    assert "completed, duplicate" in text
    assert "accepted" not in render.execution_table(pair[:1]).text(1000)


def test_times_and_ids_are_short_for_people_and_whole_when_wide() -> None:
    document = documents.job_document(job_reading())
    created_ms = document["CreateTime"] // 1_000_000
    short = render.job_table([document], created_ms + 185_000).rows[0]
    whole = render.job_table([document]).rows[0]
    assert short[:2] == ("3 min ago", document["ID"][:10])
    assert whole[:2] == (render.show_time(document["CreateTime"]), document["ID"])


@pytest.mark.parametrize(
    ("width", "headers"),
    [
        (60, "A     LONG  MIDDLE  LAST"),
        (32, "A     LONG  MIDDLE  LAST"),
        (31, "A     MIDDLE  LAST"),
        (26, "A     MIDDLE  LAST"),
        (25, "A     LAST"),
        (10, "A     LAST"),
    ],
)
def test_columns_are_spared_one_by_one_where_the_width_is_not_enough(
    width: int, headers: str
) -> None:
    table = render.Table(
        ("A", "LONG", "MIDDLE", "LAST"),
        [("aaaa", "long", "middle", "l" * 40)],
        spared=("LONG", "MIDDLE"),
    )
    lines = table.text(width).splitlines()
    assert lines[0] == headers
    assert len(lines[1]) <= max(width, len("aaaa  ") + render.MIN_LAST_COLUMN)


def placed(index: int, attempt: int) -> dict[str, Any]:
    return {
        "ExecutionID": f"e-{index}{attempt}",
        "Index": index,
        "Attempt": attempt,
        "NodeName": "north",
        "Because": "north can start it at once.",
        "Score": 786,
        "Why": "Score: fit +515, spread +136.",
        "NextBest": [{"NodeName": "south", "Score": 700}],
        "Refusals": {"image_unavailable": 2},
    }


@pytest.mark.parametrize(
    ("placements", "heads"),
    [
        ([placed(0, 1)], ["e-01 went"]),
        ([placed(0, 1), placed(0, 2)], ["e-01 went", "e-02 (attempt 2) went"]),
        (
            [placed(0, 1), placed(1, 1), placed(1, 2)],
            ["e-01 (part 0) went", "e-11 (part 1) went", "e-12 (part 1, attempt 2) went"],
        ),
    ],
)
def test_why_a_job_is_where_it_is(placements: list[dict[str, Any]], heads: list[str]) -> None:
    nodes = [
        {"NodeName": name, "Score": score, "Sentence": f"{name} can take it."}
        for name, score in (("east", 3), ("west", 0), ("south", 9), ("north", 3))
    ]
    text = render.explain_text(
        {
            "JobID": "j-1",
            "State": {"StateType": "Running"},
            "Waiting": "",
            "Placements": placements,
            "Nodes": nodes,
        },
        80,
    )
    lines = text.splitlines()
    assert lines[0] == "j-1 is Running."
    tail = " to north, because north can start it at once."
    assert [one for one in lines if one.startswith("e-")] == [f"{one}{tail}" for one in heads]
    assert lines[2:5] == [
        "    786 points: fit +515, spread +136.",
        "    next best: south with 700 points",
        "    2 nodes would not take it: image unavailable",
    ]
    assert [one.split()[0] for one in lines[-4:]] == ["south", "east", "north", "west"]
