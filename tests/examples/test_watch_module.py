"""The demo's watch takes its five seconds by sleeping, and prints a line after each."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

TEXT = Path(__file__).parents[2] / "examples" / "demo" / "watch.wat"
RESULT_DESCRIPTOR = 7


@pytest.mark.real("wasm")
def test_watch() -> None:
    store = wasmtime.Store()
    printed: dict[int, bytes] = {1: b"", RESULT_DESCRIPTOR: b""}
    slept: list[int] = []
    memory: list[wasmtime.Memory] = []

    def number(at: int, size: int) -> int:
        return int.from_bytes(memory[0].read(store, at, at + size), "little")

    def fd_write(descriptor: int, vectors: int, count: int, told: int) -> int:
        start, length = number(vectors, 4), number(vectors + 4, 4)
        printed[descriptor] += bytes(memory[0].read(store, start, start + length))
        return 0

    def poll_oneoff(subscriptions: int, events: int, count: int, told: int) -> int:
        assert (count, number(subscriptions + 8, 1)) == (1, 0), "one clock"
        slept.append(number(subscriptions + 24, 8))
        return 0

    def path_open(folder: int, _: int, name: int, length: int, *rest: int) -> int:
        assert folder == 3
        assert bytes(memory[0].read(store, name, name + length)) == b"watch.txt"
        memory[0].write(store, RESULT_DESCRIPTOR.to_bytes(4, "little"), rest[-1])
        return 0

    def proc_exit(code: int) -> None:
        raise AssertionError(f"exit {code}")

    functions = {one.__name__: one for one in (fd_write, poll_oneoff, path_open, proc_exit)}
    module = wasmtime.Module(store.engine, bytes(wasmtime.wat2wasm(TEXT.read_text())))
    linker = wasmtime.Linker(store.engine)
    for wanted in module.imports:
        kind = wanted.type
        assert isinstance(kind, wasmtime.FuncType)
        name = str(wanted.name)
        linker.define(store, wanted.module, name, wasmtime.Func(store, kind, functions[name]))
    exports = linker.instantiate(store, module).exports(store)
    shared, start = exports["memory"], exports["_start"]
    assert isinstance(shared, wasmtime.Memory)
    assert isinstance(start, wasmtime.Func)
    memory.append(shared)
    start(store)
    assert slept == [1_000_000_000] * 5
    assert printed[1] == b"".join(b"bilge dry at bell %d\n" % bell for bell in range(1, 6))
    assert printed[RESULT_DESCRIPTOR] == b"The watch was kept: five bells, bilge dry.\n"
