"""The executor performs; whatever goes wrong is an event."""

from __future__ import annotations

import contextlib

import pytest
import trio
import trio.testing

from runtime.attempt import (
    AdoptProgram,
    AttemptCore,
    CleanUp,
    EngineEnded,
    EngineStarted,
    InputsFailed,
    InputsReady,
    NothingToAdopt,
    PrepareInputs,
    Report,
    ResultsFailed,
    ResultsStored,
    StopAsked,
    StopEngine,
    StoreResults,
    WakeAt,
)
from runtime.engines.scripted import ScriptedEngine
from runtime.engines.wasm import WasmEngine
from runtime.executor import Executor
from runtime.ports import EngineSetup
from scheduler.ids import Digest, NodeId
from scheduler.jobs import AttemptState, Input, ResultPath, Source
from storage.blobs import BlobStore
from storage.digest import decode_manifest_untrusted
from storage.errors import Corrupt, NotAllowed
from storage.providers.memory import MemoryProvider
from tests.runtime.orders import at, order
from tests.runtime.programs import assemble

ATTEMPT = order().attempt


class Rig:
    """An executor and what it reports; `drive` plays the member's part."""

    def __init__(self, folder, *, engines=None, files=None, faults=None):
        self.folder = folder
        self.blobs = BlobStore(folder / "blobs")
        self.send, self.events = trio.open_memory_channel(100)
        engine = ScriptedEngine(EngineSetup(folder))
        provider = MemoryProvider(files or {}, faults=faults)
        self.executor = Executor(
            data_dir=folder,
            node=NodeId("n-aaaaaaaaaaaaaaaaaaaaaaaaaa"),
            engines=engines if engines is not None else {engine.name: engine},
            providers={provider.name: provider},
            blobs=self.blobs,
            report=lambda attempt, event: self.send.send_nowait((attempt, event)),
        )

    @contextlib.asynccontextmanager
    async def running(self):
        async with trio.open_nursery() as nursery:
            await nursery.start(self.executor.run)
            yield self
            nursery.cancel_scope.cancel()

    def blob(self, digest: Digest | None) -> bytes:
        assert digest is not None
        data = self.blobs.read(digest, limit_bytes=10_000)
        assert data is not None
        return data

    async def next_event(self):
        with trio.fail_after(30):
            return (await self.events.receive())[1]

    async def drive(self, wanted, *, stop_on=None) -> AttemptCore:
        """Run an attempt to its terminal record."""
        core = AttemptCore(wanted)
        self.perform(core, core.start(at(0)))
        while not core.terminal:
            event = await self.next_event()
            if isinstance(event, ResultsStored):
                for small in event.small:
                    self.blobs.keep_bytes(small)
            self.perform(core, core.handle(event, at(1)))
            if stop_on is not None and isinstance(event, stop_on):
                self.perform(core, core.handle(StopAsked("enough"), at(2)))
        return core

    def perform(self, core, effects) -> None:
        for effect in effects:
            if not isinstance(effect, (Report, WakeAt)):
                self.executor.perform(core.order.attempt, effect)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def entry(key: str, target: str = "/inputs/x") -> Input:
    return Input(Source("memory", {"Key": key}), target)


async def test_a_script_from_order_to_result(rig):
    async with rig.running():
        wanted = order(
            engine=Source("scripted", {"Stdout": "hello\n"}),
            result_paths=(ResultPath("out", "/outputs"),),
        )
        core = await rig.drive(wanted)
        assert not rig.executor.holds(ATTEMPT)
    seen = core.observation
    assert (seen.state, seen.exit_code, seen.stdout_tail) == (AttemptState.SUCCEEDED, 0, "hello\n")
    manifest = decode_manifest_untrusted(rig.blob(seen.result))
    assert rig.blob(manifest.stdout) == b"hello\n"
    assert [one.path for one in manifest.entries] == ["out"]
    page = rig.executor.read_log(ATTEMPT, offset=0, limit_bytes=100)
    assert page.parts == ((1, b"hello\n"),)


async def test_clean_up_leaves_the_log_alone(rig):
    async with rig.running():
        await rig.drive(order(engine=Source("scripted", {"Stdout": "hello\n"})))
        while list((rig.folder / "results").iterdir()):
            await trio.testing.wait_all_tasks_blocked(0.001)
    assert rig.executor.logs.exists(ATTEMPT)


async def test_an_attempt_that_needs_no_files_makes_no_folder(rig):
    made = []
    async with rig.running():
        rig.executor.perform(ATTEMPT, PrepareInputs(order()))
        await rig.next_event()
        made += (rig.folder / "results").iterdir()
        rig.executor.perform(ATTEMPT, CleanUp())
    assert made == []


async def test_folders_of_an_earlier_run_are_removed_unless_somebody_goes_on_with_them(tmp_path):
    results = tmp_path / "results"
    for name in ("e-old", ATTEMPT):
        (results / name / "outputs").mkdir(parents=True)
    engine = Lasting(EngineSetup(tmp_path))
    engine.goes_on = trio.Event()
    rig = Rig(tmp_path, engines={"scripted": engine})
    async with rig.running():
        rig.executor.perform(ATTEMPT, AdoptProgram(order()))
        rig.executor.sweep()
        while [one.name for one in results.iterdir()] != [ATTEMPT]:
            await trio.testing.wait_all_tasks_blocked(0.001)
        engine.goes_on.set()
        assert await rig.next_event() == EngineStarted(5.0)
        ended = await rig.next_event()
        assert (ended.exit_code, ended.stdout_tail) == (0, "kept")


