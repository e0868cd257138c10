from __future__ import annotations

from typing import Any

import pytest

from mesh.edge.feed_reader import Picture
from mesh.edge.render import text_width
from mesh.edge.render_columns import GAP, Look, lay_out
from mesh.edge.render_top import (
    HEALED_SHOWN_MS,
    TABS,
    banner_lines,
    columns_of,
    frame,
    header_lines,
    healed_lines,
    lost_lines,
    spare_lines,
    split_lines,
)
from tests.mesh.edge.pictures import look_at, picture_of, texts

STATES = ("calm", "split", "healed")


@pytest.mark.parametrize("width", [40, 47, 60, 80, 200])
@pytest.mark.parametrize("name", STATES)
def test_no_line_is_wider_than_the_screen(name: str, width: int) -> None:
    picture = picture_of(name)
    look = look_at(picture)
    assert picture.mesh is not None
    lines = header_lines(picture.mesh, look, width) + banner_lines(picture, look, width)
    lines += frame(picture, look, width)
    assert [line for line in lines if sum(text_width(text) for text, _ in line) > width] == []


def test_header() -> None:
    picture = picture_of("calm")
    assert picture.mesh is not None
    assert texts(header_lines(picture.mesh, look_at(picture), 80)) == [
        "bacalhau-mesh 2e7d2c03 · asked bridge · 5 of 5 nodes heard          09:46:43 UTC",
        "▶ 4 running … 2 queued ✗ 1 failed ■ 1 stopped ✓ 4 completed · 1 provisional",
    ]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (71, "bacalhau-mesh 2e7d2c03 · asked bridge · 5 of 5 nodes heard 09:46:43 UTC"),
        (62, "bacalhau-mesh · asked bridge · 5 of 5 nodes heard 09:46:43 UTC"),
        (50, "asked bridge · 5 of 5 nodes heard    09:46:43 UTC"),
        (40, "bridge · 5 of 5 heard           09:46:43"),
        (24, "5 of 5 heard    09:46:43"),
    ],
)
def test_header_says_less_where_there_is_little_room(width: int, line: str) -> None:
    picture = picture_of("calm")
    assert picture.mesh is not None
    first, _ = texts(header_lines(picture.mesh, look_at(picture), width))
    assert len(first) == width
    assert first.split() == line.split()


def test_states_of_jobs_are_marks_where_there_is_no_room_for_words() -> None:
    picture = picture_of("calm")
    assert picture.mesh is not None
    _, jobs = texts(header_lines(picture.mesh, look_at(picture), 40))
    assert jobs == "▶ 4 … 2 ✗ 1 ■ 1 ✓ 4 · 1 provisional"


@pytest.mark.parametrize("tab", TABS)
def test_columns_give_way_one_by_one_down_to_40(tab: str) -> None:
    columns = columns_of(tab, picture_of("healed"))
    fewer: set[str] = set()
    for width in range(200, 39, -1):
        layout = lay_out(columns, width)
        assert sum(wide + GAP for _, wide in layout) - GAP <= width
        shown = {one.title for one, _ in layout}
        assert not fewer & shown, "what gave way stays away"
        fewer |= {one.title for one in columns} - shown
    assert len(shown) >= 3


def test_split_banner() -> None:
    picture = picture_of("split")
    assert texts(split_lines(picture, look_at(picture), 80)) == [
        " SPLIT       galley and lab cannot be heard here for 7 s",
        " our side    3 nodes, 6 executions running: work goes on",
        " their side  5 executions asked of it: vibration-fft (3), spectra-train and",
        "             ais-listener",
    ]
    assert healed_lines(picture, look_at(picture), 80, 1) == []


@pytest.mark.parametrize(
    ("most", "shown"),
    [
        (99, 8),
        (
            6,
            [
                " SPLIT       galley and lab cannot be …",
                " our side    3 nodes, 6 executions …",
                " their side  5 executions asked of it: …",
            ],
        ),
        (1, [" SPLIT       galley and lab cannot be …"]),
    ],
)
def test_a_banner_leaves_room_on_a_small_screen(most: int, shown: Any) -> None:
    picture = picture_of("split")
    lines = texts(spare_lines(split_lines(picture, look_at(picture), 40), most))
    assert shown in (lines, len(lines))


def test_a_whole_mesh_has_no_banner() -> None:
    picture = picture_of("calm")
    assert banner_lines(picture, look_at(picture), 80) == []


def test_healed_banner() -> None:
    picture = picture_of("healed")
    look = look_at(picture)
    assert picture.mesh is not None
    assert texts(healed_lines(picture, look, 80, look.now_ms - 4_000)) == [
        " HEALED      4 s ago, all 5 nodes are heard; 2 answers not settled yet",
        " done twice  1 duplicate kept: vibration-fft (e-b0daa9ef on lab counts)",
    ]
    later = Look(look.now_ms + 2 * HEALED_SHOWN_MS)
    assert healed_lines(picture, later, 80, look.now_ms) == []


def test_healed_without_duplicates_says_so_shortly() -> None:
    picture = picture_of("calm")
    look = look_at(picture)
    assert picture.mesh is not None
    picture.mesh = {**picture.mesh, "Provisional": 0}
    [line] = texts(healed_lines(picture, look, 80, look.now_ms - 1_000))
    assert line == " HEALED      1 s ago, all 5 nodes are heard; every answer is settled"


def test_lost_banner_is_broken_in_lines() -> None:
    lines = texts(lost_lines("no node answers at 127.0.0.1:1234 " + "and so on " * 8, 60))
    assert len(lines) == 3
    assert lines[0].startswith(" LOST        no node")


@pytest.mark.parametrize("name", STATES)
def test_frame_has_every_table(name: str) -> None:
    picture = picture_of(name)
    shown = texts(frame(picture, look_at(picture), 80))
    for head in ("NODES 5", "JOBS 12", f"EXECUTIONS {len(picture.executions)}"):
        assert head in shown
    assert any(line.startswith("and ") for line in shown)
    every = texts(frame(picture, look_at(picture), 80, every=True))
    assert len(every) > len(shown)
    assert not any(line.startswith("and ") for line in every)


@pytest.mark.parametrize("name", STATES)
def test_nothing_that_a_terminal_obeys_is_let_through(name: str) -> None:
    picture = picture_of(name)
    tables: list[Any] = [picture.nodes, picture.jobs, picture.executions]
    for table in tables:
        for key, row in list(table.items()):
            table[key] = _poisoned(row)
    assert picture.mesh is not None
    picture.mesh = {**picture.mesh, "Name": "\x1b[2J", "Jobs": {"\x1b[2J": 1}}
    for event in picture.events:
        event["Sentence"] = "\x1b]0;title\x07"
    shown = "\n".join(texts(frame(picture, look_at(picture), 120)))
    assert "\\x1b" in shown
    assert all(one.isprintable() for one in shown.split("\n"))


def _poisoned(row: dict) -> dict:
    keep = ("ID", "JobID", "NodeID", "State", "Intent")
    return {
        key: one + "\x1b[31m\u202e" if isinstance(one, str) and key not in keep else one
        for key, one in row.items()
    }


def test_before_the_first_snapshot() -> None:
    assert texts(frame(Picture(), Look(1), 80)) == ["The node has told nothing yet."]
