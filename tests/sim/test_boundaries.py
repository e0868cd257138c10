"""A process dies before and after every write of one fixed history, one run for each."""

from __future__ import annotations

import pytest

from mesh.member.events import Persist
from sim.disk import Boundary
from sim.faults import Crash, Fault, Plan, Stop, Submit
from sim.trial import Outcome, Trial
from sim.watcher import Watcher
from sim.world import Machine, WorldSettings, script

NAMES = ("a", "b", "c")
HISTORY = (
    Submit(0.5, "c", script("first", duration_ms=50)),
    Submit(1.0, "a", script("one", duration_ms=300, count=3)),
    Submit(1.1, "b", script("long", duration_ms=60_000, count=2)),
    Stop(2.0, "c", "long"),
)
BEGIN_S, FAULTS_S = 0.9, 4.0


class _Writes(Watcher):
    """Counts writes of each machine, from when a crash could be armed on."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(NAMES, 0)

    def written(self, machine: Machine, persist: Persist) -> None:
        self.counts[machine.name] += BEGIN_S <= machine.world_clock.now_s <= FAULTS_S


def _plan(*crashes: Crash) -> Plan:
    return Plan(WorldSettings(1, NAMES), FAULTS_S, (Fault.CRASH,), (*crashes, *HISTORY))


@pytest.mark.slow
@pytest.mark.parametrize("boundary", Boundary)
@pytest.mark.parametrize("name", NAMES)
def test_a_crash_at_every_write_of_one_machine(name: str, boundary: Boundary) -> None:
    calm, writes = Trial(_plan()), _Writes()
    calm.watch(writes)
    verdict = calm.run()
    assert verdict.outcome is Outcome.RIGHT, verdict.sentence
    assert writes.counts[name] >= 5
    for write in range(1, writes.counts[name] + 1):
        crash = Crash(BEGIN_S, name, boundary, write, FAULTS_S)
        verdict = Trial(_plan(crash)).run()
        assert verdict.outcome is Outcome.RIGHT, f"{crash}: {verdict.sentence}"
        assert verdict.crashes == 1, f"{crash}: nobody died"
