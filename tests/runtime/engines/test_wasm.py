"""What the wasm engine makes of modules and mounts, beyond the conformance suite."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
import trio

from runtime.attempt import EngineEnded
from runtime.conformance import INPUT_TEXT, Program, Subject, serving
from runtime.engines.wasm import WasmEngine
from runtime.ports import EngineSetup, Mount
from scheduler.jobs import Resources, Source
from tests.runtime.programs import TEXTS, assemble, wasm_program

pytestmark = pytest.mark.real("wasm")


@pytest.fixture
async def subject(tmp_path):
    engine = WasmEngine(EngineSetup(tmp_path / "data"))
    programs = {name: wasm_program(name) for name in TEXTS}
    async with serving(engine):
        yield Subject(engine, programs, tmp_path)


@pytest.mark.parametrize(
    ("name", "failure", "words"),
    [
        ("trap", "trap", "`unreachable` instruction executed"),
        ("divide", "trap", "integer divide by zero"),
        ("recurse", "trap", "call stack exhausted"),
        ("grow", "out_of_memory", "no more memory (it held 6"),
        ("huge", "out_of_memory", "wants more memory than the 64.0 MiB"),
        ("unknown_import", "module_invalid", "env::frobnicate"),
    ],
)
async def test_failures_are_named(subject, name, failure, words):
    ended = await subject.run(name)
    assert (ended.exit_code, ended.failure) == (None, failure)
    assert words in ended.message
    assert ended.message.endswith(".")
    assert "\n" not in ended.message
    assert (await subject.run_job(subject.job("exit_7", attempt="e-after"))).exit_code == 7


async def test_large_exit_codes(subject):
    assert (await subject.run("exit_200")).exit_code == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a WebAssembly module"),
        (b"(module)", "not a WebAssembly module"),
        (b"\0asm\x0d\0\1\0", "component"),
        (b"\0asm\1\0\0\0\xff", "not a valid module"),
        (assemble("copy")[:-20], "not a valid module"),
    ],
)
async def test_what_is_no_module(subject, content, words):
    program = Program(Source("wasm", {"EntryModule": "/main.wasm"}), content)
    ended = await replace(subject, programs={"it": program}).run("it")
    assert ended.failure == "module_invalid"
    assert words in ended.message
    assert "main.wasm" in ended.message


@pytest.mark.parametrize(
    ("entrypoint", "exit_code", "words"),
    [("serve", 0, ""), ("missing", None, "exports no function missing; it exports _start, serve")],
)
async def test_other_entry_points(subject, entrypoint, exit_code, words):
    params = {"EntryModule": "main.wasm", "Entrypoint": entrypoint}
    program = Program(Source("wasm", params), assemble("other_entry"))
    ended = await replace(subject, programs={"it": program}).run("it")
    assert ended.exit_code == exit_code
    assert words in ended.message


async def test_a_module_that_no_input_brings(subject):
    program = Program(Source("wasm", {"EntryModule": "/other.wasm"}), assemble("exit_0"))
    ended = await replace(subject, programs={"it": program}).run("it")
    assert ended.failure == "module_invalid"
    assert "No input brings the module /other.wasm" in ended.message


async def test_import_modules_are_linked_by_name(subject, tmp_path):
    (tmp_path / "seven.wasm").write_bytes(
        wat('(module (func (export "get") (result i32) i32.const 7))')
    )
    main = wat(
        """(module (import "seven" "get" (func $get (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (call $get))))"""
    )
    params = {"EntryModule": "/main.wasm", "ImportModules": ["/lib/seven.wasm"]}
    subject = replace(subject, programs={"it": Program(Source("wasm", params), main)})
    job = subject.job("it")
    library = Mount(tmp_path / "seven.wasm", "/lib/seven.wasm", read_only=True)
    ended = await subject.run_job(replace(job, inputs=(*job.inputs, library)))
    assert (ended.exit_code, ended.message) == (7, "")


def wat(text: str) -> bytes:
    import wasmtime

    return bytes(wasmtime.wat2wasm(text))


async def test_single_files_are_shown_in_their_folder(subject, tmp_path):
    (tmp_path / "elsewhere.txt").write_bytes(INPUT_TEXT)
    job = subject.job("copy")
    file = Mount(tmp_path / "elsewhere.txt", "/data/in.txt", read_only=True)
    job = replace(job, inputs=(job.inputs[1], file))
    ended = await subject.run_job(job)
    assert (ended.exit_code, ended.message) == (0, "")
    assert (job.outputs[0].host / "out.txt").read_bytes() == INPUT_TEXT


@pytest.mark.parametrize(
    ("guest", "read_only", "words"),
    [
        ("/data/in.txt", False, "single file to be written"),
        ("/inputs/in.txt", True, "want the folder /inputs"),
        ("/outputs/in.txt", True, "want the folder /outputs"),
    ],
)
async def test_mounts_that_cannot_be(subject, tmp_path, guest, read_only, words):
    (tmp_path / "elsewhere.txt").write_bytes(INPUT_TEXT)
    job = subject.job("copy")
    file = Mount(tmp_path / "elsewhere.txt", guest, read_only=read_only)
    ended = await subject.run_job(replace(job, inputs=(*job.inputs, file)))
    assert ended.failure == "module_invalid"
    assert words in ended.message


async def test_a_damaged_compiled_module_is_compiled_anew(tmp_path):
    modules = tmp_path / "data" / "modules"
    for number, damage in enumerate((None, b"", b"\0" * 100, "truncated", "flipped")):
        for path in modules.glob("*.cwasm"):
            data = path.read_bytes()
            if isinstance(damage, bytes):
                path.write_bytes(damage)
            elif damage == "truncated":
                path.write_bytes(data[:-1])
            elif damage == "flipped":
                path.write_bytes(data[:500] + bytes([data[500] ^ 1]) + data[501:])
        engine = WasmEngine(EngineSetup(tmp_path / "data"))
        subject = Subject(engine, {"exit_7": wasm_program("exit_7")}, tmp_path)
        async with serving(engine):
            ended = await subject.run_job(subject.job("exit_7", attempt=f"e-{number}"))
        assert (ended.exit_code, ended.message) == (7, "")
    assert len(list(modules.iterdir())) == 1


async def test_memory_is_what_the_job_asked_for(subject):
    job = subject.job("grow")
    tasks = [replace(job.task, resources=Resources(500, size << 20)) for size in (8, 200)]
    held = []
    for task in tasks:
        ended = await subject.run_job(replace(job, task=task))
        assert ended.failure == "out_of_memory"
        held.append(float(ended.message.split("it held ")[1].split(" ")[0]))
    assert 7 <= held[0] <= 8
    assert 199 <= held[1] <= 200


async def test_a_worker_that_dies_is_a_sentence_and_the_next_job_runs(subject):
    job, ends = subject.job("spin"), []

    async def run(started) -> None:
        ends.append(await subject.engine.run(job, started))

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            begun = trio.Event()
            nursery.start_soon(run, begun.set)
            await begun.wait()
            for pid in children():
                os.kill(pid, signal.SIGKILL)
    (ended,) = ends
    assert isinstance(ended, EngineEnded)
    assert ended.failure == "engine"
    assert ended.message == (
        "The wasm worker was killed from outside, most likely because memory ran out."
    )
    assert (await subject.run_job(subject.job("exit_7", attempt="e-after"))).exit_code == 7


def children() -> list[int]:
    """Worker processes that this process has started."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
                with open(f"/proc/{entry}/cmdline") as file:
                    command = file.read()
            except OSError:
                continue
            if parent == os.getpid() and "wasm_worker" in command:
                found.append(int(entry))
    return found


async def test_none_is_left_behind(tmp_path):
    engine = WasmEngine(EngineSetup(tmp_path / "data"))
    subject = Subject(engine, {"spin": wasm_program("spin")}, tmp_path)
    async with serving(engine), trio.open_nursery() as nursery:
        begun = trio.Event()
        nursery.start_soon(engine.run, subject.job("spin"), begun.set)
        with trio.fail_after(30):
            await begun.wait()
        assert children()
        nursery.cancel_scope.cancel()
    assert children() == []
