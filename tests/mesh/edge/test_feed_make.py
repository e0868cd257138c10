"""Readings made into rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mesh.edge import feed_rows
from mesh.edge.feed_make import Here, event_row, execution_row, is_news, job_row, mesh_row, node_row
from mesh.gossip.events import PeerState
from mesh.member.watched import Happening, Tally, WatchedJob
from scheduler.jobs import AttemptState, JobState, Observation, Resources
from tests.mesh.edge.readings import HERE, THERE, attempt_reading, job_reading, node_detail

ME = Here(HERE, "here", "c" * 64, "0.1.0", 5)
CALM = Tally({"Running": 2}, 1, 0)


def watched(**changes: Any) -> WatchedJob:
    job = WatchedJob(job_reading(), "batch", 3, 7, ("a", "b", "c", "d"), "here", 1)
    return dataclasses.replace(job, **changes)


def test_a_job() -> None:
    row = job_row(watched(), {})
    assert set(row) == set(feed_rows.JobRow.__annotations__)
    assert (row["Where"], row["WhereMore"]) == (["a", "b", "c"], 1)
    assert (row["Type"], row["Count"], row["Priority"], row["Duplicates"]) == ("batch", 3, 7, 1)
    assert (row["Done"], row["Running"], row["Waiting"], row["Failed"]) == (0, 0, 1, 0)


def test_what_is_over_waits_for_nothing() -> None:
    assert job_row(watched(reading=job_reading(state=JobState.STOPPED)), {})["Waiting"] == 0


def test_a_job_without_a_name_or_a_spec() -> None:
    reading = job_reading(spec=None, state=JobState.FAILED, message="It broke.")
    row = job_row(watched(reading=dataclasses.replace(reading, name=reading.id)), {})
    assert (row["Name"], row["Labels"], row["Message"]) == ("", {}, "It broke.")


@pytest.mark.parametrize(
    ("state", "accepted", "duplicate"),
    [
        (AttemptState.SUCCEEDED, True, False),
        (AttemptState.SUCCEEDED, False, True),
        (AttemptState.FAILED, False, False),
        (AttemptState.RUNNING, False, False),
    ],
)
def test_a_second_success_is_a_duplicate(
    state: AttemptState, accepted: bool, duplicate: bool
) -> None:
    attempt = attempt_reading(job_reading().id, observation=Observation(state), accepted=accepted)
    row = execution_row(attempt)
    assert set(row) == set(feed_rows.ExecutionRow.__annotations__)
    assert (row["Accepted"], row["Duplicate"]) == (accepted, duplicate)
    assert row["State"] == state.name.capitalize()
    assert row["Message"]


def test_a_node() -> None:
    detail = dataclasses.replace(
        node_detail(THERE, "there"), load=0.4, rtt_ms=1.234, used=Resources(10**9, 0, 0, 0)
    )
    row = node_row(detail)
    assert set(row) == set(feed_rows.NodeRow.__annotations__)
    assert (row["Load"], row["RoundTripMs"], row["Name"]) == (0.4, 1.23, "there")
    assert row["Free"]["CPU"] == 0, "more than all may be promised, less than none is not free"


@pytest.mark.parametrize(
    ("change", "news"),
    [
        ({}, False),
        ({"RoundTripMs": 10.9}, False),
        ({"RoundTripMs": 16.0}, True),
        ({"Since": 100_400}, False),
        ({"Since": 190_000}, True),
        ({"Running": 1}, True),
        ({"Load": 0.5}, True),
    ],
)
def test_what_is_news_of_a_node(change: dict[str, Any], news: bool) -> None:
    before = {**node_row(node_detail(THERE, "there")), "RoundTripMs": 10.0, "Since": 100_000}
    before["Running"] = 0
    after: Any = {**before, **change}
    known: Any = before
    assert is_news(known, after) is news
    assert is_news(None, after)


def test_a_round_trip_is_news_once_it_is_known_at_all() -> None:
    unknown: Any = {**node_row(node_detail(THERE, "there")), "RoundTripMs": 0.0}
    known: Any = {**unknown, "RoundTripMs": 0.6}
    assert is_news(unknown, known)
    assert is_news(known, unknown)
    slower: Any = {**known, "RoundTripMs": 0.7}
    assert not is_news(known, slower)


def test_the_whole_counts_who_left_no_more() -> None:
    nodes = [
        node_row(dataclasses.replace(node_detail(THERE, f"n{number}"), state=state))
        for number, state in enumerate(PeerState)
    ]
    row = mesh_row(ME, nodes, CALM, 9)
    assert set(row) == set(feed_rows.MeshRow.__annotations__)
    assert (row["Members"], row["Reachable"], row["Split"]) == (3, 2, True)
    assert [one["State"] for one in row["Unreachable"]] == ["unreachable"]
    assert not mesh_row(ME, nodes[:2], CALM, 9)["Split"]
    assert (row["Jobs"], row["Provisional"], row["Time"]) == ({"Running": 2}, 1, 9)


def test_an_event() -> None:
    row = event_row(Happening(1, 2, "info", "node", "It is so.", HERE))
    assert set(row) == set(feed_rows.EventRow.__annotations__)
    assert (row["NodeID"], row["JobID"], row["ExecutionID"]) == (HERE, "", "")
