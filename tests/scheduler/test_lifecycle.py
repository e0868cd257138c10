"""The tables of `scheduler/lifecycle.py`."""

from __future__ import annotations

from itertools import islice, permutations, product
from pathlib import Path
from typing import Any

import pytest

from scheduler.jobs import AttemptState, Failure, JobState, Observation
from scheduler.lifecycle import (
    ATTEMPT_RULES,
    SLOT_RULES,
    JobFacts,
    SlotState,
    Tried,
    draw,
    job_state,
    join_key,
    slot_state,
)

A = AttemptState
PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == draw(), "write scheduler.lifecycle.draw() to docs/lifecycle.md again"


def test_the_table_has_every_state_in_order_of_rank() -> None:
    assert [rule.state for rule in ATTEMPT_RULES] == list(AttemptState)


def test_no_move_goes_down_or_out_of_a_terminal_state() -> None:
    for rule in ATTEMPT_RULES:
        assert all(before < rule.state and not before.terminal for before in rule.after)


@pytest.mark.parametrize(
    ("greater", "lesser"),
    [
        ((A.RUNNING, 1, 5), (A.ACCEPTED, 1, 4)),
        ((A.ACCEPTED, 2, 1), (A.PUBLISHING, 1, 9)),
        ((A.REFUSED, 1, 1), (A.PUBLISHING, 9, 9)),
        ((A.SUCCEEDED, 1, 1), (A.FAILED, 9, 9)),
        ((A.FAILED, 1, 1), (A.CANCELLED, 9, 9)),
        ((A.FAILED, 2, 1), (A.FAILED, 1, 9)),
    ],
)
def test_i7_join_key(greater: tuple[A, int, int], lesser: tuple[A, int, int]) -> None:
    assert join_key(*greater) > join_key(*lesser)


INFRA = Failure.NODE_RESTART.value
PROGRAM = Failure.EXIT_CODE.value
TAKEN = "taken"
REPLACED = "replaced"
GIVEN_UP = "given up"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], SlotState.OPEN),
        ([(A.ASSIGNED, "")], SlotState.ASSIGNED),
        ([(A.ASSIGNED, ""), (A.PREPARING, "")], SlotState.ACTIVE),
        ([(A.SUCCEEDED, ""), (A.RUNNING, ""), (A.FAILED, PROGRAM)], SlotState.DONE),
        ([(A.FAILED, PROGRAM)], SlotState.FAILED),
        ([(A.FAILED, PROGRAM), (A.RUNNING, "")], SlotState.ACTIVE),
        ([(A.FAILED, INFRA)], SlotState.OPEN),
        ([(A.FAILED, INFRA)] * 2, SlotState.FAILED),
        ([(A.REFUSED, "capacity")] * 9, SlotState.OPEN),
        ([(A.CANCELLED, "")] * 9, SlotState.OPEN),
        ([(A.FAILED, "a reason of a later release")], SlotState.FAILED),
        ([(A.CANCELLED, "", TAKEN)], SlotState.OPEN),
        ([(A.CANCELLED, "", TAKEN), (A.FAILED, INFRA)], SlotState.FAILED),
        ([(A.CANCELLED, "", TAKEN), (A.RUNNING, "")], SlotState.ACTIVE),
        ([(A.REFUSED, "withdrawn", TAKEN)] * 9, SlotState.OPEN),
        ([(A.RUNNING, "", REPLACED)], SlotState.ACTIVE),
        ([(A.ASSIGNED, "", REPLACED)], SlotState.ASSIGNED),
        ([(A.RUNNING, "", REPLACED), (A.ASSIGNED, "")], SlotState.ASSIGNED),
        ([(A.RUNNING, "", REPLACED, TAKEN), (A.FAILED, INFRA)], SlotState.FAILED),
        ([(A.ASSIGNED, "", REPLACED), (A.FAILED, INFRA)], SlotState.ASSIGNED),
        ([(A.CANCELLED, "duplicate", TAKEN)] * 9, SlotState.OPEN),
        ([(A.CANCELLED, "duplicate", TAKEN), (A.FAILED, INFRA)], SlotState.OPEN),
        ([(A.RUNNING, "", TAKEN, GIVEN_UP), (A.FAILED, INFRA)], SlotState.FAILED),
        ([(A.RUNNING, "", TAKEN, GIVEN_UP)], SlotState.FAILED),
        ([(A.RUNNING, "", TAKEN, GIVEN_UP), (A.RUNNING, "", TAKEN)], SlotState.ACTIVE),
        ([(A.ASSIGNED, "", GIVEN_UP), (A.REFUSED, "capacity")], SlotState.FAILED),
        ([(A.SUCCEEDED, "", TAKEN, GIVEN_UP), (A.FAILED, PROGRAM)], SlotState.DONE),
        ([(A.RUNNING, "", REPLACED), (A.FAILED, PROGRAM)], SlotState.FAILED),
        ([(A.RUNNING, "", REPLACED), (A.REFUSED, "capacity")], SlotState.ACTIVE),
        ([(A.RUNNING, "", REPLACED), (A.SUCCEEDED, "")], SlotState.DONE),
    ],
)
def test_slot_state_with_two_attempts_allowed(
    seen: list[tuple[Any, ...]], expected: SlotState
) -> None:
    attempts = [
        Tried(
            Observation(state, reason),
            taken=TAKEN in more,
            replaced=REPLACED in more,
            given_up=GIVEN_UP in more,
        )
        for state, reason, *more in seen
    ]
    for order in islice(permutations(attempts), 24):
        assert slot_state(order, retry_attempts=2, retry_program=False) is expected