async def test_an_engine_whose_programs_die_with_the_node_has_nothing_to_adopt(rig):
    async with rig.running():
        rig.executor.perform(ATTEMPT, AdoptProgram(order()))
        assert await rig.next_event() == NothingToAdopt()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (None, "input_missing"),
        (NotAllowed("Not for you."), "policy"),
        (Corrupt("It is damaged."), "input"),
        (OSError(5, "Input/output error"), "input"),
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


class Lasting(ScriptedEngine):
    """Keeps what it ran until it is released."""

    def __init__(self, setup):
        super().__init__(setup)
        self.left, self.swept = {"e-earlier"}, False
        self.goes_on = trio.Event()

    async def run(self, job, started):
        self.left.add(job.attempt)
        return await super().run(job, started)

    async def survivors(self):
        return tuple(sorted(self.left))

    async def adopt(self, job, started):
        await self.goes_on.wait()
        started(5.0)
        return EngineEnded(0, "", "", "kept", "", 4, 0)

    async def release(self, attempt):
        self.left.discard(attempt)

    async def sweep(self):
        self.swept = True


async def test_clean_up_releases_what_an_engine_left(tmp_path):
    engine = Lasting(EngineSetup(tmp_path))
    rig = Rig(tmp_path, engines={"scripted": engine})
    async with rig.running():
        await rig.drive(order())
        rig.executor.sweep()
        await trio.testing.wait_all_tasks_blocked(0.01)
        while list((tmp_path / "results").iterdir()):
            await trio.testing.wait_all_tasks_blocked(0.001)
    assert engine.left == {"e-earlier"}
    assert engine.swept


async def test_a_stop_ends_what_runs(rig):
    async with rig.running():
        core = await rig.drive(
            order(engine=Source("scripted", {"DurationMs": 3_600_000, "Stdout": "so far\n"})),
            stop_on=EngineStarted,
        )
    assert core.observation.state is AttemptState.CANCELLED
    assert core.observation.stdout_tail == "so far\n"
    assert core.observation.result is not None


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
        outcome = EngineEnded(0, "", "", "", "", 0, 0)
        rig.executor.perform(ATTEMPT, StoreResults(order(), outcome))
        event = await rig.next_event()
    assert isinstance(event, ResultsFailed)
    assert "on this node is full. Free some space there" in event.message


async def test_a_stop_of_nothing_is_no_error(rig):
    async with rig.running():
        rig.executor.perform(ATTEMPT, StopEngine(0.1))
        core = await rig.drive(order(attempt="e-other"))
    assert core.observation.state is AttemptState.SUCCEEDED


@pytest.mark.real("wasm")
async def test_wasm_with_inputs_results_and_the_jobs_environment(tmp_path):
    engine = WasmEngine(EngineSetup(tmp_path))
    files = {"module": assemble("environment"), "copy": assemble("copy"), "text": b"84.5\n"}
    rig = Rig(tmp_path, engines={"wasm": engine}, files=files)
    wasm = Source("wasm", {"EntryModule": "/main.wasm"})
    async with rig.running():
        first = await rig.drive(order(engine=wasm, inputs=(entry("module", "/main.wasm"),)))
        second = await rig.drive(
            order(
                attempt="e-second",
                engine=wasm,
                inputs=(entry("copy", "/main.wasm"), entry("text", "/inputs/in.txt")),
                result_paths=(ResultPath("out", "/outputs"),),
            )
        )
    told = dict(one.split("=") for one in first.observation.stdout_tail.split("\0") if one)
    assert told == {
        "BACALHAU_JOB_ID": "j-22222222-2222-2222-2222-222222222222",
        "BACALHAU_EXECUTION_ID": ATTEMPT,
        "BACALHAU_NODE_ID": "n-aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "BACALHAU_PARTITION_INDEX": "2",
        "BACALHAU_PARTITION_COUNT": "5",
    }
    assert second.observation.message.startswith("Exited with code 0")
    manifest = decode_manifest_untrusted(rig.blob(second.observation.result))
    assert [one.path for one in manifest.entries] == ["out", "out/out.txt"]
    assert rig.blob(manifest.entries[1].digest) == b"84.5\n"


async def test_many_at_once(rig):
    cores = []
    waiting = {}
    async with rig.running():
        for number in range(20):
            wanted = order(attempt=f"e-{number}", engine=Source("scripted", {"Stdout": "x"}))
            core = AttemptCore(wanted)
            cores.append(core)
            waiting[wanted.attempt] = core
            rig.perform(core, core.start(at(0)))
        while waiting:
            with trio.fail_after(30):
                attempt, event = await rig.events.receive()
            core = waiting[attempt]
            rig.perform(core, core.handle(event, at(1)))
            if core.terminal:
                del waiting[attempt]
    assert {core.observation.state for core in cores} == {AttemptState.SUCCEEDED}
    assert len({core.observation.result for core in cores}) == 20
