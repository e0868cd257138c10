"""The executor performs; whatever goes wrong is an event."""

from __future__ import annotations

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
    RunEngine,
    StopEngine,
)
from runtime.engines.scripted import ScriptedEngine
from runtime.engines.wasm import WasmEngine
from runtime.executor import STOPPED_EARLY
from runtime.ports import EngineSetup
from scheduler.jobs import AttemptState, Input, ResultPath, Source
from storage.digest import decode_manifest_untrusted
from storage.providers.memory import MemoryProvider
from tests.runtime.orders import at, order
from tests.runtime.programs import assemble
from tests.runtime.rig import ATTEMPT, Rig, entry


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


async def test_a_stop_that_is_met_before_the_start_is_not_lost(rig):
    endless = order(engine=Source("scripted", {"DurationMs": 3_600_000}))
    async with rig.running():
        rig.executor.perform(ATTEMPT, PrepareInputs(endless))
        assert await rig.next_event() == InputsReady()
        rig.executor.perform(ATTEMPT, StopEngine(0.1))
        await trio.testing.wait_all_tasks_blocked()
        rig.executor.perform(ATTEMPT, RunEngine(endless))
        event = await rig.next_event()
    assert event == EngineEnded(None, "", STOPPED_EARLY, "", "", 0, 0)


@pytest.mark.parametrize("here", [True, False])
async def test_a_shared_input_that_is_here_is_taken_at_once(tmp_path, here):
    rig = Rig(tmp_path)
    rig.executor._providers = {"mesh": MemoryProvider({})}
    digest = rig.blobs.keep_bytes(b"a module") if here else "ab" * 32
    async with rig.running():
        shared = Input(Source("mesh", {"Digest": digest.upper()}), "/main.wasm")
        rig.executor.perform(ATTEMPT, PrepareInputs(order(inputs=(shared,))))
        assert rig.events.statistics().current_buffer_used == int(here)
        assert isinstance(await rig.next_event(), InputsReady if here else InputsFailed)


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
