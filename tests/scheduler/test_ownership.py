"""Who owns a job first, and which of two owners counts."""

from __future__ import annotations

import hashlib
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.ids import JobId, NodeId, job_id_from_bytes, node_id_to_bytes, uuid_bytes
from scheduler.ownership import (
    candidate,
    is_stale,
    rendezvous,
    takeover_wait_s,
)
from tests.scheduler.histories import ANN, BEN, CAT, JOB, NODES, reading

jobs = st.binary(min_size=16, max_size=16).map(job_id_from_bytes)


@given(job=jobs)
def test_rendezvous_is_the_greatest_hash_in_any_order_of_nodes(job: JobId) -> None:
    weights = {
        hashlib.sha256(uuid_bytes(job) + node_id_to_bytes(node)).digest(): node for node in NODES
    }
    expected = weights[max(weights)]
    assert {rendezvous(job, order) for order in permutations(NODES)} == {expected}


@given(job=jobs, gone=st.sampled_from(NODES))
def test_a_node_that_leaves_moves_no_job_but_its_own(job: JobId, gone: NodeId) -> None:
    before = rendezvous(job, NODES)
    after = rendezvous(job, [node for node in NODES if node != gone])
    assert after == before or before == gone


def test_rendezvous_of_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        rendezvous(JOB, [])


def test_the_candidate_is_reachable_and_has_the_role() -> None:
    members = [reading(ANN, roles=("compute",)), reading(BEN, reachable=False), reading(CAT)]
    assert candidate(JOB, members) == CAT
    assert candidate(JOB, members[:2]) is None


@pytest.mark.parametrize(
    ("claim", "greatest", "stale"),
    [
        ((1, ANN), None, False),
        ((1, ANN), (1, ANN), False),
        ((2, ANN), (1, BEN), False),
        ((1, BEN), (2, ANN), True),
        ((1, ANN), (1, BEN), True),
        ((1, BEN), (1, ANN), False),
    ],
)
def test_p5_i12_fences_compare_as_pairs(
    claim: tuple[int, NodeId], greatest: tuple[int, NodeId] | None, stale: bool
) -> None:
    assert is_stale(claim, greatest) is stale


@pytest.mark.parametrize(
    ("base_s", "term", "wait_s"),
    [
        (3.0, 0, 3.0),
        (3.0, 1, 3.0),
        (3.0, 2, 6.0),
        (3.0, 3, 12.0),
        (3.0, 7, 192.0),
        (3.0, 8, 300.0),
        (3.0, (1 << 53) - 1, 300.0),
        (1e-9, (1 << 53) - 1, 300.0),
        (0.0, 9, 0.0),
        (900.0, 1, 300.0),
    ],
)
def test_the_wait_before_a_takeover_doubles_up_to_five_minutes(
    base_s: float, term: int, wait_s: float
) -> None:
    assert takeover_wait_s(base_s, term) == wait_s
