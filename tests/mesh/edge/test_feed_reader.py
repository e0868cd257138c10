"""The picture that a reader makes of the frames."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.edge import feed_reader
from mesh.edge.feed_reader import Picture
from tests.mesh.edge.feed_server import FIXTURES, fixture_frames


def picture_of(name: str) -> Picture:
    picture = Picture()
    for frame in fixture_frames(name):
        picture.apply(frame["event"], frame["data"])
    return picture


def snapshot(piece: int, *, more: bool, **rows: Any) -> dict[str, Any]:
    return {"Piece": piece, "More": more, **rows}


@pytest.mark.parametrize(
    ("name", "split", "duplicates"), [("calm", False, 0), ("split", True, 0), ("healed", False, 1)]
)
def test_the_three_states(name: str, split: bool, duplicates: int) -> None:
    picture = picture_of(name)
    assert picture.complete
    assert picture.mesh is not None
    assert picture.mesh["Split"] is split
    assert picture.mesh["Duplicates"] == duplicates
    assert len(picture.nodes) == 5
    assert len(picture.jobs) == 12
    assert {one["ID"] for one in picture.mesh["Unreachable"]} == {
        one["ID"] for one in picture.nodes.values() if one["State"] == "unreachable"
    }
    assert all(one["JobID"] in picture.jobs for one in picture.executions.values())


def test_the_old_picture_stands_until_the_new_one_is_whole() -> None:
    picture = Picture()
    picture.apply("snapshot", snapshot(1, more=False, Jobs=[{"ID": "j-1"}]))
    picture.apply("snapshot", snapshot(1, more=True, Jobs=[{"ID": "j-2"}]))
    assert list(picture.jobs) == ["j-1"]
    picture.apply("snapshot", snapshot(2, more=False, Jobs=[{"ID": "j-3"}]))
    assert list(picture.jobs) == ["j-2", "j-3"]


def test_a_snapshot_that_begins_again_drops_its_first_pieces() -> None:
    picture = Picture()
    picture.apply("snapshot", snapshot(1, more=True, Jobs=[{"ID": "j-1"}]))
    picture.apply("snapshot", snapshot(1, more=False, Jobs=[{"ID": "j-2"}]))
    assert list(picture.jobs) == ["j-2"]


def test_nothing_counts_before_the_first_piece() -> None:
    picture = Picture()
    picture.apply("snapshot", snapshot(2, more=False, Jobs=[{"ID": "j-1"}]))
    picture.apply("changes", {"Jobs": [{"ID": "j-2"}]})
    picture.apply("of a later release", {"Jobs": [{"ID": "j-3"}]})
    assert not picture.complete
    assert not picture.jobs


def test_a_row_replaces_that_of_its_id_and_gone_takes_it_away() -> None:
    picture = Picture()
    picture.apply("snapshot", snapshot(1, more=False, Jobs=[{"ID": "j-1", "State": "Running"}]))
    picture.apply("changes", {"Jobs": [{"ID": "j-1", "State": "Completed"}]})
    assert {one: row["State"] for one, row in picture.jobs.items()} == {"j-1": "Completed"}
    picture.apply("changes", {"Gone": {"Jobs": ["j-1", "j-unknown"]}})
    assert not picture.jobs


def test_the_oldest_finished_executions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_reader, "KEPT_FINISHED", 2)
    picture = Picture()
    picture.apply("snapshot", snapshot(1, more=False))
    for number in range(6):  # the fifth is beyond twice as many
        state = "Running" if number == 0 else "Succeeded"
        row = {"ID": f"e-{number}", "State": state, "Modified": number}
        picture.apply("changes", {"Executions": [row]})
    assert sorted(picture.executions) == ["e-0", "e-3", "e-4", "e-5"]


def test_fixtures_are_what_a_feed_sends() -> None:
    assert {one.name for one in FIXTURES.glob("*.json")} == {
        "calm.json",
        "split.json",
        "healed.json",
    }
    for path in FIXTURES.glob("*.json"):
        assert {one["event"] for one in json.loads(path.read_text())} == {"snapshot", "changes"}


def test_an_event_that_the_snapshot_had_already_is_there_once() -> None:
    picture = Picture()
    picture.apply("snapshot", snapshot(1, more=True, Events=[{"Seq": 1}, {"Seq": 2}]))
    picture.apply("snapshot", snapshot(2, more=False, Events=[{"Seq": 2}, {"Seq": 3}]))
    picture.apply("changes", {"Events": [{"Seq": 3}, {"Seq": 4}]})
    assert [one["Seq"] for one in picture.events] == [1, 2, 3, 4]
    picture.apply("snapshot", snapshot(1, more=False, Events=[{"Seq": 1}]))
    assert [one["Seq"] for one in picture.events] == [1], "a new start of the node counts anew"
