from __future__ import annotations

import pytest

from scheduler.ids import AttemptId, Dot, JobId, NodeId
from scheduler.instant import Hlc
from sim.clock import WALL_START_MS
from sim.judges.oracle import Oracle, Placed
from sim.trust import issue
from sim.world import World, WorldSettings, script

HERE, THERE = NodeId("n-here"), NodeId("n-there")
VERSION, OTHER = Dot(HERE, 1, 2), Dot(HERE, 1, 9)


def _oracle(*names: str) -> Oracle:
    return Oracle(issue(name, not_before_ms=WALL_START_MS) for name in names)


def test_it_knows_what_disks_hold() -> None:
    oracle = _oracle("a", "b")
    world = World(WorldSettings(1, ("a", "b")), oracle)
    world.start()
    world.advance(2.0)
    ask = world.submit("a", script("one", duration_ms=10, count=2))
    world.wait(ask, 5.0)
    world.advance(5.0)
    assert len(oracle.placed) == len(oracle.succeeded) == 2
    for machine in world.up():
        held, member = oracle.on(machine), machine.running
        context = member.ledger.context()
        assert held.seqs == {key: seq for key, (seq, _) in context.items()}
        assert all(held.ends[key][seq] == head for key, (seq, head) in context.items())
        (job,) = member.facts.view.jobs.values()
        assert list(held.births) == [job.id]
        assert held.records[job.id] == job.revision
        assert set(held.ended) == set(job.attempts)
        assert job.version is not None
        for index in range(2):
            accepted = job.accepted(index)
            assert accepted is not None
            assert oracle.first_success(job.version.dot, index) == accepted.id


@pytest.mark.parametrize(
    ("successes", "first"),
    [
        ([], None),
        ([("e-1", HERE, 9, 1)], "e-1"),
        ([("e-1", HERE, 9, 1), ("e-2", HERE, 8, 2)], "e-2"),
        ([("e-1", HERE, 8, 2), ("e-2", HERE, 8, 1)], "e-2"),
        ([("e-2", HERE, 8, 1), ("e-1", HERE, 8, 1)], "e-1"),
        ([("e-1", HERE, 9, 1), ("e-2", THERE, 8, 1)], "e-1"),
    ],
)
def test_the_first_success_is_the_least_by_time_term_and_id(
    successes: list[tuple[str, NodeId, int, int]], first: str | None
) -> None:
    """Told by the node that was to run it: another's word is nothing."""
    oracle = _oracle()
    for attempt, teller, hlc, term in successes:
        oracle.placed[AttemptId(attempt)] = Placed(JobId("j"), VERSION, 0, term, HERE, THERE)
        oracle.succeeded[AttemptId(attempt), teller] = Hlc(hlc)
    assert oracle.first_success(VERSION, 0) == first
    assert oracle.first_success(VERSION, 1) is None
    assert oracle.first_success(OTHER, 0) is None
