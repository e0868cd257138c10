"""Whatever goes wrong while an attempt is performed is an event with a named reason."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime.attempt import (
    CleanUp,
    EngineEnded,
    InputsFailed,
    InputsReady,
    PrepareInputs,
    ResultsFailed,
    StopEngine,
    StoreResults,
)
from runtime.engines.scripted import ScriptedEngine
from runtime.ports import EngineSetup
from scheduler.jobs import AttemptState, Input, Source
from storage.errors import Corrupt, NotAllowed
from storage.providers.memory import MemoryProvider
from tests.runtime.orders import order
from tests.runtime.rig import ATTEMPT, Rig, entry


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (None, "input_missing"),
        (NotAllowed("Not for you."), "policy"),
        (Corrupt("It is damaged."), "input"),
        (OSError(5, "Input/output error"), "input"),
        (OSError(28, "No space left on device"), "input"),
        (RuntimeError("a plug-in's mistake"), "input"),
    ],
)
async def test_inputs_that_fail(tmp_path, fault, reason):
    rig = Rig(tmp_path, files={"good": b"x"}, faults={"bad": fault} if fault else {})
    async with rig.running():
        effect = PrepareInputs(order(inputs=(entry("good"), entry("bad"))))
        rig.executor.perform(ATTEMPT, effect)
        event = await rig.next_event()
    assert isinstance(event, InputsFailed)
    assert event.reason == reason
    assert event.message.endswith(".")
    assert ("Free some space there" in event.message) == (getattr(fault, "errno", 0) == 28)


async def test_a_source_that_nobody_serves(rig):
    async with rig.running():
        wanted = order(inputs=(Input(Source("carrier_pigeon"), "/x"),))
        rig.executor.perform(ATTEMPT, PrepareInputs(wanted))
        event = await rig.next_event()
    assert event == InputsFailed(
        "input_missing", "This node has no provider for carrier_pigeon inputs."
    )


async def test_an_engine_that_is_not_there(rig):
    async with rig.running():
        core = await rig.drive(order(engine=Source("steam")))
    assert (core.observation.state, core.observation.reason) == (AttemptState.FAILED, "engine")
    assert core.observation.message == "This node has no steam engine."


async def test_an_engine_that_raises(tmp_path):
    class Broken(ScriptedEngine):
        async def run(self, job, started):
            await trio.lowlevel.checkpoint()
            raise ZeroDivisionError("boom")

    rig = Rig(tmp_path, engines={"scripted": Broken(EngineSetup(tmp_path))})
    async with rig.running():
        core = await rig.drive(order())
        again = await rig.drive(order(attempt="e-again", engine=Source("steam")))
    assert "boom" in core.observation.message
    assert again.terminal


async def test_clean_up_ends_a_fetch(tmp_path):
    class Endless(MemoryProvider):
        ended = False

        async def fetch(self, request):
            fetching.set()
            try:
                await trio.sleep_forever()
            finally:
                self.ended = True

    fetching = trio.Event()
    rig, provider = Rig(tmp_path), Endless({})
    rig.executor._providers = {"memory": provider}
    async with rig.running():
        rig.executor.perform(ATTEMPT, PrepareInputs(order(inputs=(entry("x"),))))
        await fetching.wait()
        rig.executor.perform(ATTEMPT, CleanUp())
        while list((tmp_path / "results").iterdir()):
            await trio.testing.wait_all_tasks_blocked(0.001)
        assert provider.ended
        assert rig.events.statistics().current_buffer_used == 0


async def test_the_folder_stays_until_the_last_step_has_ended(tmp_path):
    class Slow(MemoryProvider):
        async def fetch(self, request):
            fetching.set()
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await may_end.wait()

    fetching, may_end = trio.Event(), trio.Event()
    rig = Rig(tmp_path)
    rig.executor._providers = {"memory": Slow({})}
    home = tmp_path / "results" / ATTEMPT
    async with rig.running():
        rig.executor.perform(ATTEMPT, PrepareInputs(order(inputs=(entry("x"),))))
        await fetching.wait()
        rig.executor.perform(ATTEMPT, CleanUp())
        await trio.testing.wait_all_tasks_blocked(0.05)
        existed = home.exists()
        may_end.set()
        assert existed
        while home.exists():
            await trio.testing.wait_all_tasks_blocked(0.001)


async def test_results_that_cannot_be_written(rig, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runtime.results.store_results", full)
    async with rig.running():
        rig.executor.perform(ATTEMPT, PrepareInputs(order()))
        assert await rig.next_event() == InputsReady()
        outcome = EngineEnded(0, "", "", "so far\n", "", 7, 0)
        rig.executor.perform(ATTEMPT, StoreResults(order(), outcome))
        event = await rig.next_event()
    assert isinstance(event, ResultsFailed)
    assert "on this node is full. Free some space there" in event.message


async def test_a_stop_of_nothing_is_no_error(rig):
    async with rig.running():
        rig.executor.perform(ATTEMPT, StopEngine(0.1))
        core = await rig.drive(order(attempt="e-other"))
    assert core.observation.state is AttemptState.SUCCEEDED
