from __future__ import annotations

from mesh.member.commands import JobReading, ListNodes, Problem, SubmitJob, Submitted
from sim.disk import Boundary
from sim.watcher import Watcher
from sim.world import World, WorldSettings, script


def _alone(pause_share: float = 0.0) -> World:
    world = World(WorldSettings(1, ("a",), pause_share=pause_share), Watcher())
    world.start()
    world.advance(1.0)
    return world


def test_a_client_has_its_answer_or_knows_that_it_has_none() -> None:
    world = _alone()
    machine = world.machines["a"]
    asked = machine.ask(SubmitJob(script("one", duration_ms=10)))
    assert not asked.done
    world.advance(1.0)
    assert isinstance(asked.answer, Submitted)
    refused = machine.ask(SubmitJob({"Tasks": 7}))
    cut_off = machine.ask(ListNodes())
    machine.crash("for a test")
    assert refused.lost
    assert cut_off.lost
    late = machine.ask(ListNodes())
    assert late.lost
    world.advance(1.0)
    assert (refused.answer, cut_off.answer, late.answer) == (None, None, None)


def test_a_mistake_is_answered_as_a_problem() -> None:
    world = _alone()
    ask = world.machines["a"].ask(SubmitJob({"Tasks": 7}))
    world.advance(1.0)
    assert isinstance(ask.answer, Problem)


def test_a_new_process_has_what_the_disk_held_and_another_boot() -> None:
    world = _alone()
    machine = world.machines["a"]
    world.wait(world.submit("a", script("kept", duration_ms=10)), 5.0)
    boot = machine.running.boot
    world.crash("a")
    assert not machine.up
    world.advance(1.0)
    world.restart("a")
    world.advance(1.0)
    assert machine.running.boot > boot
    ask = world.read("a", "kept")
    world.wait(ask, 5.0)
    assert isinstance(ask.answer, JobReading)


def test_it_dies_in_the_middle_of_a_write() -> None:
    for boundary, kept in ((Boundary.BEFORE, False), (Boundary.AFTER, True)):
        world = _alone()
        machine = world.machines["a"]
        machine.drive.arm(boundary, 1)
        ask = world.submit("a", script("one", duration_ms=10))
        world.advance(1.0)
        assert ask.lost
        assert not machine.up
        world.restart("a")
        assert (len(machine.running.facts.view.jobs) == 1) is kept


def test_a_timer_of_a_process_that_died_wakes_nobody() -> None:
    world = _alone()
    world.crash("a")
    events = world.trace.events
    world.advance(60.0)
    assert world.trace.events == events


def test_a_loop_that_comes_late_sees_more_at_once() -> None:
    world = _alone(pause_share=1.0)
    ask = world.submit("a", script("one", duration_ms=10))
    world.wait(ask, 10.0)
    assert isinstance(ask.answer, Submitted)
    assert world.now_s - ask.at_s > 0.002


def test_a_process_that_halts_finds_later_what_came_meanwhile() -> None:
    world = _alone()
    world.stall("a")
    ask = world.submit("a", script("one", duration_ms=10))
    world.advance(30.0)
    assert not ask.done
    assert world.at_work() == []
    world.resume("a")
    world.advance(2.0)
    assert isinstance(ask.answer, Submitted)


def test_a_machine_with_an_old_disk_knows_less() -> None:
    world = _alone()
    world.wait(world.submit("a", script("kept", duration_ms=10)), 5.0)
    world.advance(2.0)
    world.crash("a")
    world.roll_back("a", 100)
    world.restart("a")
    assert not world.machines["a"].running.facts.view.jobs


def test_a_calendar_jumps_and_no_timer_with_it() -> None:
    world = _alone()
    before = world.machines["a"].clock.now()
    world.jump("a", -3_600_000)
    after = world.machines["a"].clock.now()
    assert after.wall_ms == before.wall_ms - 3_600_000
    assert after.monotonic_s == before.monotonic_s
