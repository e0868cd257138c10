from __future__ import annotations

from sim.actor import Actor
from sim.faults import (
    FOR_GOOD,
    Action,
    Crash,
    Cut,
    Intend,
    Jump,
    Kill,
    OldDisk,
    Plan,
    Role,
    Split,
    Stall,
    Submit,
)
from sim.watcher import Watcher
from sim.world import World, WorldSettings, script


def _acted(*actions: Action, advance_s: float) -> tuple[World, Actor]:
    settings = WorldSettings(1, ("a", "b", "c"))
    world = World(settings, Watcher())
    actor = Actor(world, Plan(settings, 60.0, (), actions))
    world.start()
    world.advance(advance_s)
    return world, actor


def test_a_split_ends_unless_another_has_come() -> None:
    first, second = (("a",), ("b", "c")), (("a", "b"), ("c",))
    world, _ = _acted(Split(1.0, first, 5.0), Split(4.0, second, 5.0), advance_s=7.0)
    assert world.network.passes("a", "b")
    assert not world.network.passes("b", "c")
    world.advance(3.0)
    assert world.network.passes("b", "c")


def test_a_cut_ends() -> None:
    world, _ = _acted(Cut(1.0, (("a", "b"),), 2.0), advance_s=2.0)
    assert not world.network.passes("a", "b")
    world.advance(2.0)
    assert world.network.passes("a", "b")


def test_who_dies_comes_back_but_not_for_good() -> None:
    world, actor = _acted(
        Crash(1.0, "a", None, 0, 2.0), Crash(1.0, "b", None, 0, FOR_GOOD), advance_s=2.0
    )
    assert [one.name for one in world.up()] == ["c"]
    world.advance(10.0)
    assert [one.name for one in world.up()] == ["a", "c"]
    assert list(actor.dead) == ["b"]


def test_owner_and_target_are_found_when_it_is_time() -> None:
    document = script("one", duration_ms=60_000)
    for role in Role:
        world, actor = _acted(
            Kill(1.0, role, 1.0), Submit(2.0, "b", document), Kill(4.0, role, 60.0), advance_s=4.5
        )
        assert [type(one) for one in actor.done] == [Submit, Kill]
        (down,) = [one for one in world.machines.values() if not one.up]
        view = world.up()[0].running.facts.view
        (job,) = view.jobs.values()
        first = min(job.attempts.values(), key=lambda one: one.number)
        assert down.node == (first.owner if role is Role.OWNER else first.node)


def test_a_halt_an_old_disk_and_a_jump() -> None:
    world, _ = _acted(
        Submit(1.0, "a", script("one", duration_ms=10)),
        OldDisk(3.0, "a", 100, 1.0),
        Stall(3.0, "b", 2.0),
        Jump(3.0, "c", 1000),
        advance_s=3.5,
    )
    assert [one.name for one in world.at_work()] == ["c"]
    assert world.machines["c"].clock.wall_error_ms == 1000
    assert world.machines["a"].drive.disk.written() == ()
    world.advance(5.0)
    assert len(world.at_work()) == 3


def test_a_word_about_a_machine_is_heard_by_all() -> None:
    world, actor = _acted(
        Intend(1.0, "a", "b", "draining", 7), Intend(2.0, "c", "a", "cordoned"), advance_s=4.0
    )
    assert [ask.done for ask in actor.asks] == [True, True]
    for machine in world.up():
        facts = machine.running.facts
        assert facts.intent_of(world.machines["a"].node) == "cordoned"
        told = facts.view.intents.of(world.machines["b"].node)
        assert told is not None
        assert (told.standing, told.deadline_s) == ("draining", 7)
