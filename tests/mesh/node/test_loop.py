import math
from typing import Any

import pytest
import trio
import trio.testing

from mesh.gossip.events import Dial, StartTimer, TimerFired
from mesh.member.events import CommandReceived, Flushed
from mesh.node.loop import MAX_WAITING, TURNS_IN_A_ROW, Loop, Mailbox, Timers
from mesh.node.store import FlushFailed
from scheduler.instant import Instant


def now() -> Instant:
    return Instant(trio.current_time(), 0)


class FakeMember:
    """Answers every event with what the test says, and writes down what it was asked."""

    def __init__(self, replies: dict[Any, list[Any]] | None = None) -> None:
        self.replies = replies or {}
        self.log: list[Any] = []

    def start(self, now: Instant) -> list[Any]:
        return self.replies.get("start", [])

    def handle(self, event: Any, now: Instant) -> list[Any]:
        self.log.append(event)
        return self.replies.get(event, [])

    def end_tick(self, now: Instant) -> list[Any]:
        self.log.append("tick")
        return self.replies.get("tick", [])


class Shell:
    def __init__(self, member: FakeMember) -> None:
        self.mailbox = Mailbox()
        self.performed: list[Any] = []
        self.observed: list[Any] = []
        self.loop = Loop(
            member=member,
            mailbox=self.mailbox,
            now=now,
            perform={Dial: self.performed.append},
            observe=self.observed.append,
        )


@pytest.fixture
def clock(autojump_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    return autojump_clock


async def test_what_performing_answers_is_handled_in_the_same_run(clock, nursery) -> None:
    asked, endless = Flushed(0), Flushed(1)
    member = FakeMember({asked: [Dial("answered")], endless: [Dial("endless")]})
    shell = Shell(member)
    turns: list[int] = []

    def perform(dial: Dial) -> None:
        turns.append(sum(one == "tick" for one in member.log))
        shell.mailbox.post(endless)

    shell.loop._perform[Dial] = perform
    nursery.start_soon(shell.loop.run)
    await trio.testing.wait_all_tasks_blocked()
    shell.mailbox.post(asked)
    seen = 0
    while seen < TURNS_IN_A_ROW:
        await trio.lowlevel.checkpoint()
        seen = len(turns)
    assert seen % TURNS_IN_A_ROW == 0, "others have their turn after so many"
    nursery.cancel_scope.cancel()


async def test_batch_is_handled_then_ended_then_performed(clock, nursery) -> None:
    member = FakeMember(
        {
            "start": [Dial("start")],
            Flushed(1): [Dial("one")],
            Flushed(2): [Dial("two")],
            "tick": [Dial("end")],
        }
    )
    shell = Shell(member)
    shell.mailbox.post(Flushed(1))
    shell.mailbox.post(Flushed(2))
    nursery.start_soon(shell.loop.run)
    await trio.testing.wait_all_tasks_blocked()
    assert member.log == [Flushed(1), Flushed(2), "tick"]
    assert shell.performed == [Dial("start"), Dial("one"), Dial("two"), Dial("end")]
    assert shell.observed == [
        Dial("start"),
        Flushed(1),
        Flushed(2),
        Dial("one"),
        Dial("two"),
        Dial("end"),
    ]


async def test_timers_fire_at_their_time_with_the_time_they_were_due(clock, nursery) -> None:
    began = trio.current_time()
    member = FakeMember({"start": [StartTimer(("b",), began + 2), StartTimer(("a",), began + 1)]})
    shell = Shell(member)
    nursery.start_soon(shell.loop.run)
    await trio.sleep(1.5)
    assert member.log == [TimerFired(("a",), began + 1), "tick"]
    await trio.sleep(1)
    assert member.log[2:] == [TimerFired(("b",), began + 2), "tick"]


async def test_failed_flush_ends_the_life_of_the_member(clock) -> None:
    member = FakeMember()
    shell = Shell(member)
    failure = FlushFailed(3, "the disk is gone", full=False)
    shell.mailbox.post(Flushed(2))
    shell.mailbox.post(failure)
    shell.mailbox.post(Flushed(4))
    assert await shell.loop.run() == failure
    assert member.log == [Flushed(2)]


async def test_links_wait_while_the_loop_is_behind(clock, nursery) -> None:
    mailbox = Mailbox()
    for token in range(MAX_WAITING):
        mailbox.post(CommandReceived(token, None))
    passed = trio.Event()

    async def reader() -> None:
        await mailbox.wait_for_room()
        passed.set()

    nursery.start_soon(reader)
    await trio.testing.wait_all_tasks_blocked()
    assert not passed.is_set()
    assert len(await mailbox.take(math.inf)) == MAX_WAITING
    await passed.wait()


async def test_take_returns_nothing_at_its_time_and_clear_forgets(clock) -> None:
    mailbox = Mailbox()
    mailbox.post(Flushed(1))
    mailbox.clear()
    assert not await mailbox.take(trio.current_time() + 5)


def test_one_timer_a_token() -> None:
    timers = Timers()
    for at_s in (5.0, 2.0, 9.0):
        timers.start(StartTimer(("x",), at_s))
    timers.start(StartTimer(("y",), 3.0))
    assert timers.next_s() == 3.0
    assert timers.take_due(8.0) == [TimerFired(("y",), 3.0)]
    assert timers.take_due(9.0) == [TimerFired(("x",), 9.0)]
    assert timers.next_s() == math.inf
    assert timers.take_due(99.0) == []


def test_same_time_started_twice_fires_once() -> None:
    timers = Timers()
    timers.start(StartTimer(("x",), 1.0))
    timers.start(StartTimer(("x",), 1.0))
    assert timers.take_due(1.0) == [TimerFired(("x",), 1.0)]
    assert timers.take_due(2.0) == []
