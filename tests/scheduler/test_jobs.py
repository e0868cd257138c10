"""The nouns' few rules."""

from __future__ import annotations

import pytest

from scheduler.jobs import AttemptState, Constraint, JobState, Resources


def test_resources_fit_in_every_dimension_or_not_at_all() -> None:
    free = Resources(1000, 100, 10, 1)
    assert Resources(1000, 100, 10, 1).fits(free)
    for bigger in (Resources(1001), Resources(0, 101), Resources(0, 0, 11), Resources(0, 0, 0, 2)):
        assert not bigger.fits(free)


def test_what_is_added_and_taken_away_is_even() -> None:
    one, other = Resources(5, 6, 7, 8), Resources(1, 2, 3, 4)
    assert one.plus(other).minus(other) == one


@pytest.mark.parametrize("state", AttemptState)
def test_attempts_end_at_refused_and_beyond(state: AttemptState) -> None:
    assert state.terminal == (state.name in {"REFUSED", "CANCELLED", "FAILED", "SUCCEEDED"})


@pytest.mark.parametrize("state", JobState)
def test_jobs_end_three_ways(state: JobState) -> None:
    assert state.terminal == (state.value in {"Completed", "Failed", "Stopped"})


def test_soft_constraints_say_so_in_their_key() -> None:
    assert Constraint("favour_site", "=", ("ship",)).soft
    assert not Constraint("site", "=", ("ship",)).soft