@pytest.mark.parametrize(("failures", "expected"), [(1, SlotState.OPEN), (2, SlotState.FAILED)])
def test_program_failures_are_retried_only_where_asked(failures: int, expected: SlotState) -> None:
    attempts = [Tried(Observation(A.FAILED, PROGRAM), taken=True)] * failures
    assert slot_state(attempts, retry_attempts=2, retry_program=True) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (JobFacts(False, False, False), JobState.PENDING),
        (JobFacts(True, False, False, slots=1), JobState.PENDING),
        (JobFacts(True, True, False, slots=1), JobState.QUEUED),
        (JobFacts(True, True, False, slots=2, assigned=1), JobState.QUEUED),
        (JobFacts(True, True, False, slots=2, active=1), JobState.RUNNING),
        (JobFacts(True, True, False, slots=2, done=1), JobState.RUNNING),
        (JobFacts(True, True, False, slots=2, failed=1, active=1), JobState.RUNNING),
        (JobFacts(True, True, False, slots=2, failed=1, assigned=1), JobState.QUEUED),
        (JobFacts(True, True, False, slots=2, failed=1, done=1), JobState.FAILED),
        (JobFacts(True, True, True, slots=2, failed=1), JobState.STOPPED),
        (JobFacts(True, True, False, slots=2, active=1, expired=True), JobState.FAILED),
        (JobFacts(True, True, True, slots=2, expired=True), JobState.STOPPED),
        (JobFacts(True, True, True, slots=2, active=1), JobState.STOPPED),
        (JobFacts(True, True, True, slots=2, done=2), JobState.COMPLETED),
    ],
)
def test_job_state(facts: JobFacts, expected: JobState) -> None:
    assert job_state(facts) is expected


def test_p6_p15_p16_completed_beats_whatever_else_holds() -> None:
    yes_or_no = (False, True)
    for stopped, expired, failed, live in product(yes_or_no, yes_or_no, (0, 1), (0, 1)):
        facts = JobFacts(True, True, stopped, 3, 3, failed, live, live, expired)
        assert job_state(facts) is JobState.COMPLETED


SLOT_EXAMPLES: tuple[list[Tried], ...] = (
    [Tried(Observation(A.SUCCEEDED), taken=True)],
    [Tried(Observation(A.RUNNING), taken=True)],
    [Tried(Observation(A.ASSIGNED))],
    [Tried(Observation(A.FAILED, PROGRAM), taken=True)],
    [Tried(Observation(A.PUBLISHING), taken=True, replaced=True)],
    [Tried(Observation(A.ASSIGNED), replaced=True)],
    [],
)


def test_the_first_slot_rule_that_holds_names_the_state() -> None:
    rules = list(zip(SLOT_RULES, SLOT_EXAMPLES, strict=True))
    for place, (rule, example) in enumerate(rules):
        for _, weaker in rules[place:]:
            state = slot_state([*weaker, *example], retry_attempts=3, retry_program=False)
            assert state is rule.state, rule.holds_when
