from __future__ import annotations

from typing import Any

import pytest

from mesh.edge import render_rows as rows
from mesh.edge.feed_rows import NodeRow
from mesh.edge.render_columns import Column, Look, lay_out, line_text, row_line
from tests.mesh.edge.pictures import look_at, picture_of

CALM = picture_of("calm")
HEALED = picture_of("healed")


def node(name: str, **changes: Any) -> Any:
    row = next(one for one in CALM.nodes.values() if one["Name"] == name)
    return {**row, **changes}


def job(name: str, **changes: Any) -> Any:
    row = next(one for one in CALM.jobs.values() if one["Name"] == name)
    return {**row, **changes}


def cell(columns: tuple[Column, ...], title: str, row: Any) -> tuple[str, str]:
    return next(one for one in columns if one.title == title).cell(row, look_at(CALM))


@pytest.mark.parametrize(
    ("state", "intent", "shown"),
    [
        ("alive", "", "● alive"),
        ("alive", "cordoned", "‖ cordoned"),
        ("alive", "draining", "▽ draining"),
        ("suspect", "cordoned", "? suspect"),
        ("unreachable", "cordoned", "✗ unreachable"),
        ("left", "", "· left"),
        ("of-tomorrow", "", "? of-tomorrow"),
    ],
)
def test_node_state_is_a_mark_and_a_word(state: str, intent: str, shown: str) -> None:
    row = node("bridge", State=state, Intent=intent)
    assert cell(rows.NODE_COLUMNS, "STATE", row)[0] == shown


def test_what_an_unreachable_node_has_free_is_not_known() -> None:
    row = node("lab", State="unreachable")
    assert [cell(rows.NODE_COLUMNS, one, row)[0] for one in ("CPU", "GPU", "LOAD", "RTT")] == [
        "?/8",
        "?/1",
        "-",
        "-",
    ]


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(512, "512"), (2_500, "2.5k"), (20_000_000, "20M"), (6_442_450_944, "6.4G"), (10**13, "10T")],
)
def test_amounts(size_bytes: int, text: str) -> None:
    amounts = {"CPU": 1500, "Memory": size_bytes, "Disk": 0, "GPU": 0}
    row = node("bridge", Capacity=amounts, Free=amounts)
    assert cell(rows.NODE_COLUMNS, "MEMORY", row)[0] == f"{text}/{text}"
    assert cell(rows.NODE_COLUMNS, "CPU", row)[0] == "1.5/1.5"
    assert cell(rows.NODE_COLUMNS, "DISK", row) == ("-", "dim")


@pytest.mark.parametrize(
    ("name", "changes", "shown"),
    [
        ("arm-only-scan", {}, "No node can run it: none of 5 has the label arch=riscv64."),
        ("arm-only-scan", {"Message": "1 part waits: lab is busy."}, "lab is busy."),
        ("arm-only-scan", {"Message": "12 parts wait: lab is busy."}, "lab is busy."),
        ("fuel-report", {}, "settled, engine-room"),
        ("fuel-report", {"Settled": False}, "provisional, engine-room"),
        ("fuel-report", {"Duplicates": 2}, "settled, 2 duplicates, engine-room"),
        ("vibration-fft", {}, "engine-room, lab, bridge +1"),
    ],
)
def test_where_or_why(name: str, changes: dict[str, Any], shown: str) -> None:
    assert cell(rows.JOB_COLUMNS, "WHERE OR WHY", job(name, **changes))[0] == shown


def test_a_job_without_a_name_goes_by_its_id() -> None:
    row = job("fuel-report")
    assert rows.job_label(row | {"Name": ""}) == rows.job_label(row | {"Name": row["ID"]})
    assert rows.job_label(row | {"Name": ""}) == row["ID"][:10]


def test_jobs_that_go_on_stand_first_then_the_latest_ended() -> None:
    found = sorted(CALM.jobs.values(), key=rows.JOB_COLUMNS[0].order)
    states = [one["State"] for one in found]
    assert states[:6] == ["Running"] * 4 + ["Queued"] * 2
    ended = [one["Modified"] for one in found[6:]]
    assert ended == sorted(ended, reverse=True)


@pytest.mark.parametrize(
    ("state", "message", "shown"),
    [("Running", "Running", ""), ("Preparing", "Preparing inputs", "Preparing inputs")],
)
def test_a_comment_says_more_than_the_state(state: str, message: str, shown: str) -> None:
    row: Any = {**next(iter(CALM.executions.values())), "State": state, "Message": message}
    assert cell(rows.execution_columns({}), "COMMENT", row)[0] == shown


def test_names_are_whole_before_reasons_are_on_a_narrow_screen() -> None:
    row = job("fuel-report", Name="daily-report-11", Count=1)
    text = line_text(row_line(lay_out(rows.JOB_COLUMNS, 80), row, look_at(CALM)))
    assert "daily-report-11" in text
    assert "settled, engine-room" in text


def test_accepted_and_duplicate() -> None:
    columns = rows.execution_columns({})
    said = {cell(columns, "ANSWER", one)[0] for one in HEALED.executions.values() if one["JobID"]}
    assert said == {"", "accepted", "duplicate"}


ALL = [
    ("nodes", rows.NODE_COLUMNS, list(CALM.nodes.values())),
    ("jobs", rows.JOB_COLUMNS, list(CALM.jobs.values())),
    ("executions", rows.execution_columns({}), list(CALM.executions.values())),
    ("events", rows.EVENT_COLUMNS, list(CALM.events)),
]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize(("name", "columns", "found"), ALL, ids=[one[0] for one in ALL])
def test_every_column_draws_and_sorts(
    name: str, columns: tuple[Column, ...], found: list[Any], width: int, exact: bool
) -> None:
    shown = rows.exact_columns(columns) if exact else columns
    layout = lay_out(shown, width)
    if width >= 80 and not exact:
        assert sum(wide + 1 for _, wide in layout) - 1 <= width
    for one in found:
        text = line_text(row_line(layout, one, Look(look_at(CALM).now_ms, exact)))
        assert text.isprintable()
    for one in columns:
        assert len(sorted(found, key=one.order)) == len(found)


def test_found_by_words_ids_and_labels() -> None:
    row: NodeRow = node("galley")
    text = rows.search_text(row)
    assert all(word in text for word in ("galley", "cordoned", "site=vessel", row["ID"], "wasm"))
    assert "engine-room" in rows.search_text(job("fuel-report"))
