"""Scores: one part at a time, then which outweighs which."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.capacity import Load
from scheduler.jobs import (
    Constraint,
    DataEntry,
    Input,
    JobSpec,
    NodeReading,
    Resources,
    Source,
    Verdict,
)
from scheduler.ranking import (
    FULL,
    LARGE_BYTES,
    WEIGHTS,
    Standing,
    bytes_there,
    demand,
    rank,
    whole_reference,
)
from tests.scheduler.histories import ANN, BEN, reading, spec

DIGEST = "a" * 64
LOCAL = Input(Source("local", {"SourcePath": "/data/boats/7"}), "/in")
BLOB = Input(Source("mesh", {"Digest": DIGEST}), "/in")
SOFT = Constraint("favour_site", "=", ("hull",))
IDLE = Load()


def score(job: JobSpec, node: NodeReading, load: Load = IDLE, **standing: int) -> Verdict:
    others = [reading(ANN, data=(DataEntry("/data/boats/7", LARGE_BYTES),))]
    wanted = demand(job, [node, *others])
    return rank(Verdict(node.node, None), wanted, node, load, Standing(**standing))


def taken(*, running: int = 0, waiting: int = 0) -> Load:
    load = IDLE
    for number in range(running + waiting):
        load = load.with_one(spec().task.resources, waiting=number >= running)
    return load


BETTER: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("soft", {"constraints": (SOFT,)}, {"labels": {"site": "hull"}}, {}),
    ("cache", {"inputs": (BLOB,)}, {"blobs": frozenset({DIGEST})}, {}),
    (
        "cache",
        {"engine": Source("docker", {"Image": "alpine"})},
        {"images": ("alpine:latest",)},
        {},
    ),
    ("latency", {}, {}, {"rtt_ms": 40.0}),
    (
        "locality",
        {"inputs": (LOCAL,)},
        {"data": (DataEntry("/data/boats/7", 9),)},
        {"data": (DataEntry("/data/boats", 9),)},
    ),
    (
        "locality",
        {"inputs": (LOCAL,)},
        {"data": (DataEntry("/data/boats", 9),)},
        {"data": (DataEntry("/data", 9),)},
    ),
]


@pytest.mark.parametrize(("part", "job", "better", "worse"), BETTER)
def test_a_part_that_is_better_scores_more(
    part: str, job: dict[str, Any], better: dict[str, Any], worse: dict[str, Any]
) -> None:
    one, other = (score(spec(**job), reading(BEN, **node)) for node in (better, worse))
    assert one.score > other.score
    assert one.reasons[part] > other.reasons[part]
    rest = [
        {name: at for name, at in each.reasons.items() if name != part} for each in (one, other)
    ]
    assert rest[0] == rest[1]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (taken(running=1), taken(running=3)),
        (taken(running=0), taken(running=4)),
        (taken(running=4, waiting=1), taken(running=4, waiting=5)),
    ],
    ids=["emptier node", "start at once", "short queue"],
)
def test_fit(better: Load, worse: Load) -> None:
    assert score(spec(), reading(BEN), better).score > score(spec(), reading(BEN), worse).score


@pytest.mark.parametrize("standing", [{"live": 1}, {"refused": 1}])
def test_spread_and_past_refusals_count_against(standing: dict[str, Any]) -> None:
    assert score(spec(), reading(BEN), **standing).score < score(spec(), reading(BEN)).score


def test_a_part_that_a_job_gives_no_ground_for_is_not_named() -> None:
    assert set(score(spec(), reading(BEN)).reasons) == {"fit", "spread", "refusals", "latency"}


def test_starting_at_once_outweighs_cache_spread_and_latency() -> None:
    job = spec(inputs=(BLOB,))
    idle = score(job, reading(BEN, rtt_ms=400.0), live=1)
    busy = score(job, reading(BEN, blobs=frozenset({DIGEST})), taken(running=4))
    assert idle.score > busy.score


@given(
    rtt_ms=st.floats(0, 1e6),
    running=st.integers(0, 4),
    waiting=st.integers(0, 8),
    live=st.integers(0, 20),
    refused=st.integers(0, 20),
    entry=st.sampled_from(["/data", "/data/boats", "/data/boats/7"]),
)
def test_scores_are_whole_numbers_up_to_1000_and_the_sum_of_their_reasons(
    rtt_ms: float, running: int, waiting: int, live: int, refused: int, entry: str
) -> None:
    node = reading(BEN, rtt_ms=rtt_ms, data=(DataEntry(entry, 10),))
    job = spec(inputs=(LOCAL,), constraints=(SOFT,))
    load = taken(running=running, waiting=waiting)
    found = score(job, node, load, live=live, refused=refused)
    assert 0 <= found.score <= FULL
    assert found.score == sum(found.reasons.values())
    assert all(type(points) is int and points >= 0 for points in found.reasons.values())


def test_locality_of_large_inputs_outweighs_all_else_together() -> None:
    job = spec(inputs=(LOCAL, BLOB), constraints=(SOFT,), resources=Resources(cpu_milli=1000))
    there = reading(BEN, data=(DataEntry("/data/boats/7", LARGE_BYTES),), rtt_ms=1e6)
    perhaps = reading(
        BEN,
        data=(DataEntry("/data/boats", LARGE_BYTES),),
        blobs=frozenset({DIGEST}),
        labels={"site": "hull"},
    )
    worst = score(job, there, taken(running=4, waiting=7), live=99, refused=99)
    assert worst.score > score(job, perhaps, taken(running=3)).score


def test_locality_of_small_inputs_does_not() -> None:
    job = spec(inputs=(LOCAL,))
    nodes = [
        reading(BEN, data=(DataEntry("/data/boats/7", 1000),)),
        reading(ANN, data=(DataEntry("/data/boats", 9000),)),
    ]
    wanted = demand(job, nodes)
    loads = [taken(running=4, waiting=7), IDLE]
    busy, idle = (
        rank(Verdict(node.node, None), wanted, node, load, Standing())
        for node, load in zip(nodes, loads, strict=True)
    )
    assert wanted.sizes == (("/data/boats/7", 1000),)
    assert idle.score > busy.score


def test_the_weights_leave_locality_the_last_word() -> None:
    others = sum(weight for name, weight in WEIGHTS.items() if name != "locality")
    assert 2 * others < WEIGHTS["locality"]


def test_bytes_that_surely_are_there() -> None:
    exact = reading(ANN, data=(DataEntry("/data/boats/7", 900),))
    above = reading(BEN, data=(DataEntry("/data/boats", 5000),))
    assert bytes_there(spec(inputs=(LOCAL,)), [exact, above]) == {ANN: 900, BEN: 299}
    assert bytes_there(spec(), [exact, above]) == {}


@pytest.mark.parametrize(
    ("image", "listed"),
    [
        ("alpine", "alpine:latest"),
        ("docker.io/library/alpine:3", "alpine:3"),
        ("docker.io/a/b", "a/b:latest"),
        ("host:5000/a", "host:5000/a:latest"),
        ("a/b@sha256:12", "a/b@sha256:12"),
    ],
)
def test_images_are_known_by_the_name_that_engines_list(image: str, listed: str) -> None:
    assert whole_reference(image) == listed == whole_reference(listed)
