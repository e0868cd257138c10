from __future__ import annotations

from sim.disk import Boundary
from sim.drawing import draw
from sim.faults import FOR_GOOD, Crash, Cut, Fault, Intend, Kill, Role, Split


def test_every_option_stands_in_its_lines() -> None:
    plan = draw(3)
    lines = list(plan.lines())
    assert lines[0] == "seed 3"
    assert sum(line.startswith("plan ") for line in lines) == len(plan.actions)
    assert all(any(fault.value in line for line in lines) for fault in Fault)


def test_faults_are_told_in_sentences() -> None:
    assert str(Split(1.0, (("a", "b"), ("c",)), 2.0)) == "split a b | c for 2.0 s"
    assert str(Cut(1.0, (("a", "b"), ("a", "c")), 2.0)) == "cut a > b, a > c for 2.0 s"
    assert str(Crash(1.0, "a", None, 0, 2.0)) == "crash a at once, down for 2.0 s"
    crash = Crash(1.0, "a", Boundary.BEFORE, 3, FOR_GOOD)
    assert str(crash) == "crash a before the write 3, down for good"
    assert str(Intend(1.0, "a", "b", "cordoned")) == "cordon b, said at a"
    drain = Intend(1.0, "a", "b", "draining", 5)
    assert str(drain) == "drain b within 5 s, said at a"
    assert str(Intend(1.0, "a", "a", "")) == "open a, said at a"
    told = str(Kill(1.0, Role.OWNER, FOR_GOOD))
    assert told == "kill the owner of an active job, down for good"
