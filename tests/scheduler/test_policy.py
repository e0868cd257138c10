"""The `Disconnect` block: how long to wait, and which of several to keep."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.attempts import AttemptView
from scheduler.ids import NodeId
from scheduler.jobs import AttemptState, Source
from scheduler.policy import RUNNING_ORDERS, keep_of, replace_after_s
from scheduler.spec import _RUNNING
from tests.scheduler.histories import ANN, BEN, CAT, Ledger, attempt_id, fold, random_history, spec

A = AttemptState


@pytest.mark.parametrize(
    ("engine", "written", "process_dead", "wan", "seconds"),
    [
        ("wasm", None, False, False, 2.0),
        ("scripted", None, False, False, 2.0),
        ("wasm", None, True, False, 0.0),
        ("wasm", None, True, True, 0.0),
        ("wasm", None, False, True, 120.0),
        ("docker", None, False, False, 9.0),
        ("docker", None, True, False, 9.0),
        ("docker", None, True, True, 120.0),
        ("an engine of a later release", None, True, False, 9.0),
        ("wasm", "30s", True, True, 30.0),
        ("docker", "0s", False, False, 0.0),
        ("wasm", "never", True, False, None),
    ],
)
def test_replace_after(
    engine: str, written: str | None, process_dead: bool, wan: bool, seconds: float | None
) -> None:
    disconnect = {} if written is None else {"ReplaceAfter": written}
    job = spec(engine=Source(engine), disconnect=disconnect)
    assert replace_after_s(job, process_dead=process_dead, wan=wan) == seconds


def slot(*attempts: tuple[int, NodeId, int, A, int, int]) -> list[AttemptView]:
    """Attempts of one slot: (id, owner, term, state, when it ran, score)."""
    ledger = Ledger()
    birth = ledger.birth()
    version = ledger.version(birth)
    for number, (name, owner, term, state, started, score) in enumerate(attempts, start=1):
        ledger.claim(birth, owner, term=term)
        more: dict[str, Any] = {"author": owner, "term": term, "number": number}
        ledger.place(birth, version, attempt_id(name), CAT, **more, score=score)
        if started:
            ledger.observe(birth, attempt_id(name), CAT, A.RUNNING, hlc=started)
        if state is not A.RUNNING:
            ledger.observe(birth, attempt_id(name), CAT, state)
    return ledger.view().jobs[next(iter(ledger.view().jobs))].slot_attempts(version, 0)


THREE = slot(
    (30, ANN, 1, A.RUNNING, 5000, 100),
    (20, BEN, 2, A.RUNNING, 4000, 300),
    (10, BEN, 3, A.ASSIGNED, 0, 900),
)
EQUAL = slot((2, ANN, 1, A.RUNNING, 7000, 5), (1, BEN, 1, A.RUNNING, 7000, 5))


@pytest.mark.parametrize(
    ("attempts", "policy", "kept"),
    [
        (THREE, "longest_running", 20),
        (THREE, "keep_original", 30),
        (THREE, "keep_replacement", 20),
        (THREE, "best_score", 20),
        (THREE, "race", None),
        (THREE, "one of a later release", 20),
        (THREE[2:], "longest_running", 10),
        (EQUAL, "longest_running", 1),
        (EQUAL, "best_score", 1),
        (EQUAL, "keep_original", 2),
        (EQUAL, "keep_replacement", 1),
        ([], "longest_running", None),
    ],
)
def test_p3_p4_what_is_kept_in_any_order_of_meeting(
    attempts: list[AttemptView], policy: str, kept: int | None
) -> None:
    job = spec(disconnect={"ReconcileRunning": policy})
    for order in permutations(attempts):
        found = keep_of(job, order)
        assert (None if found is None else found.id) == (None if kept is None else attempt_id(kept))


def test_the_longest_running_is_kept_unless_the_job_says_otherwise() -> None:
    found = keep_of(spec(), THREE)
    assert found is not None
    assert found.id == attempt_id(20)


def test_every_policy_that_a_spec_may_name_has_its_order() -> None:
    assert set(RUNNING_ORDERS) == set(_RUNNING)


@given(
    seed=st.integers(0, 10**9),
    policy=st.sampled_from([one for one in RUNNING_ORDERS if one != "race"]),
    cut=st.integers(0, 40),
)
def test_p4_the_best_of_all_is_the_best_of_the_bests_of_two_sides(
    seed: int, policy: str, cut: int
) -> None:
    job = spec(disconnect={"ReconcileRunning": policy})
    attempts = list(fold(random_history(seed)).attempts.values())
    sides = [keep_of(job, attempts[:cut]), keep_of(job, attempts[cut:])]
    assert keep_of(job, [one for one in sides if one is not None]) is keep_of(job, attempts)
