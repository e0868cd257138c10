"""Programs for the wasm engine, in WebAssembly text."""

from __future__ import annotations

import functools

import wasmtime

from runtime.conformance import Program
from scheduler.jobs import Source

WASI = "wasi_snapshot_preview1"

IMPORTS = {
    "fd_write": "(param i32 i32 i32 i32) (result i32)",
    "fd_read": "(param i32 i32 i32 i32) (result i32)",
    "proc_exit": "(param i32)",
    "environ_sizes_get": "(param i32 i32) (result i32)",
    "environ_get": "(param i32 i32) (result i32)",
    "args_sizes_get": "(param i32 i32) (result i32)",
    "args_get": "(param i32 i32) (result i32)",
    "path_open": "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
}


def module(
    body: str, *, uses: tuple[str, ...] = (), memory: str = "(memory 2)", data: str = ""
) -> str:
    """A module in text: imports from WASI, one memory, and a `_start` with this body."""
    imports = "\n".join(
        f'(import "{WASI}" "{name}" (func ${name} {IMPORTS[name]}))' for name in uses
    )
    return f"""(module {imports} {memory} (export "memory" (memory 0)) {data}
      (func (export "_start") (local $n i32) {body}))"""


def write(stream: int, at: int, length: int) -> str:
    """Print bytes of the memory; the iovec stands at 0."""
    return f"""(i32.store (i32.const 0) (i32.const {at}))
      (i32.store (i32.const 4) (i32.const {length}))
      (drop (call $fd_write (i32.const {stream}) (i32.const 0) (i32.const 1) (i32.const 8)))"""


EXIT = ("proc_exit",)
# Folders are opened in this order: the result folder, then the inputs.
OUTPUTS_FD, INPUTS_FD = 3, 4


def _open(folder: int, name_at: int, length: int, flags: int, rights: int, fd_at: int) -> str:
    return f"""(call $path_open (i32.const {folder}) (i32.const 0) (i32.const {name_at})
      (i32.const {length}) (i32.const {flags}) (i64.const {rights}) (i64.const 0) (i32.const 0)
      (i32.const {fd_at}))"""


def _strings(kind: str) -> str:
    """Print the buffer that `environ_get` or `args_get` fills."""
    return f"""(drop (call ${kind}_sizes_get (i32.const 16) (i32.const 20)))
      (drop (call ${kind}_get (i32.const 1024) (i32.const 4096)))
      (i32.store (i32.const 0) (i32.const 4096))
      (i32.store (i32.const 4) (i32.load (i32.const 20)))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"""


NAMES = '(data (i32.const 64) "in.txt") (data (i32.const 80) "out.txt")'
TEXTS = {
    "exit_0": module(""),
    "exit_7": module("(call $proc_exit (i32.const 7))", uses=EXIT),
    "exit_200": module("(call $proc_exit (i32.const 200))", uses=EXIT),
    "two_streams": module(
        write(1, 64, 4) + write(2, 68, 4),
        uses=("fd_write",),
        data='(data (i32.const 64) "out\\0aerr\\0a")',
    ),
    "environment": module(
        _strings("environ"), uses=("fd_write", "environ_sizes_get", "environ_get")
    ),
    "arguments": module(_strings("args"), uses=("fd_write", "args_sizes_get", "args_get")),
    "copy": module(
        f"""(if {_open(INPUTS_FD, 64, 6, 0, 2, 32)} (then (call $proc_exit (i32.const 1))))
        (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $fd_read (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (if {_open(OUTPUTS_FD, 80, 7, 1, 64, 36)} (then (call $proc_exit (i32.const 2))))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $fd_write
          (i32.load (i32.const 36)) (i32.const 0) (i32.const 1) (i32.const 8)))""",
        uses=("fd_read", "fd_write", "proc_exit", "path_open"),
        data=NAMES,
    ),
    "overwrite": module(
        f"""(if {_open(INPUTS_FD, 64, 6, 0, 64, 32)} (then (call $proc_exit (i32.const 1))))
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 6))
        (if (call $fd_write (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 8))
          (then (call $proc_exit (i32.const 1))))""",
        uses=("fd_write", "proc_exit", "path_open"),
        data=NAMES,
    ),
    "spin": module("(loop $again (br $again))"),
    "flood": module(
        f"""(loop $again {write(1, 1024, 8192)}
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $n) (i32.const 20))))""",
        uses=("fd_write",),
    ),
    "trap": module("unreachable"),
    "divide": module("(drop (i32.div_u (i32.const 1) (local.get $n)))"),
    "recurse": '(module (func $deep (export "_start") (call $deep)))',
    "grow": module(
        """(loop $again (br_if $again
          (i32.ne (memory.grow (i32.const 4)) (i32.const -1)))) unreachable"""
    ),
    "huge": module("", memory="(memory 4096)"),
    "unknown_import": '(module (import "env" "frobnicate" (func)) (func (export "_start")))',
    "other_entry": '(module (func (export "_start") unreachable) (func (export "serve")))',
}


@functools.cache
def assemble(name: str) -> bytes:
    """The program of this name in binary."""
    return bytes(wasmtime.wat2wasm(TEXTS[name]))


def wasm_program(name: str) -> Program:
    """The program of this name for the conformance suite."""
    params = {"EntryModule": "/main.wasm", "Parameters": ["one", "two"]}
    return Program(Source("wasm", params), assemble(name))


WASM_PROGRAMS = {
    **{
        name: wasm_program(name)
        for name in (
            "exit_0", "exit_7", "two_streams", "environment", "arguments", "copy", "overwrite",
            "spin", "flood",
        )
    },
    "broken": Program(Source("wasm", {"EntryModule": "/main.wasm"}), b"this is no module"),
}  # fmt: skip
