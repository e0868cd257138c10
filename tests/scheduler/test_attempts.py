"""What one node said of an attempt, joined in any order."""

from __future__ import annotations

from itertools import permutations

import pytest

from scheduler.attempts import Told
from scheduler.ids import Dot
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Observation
from tests.scheduler.histories import BEN

A = AttemptState


@pytest.mark.parametrize(
    ("said", "state", "started", "completed"),
    [
        ([], A.ASSIGNED, 0, 0),
        ([(A.RUNNING, 2, 7), (A.RUNNING, 1, 9)], A.RUNNING, 7, 0),
        ([(A.SUCCEEDED, 1, 20), (A.SUCCEEDED, 2, 15), (A.FAILED, 3, 30)], A.SUCCEEDED, 0, 15),
        ([(A.SUCCEEDED, 1, 0), (A.RUNNING, 2, 0), (A.SUCCEEDED, 3, 5)], A.SUCCEEDED, 1, 1),
    ],
)
def test_told_joins_in_any_order(
    said: list[tuple[A, int, int]], state: A, started: int, completed: int
) -> None:
    for order in permutations(said):
        told = Told()
        for what, epoch, hlc in order:
            told.join(Observation(what), Dot(BEN, epoch, 1), Hlc(hlc))
        assert told.observation.state is state
        assert (told.started_hlc, told.completed_hlc) == (started, completed)


def test_told_remembers_that_it_was_taken_and_which_record_completed_it() -> None:
    said = [(A.ACCEPTED, 1, 3), (A.CANCELLED, 1, 4), (A.SUCCEEDED, 2, 9), (A.SUCCEEDED, 1, 9)]
    for order in permutations(said):
        told = Told()
        for what, epoch, hlc in order:
            told.join(Observation(what), Dot(BEN, epoch, 1), Hlc(hlc))
        assert (told.taken, told.completed) == (True, Dot(BEN, 1, 1))
    told = Told()
    told.join(Observation(A.REFUSED), Dot(BEN, 1, 1), Hlc(1))
    assert (told.taken, told.completed) == (False, None)
