"""The ring of changes: positions, frames by topic, and when a reader needs a snapshot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.edge.feed import (
    SEND_BYTES,
    TOPICS,
    Parts,
    Position,
    Ring,
    changes_frame,
    encode_rows,
    read_position_untrusted,
    snapshot_frames,
)

ALL = frozenset(TOPICS)


def parts(**rows: Any) -> Parts:
    return Parts(encode_rows(**rows))


def frames_in(raw: bytes) -> list[tuple[str, str, Any]]:
    """(id, event, document) of each frame."""
    found = []
    for text in raw.decode().split("\n\n")[:-1]:
        told = dict(line.split(": ", 1) for line in text.split("\n"))
        found.append((told.get("id", ""), told["event"], json.loads(told["data"])))
    return found


def test_a_reader_gets_what_came_after_its_position() -> None:
    ring = Ring(7)
    start = ring.position
    for number in range(3):
        ring.add(parts(Jobs=[{"ID": f"j-{number}"}]))
    following = ring.next_for(start)
    assert following is not None
    raw, position = following
    assert [one[0] for one in frames_in(raw)] == ["7-1", "7-2", "7-3"]
    assert frames_in(raw)[2][2] == {"Jobs": [{"ID": "j-2"}]}
    assert position == ring.position == Position(7, 3)
    assert ring.next_for(position) == (b"", position)


@pytest.mark.parametrize("position", [Position(6, 2), Position(7, 3), Position(7, -1)])
def test_a_position_that_is_none_of_ours_needs_a_snapshot(position: Position) -> None:
    ring = Ring(7)
    ring.add(parts(Jobs=[1]))
    ring.add(parts(Jobs=[2]))
    assert ring.next_for(position) is None


def test_what_fell_off_needs_a_snapshot_and_the_rest_goes_on() -> None:
    by_count, by_bytes = Ring(1, entries_max=2), Ring(1, bytes_max=30)
    for ring in (by_count, by_bytes):
        for number in range(4):
            ring.add(parts(Jobs=["x" * 8 + str(number)]))
        assert ring.next_for(Position(1, 1)) is None
        following = ring.next_for(Position(1, 2))
        assert following is not None
        assert [one[0] for one in frames_in(following[0])] == ["1-3", "1-4"]


def test_one_entry_larger_than_the_ring_is_still_told() -> None:
    ring = Ring(1, bytes_max=10)
    ring.add(parts(Jobs=["x" * 100]))
    assert ring.next_for(Position(1, 0)) is not None


def test_topics_choose_rows_and_the_mesh_is_for_all() -> None:
    entry = Parts(
        encode_rows(Mesh={"Split": True}, Jobs=[{"ID": "j"}], Events=[{"Seq": 1}]),
        {"Jobs": ["j-gone"], "Nodes": ["n-gone"], "Executions": []},
    )
    every = frames_in(changes_frame(entry, Position(1, 1), ALL))[0][2]
    assert every["Gone"] == {"Jobs": ["j-gone"], "Nodes": ["n-gone"]}
    nodes = frames_in(changes_frame(entry, Position(1, 1), frozenset({"nodes"})))[0][2]
    assert nodes == {"Mesh": {"Split": True}, "Gone": {"Nodes": ["n-gone"]}}


def test_a_change_of_no_interest_moves_the_position_and_says_nothing() -> None:
    ring = Ring(1)
    ring.add(parts(Jobs=[1]))
    assert ring.next_for(Position(1, 0), frozenset({"nodes"})) == (b"", Position(1, 1))


def test_a_frame_is_made_once_for_all_readers() -> None:
    entry = parts(Jobs=[1])
    made = changes_frame(entry, Position(1, 1), ALL)
    assert changes_frame(entry, Position(1, 1), ALL) is made


def test_a_reader_far_behind_is_sent_so_much_at_a_time() -> None:
    ring = Ring(1)
    for _ in range(3):
        ring.add(parts(Jobs=["x" * SEND_BYTES]))
    position, reads = Position(1, 0), 0
    while position != ring.position:
        following = ring.next_for(position)
        assert following is not None
        position, reads = following[1], reads + 1
    assert reads == 3


def test_a_snapshot_says_where_to_go_on_from_in_its_last_piece_alone() -> None:
    pieces = [parts(Mesh={"Time": 1}), parts(Jobs=[1]), parts(Executions=[2])]
    told = [frames_in(one)[0] for one in snapshot_frames(pieces, Position(255, 9), ALL)]
    assert [one[0] for one in told] == ["", "", "ff-9"]
    assert [(one[2]["Piece"], one[2]["More"]) for one in told] == [(1, True), (2, True), (3, False)]
    assert {one[1] for one in told} == {"snapshot"}


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**15 - 1))
def test_a_position_is_read_back(boot: int, number: int) -> None:
    position = Position(boot, number)
    assert read_position_untrusted(str(position)) == position


@given(st.text(max_size=40))
def test_any_text_is_a_position_or_none(text: str) -> None:
    position = read_position_untrusted(text)
    assert position is None or position.number >= 0


@pytest.mark.parametrize("text", ["", "-", "1", "g-1", "1-", "1--1", "1-x", "1-1 ", "F-1"])
def test_no_position(text: str) -> None:
    assert read_position_untrusted(text) is None


def test_what_came_since_a_position() -> None:
    ring = Ring(1)
    for number in range(3):
        ring.add(parts(Jobs=[number]))
    rows = [one.rows["Jobs"] for one in ring.since(Position(1, 1))]
    assert rows == [b"[1]", b"[2]"]
    assert ring.since(ring.position) == []
