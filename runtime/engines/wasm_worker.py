"""The child process that runs WebAssembly: one job at a time, a fresh store for each.

Jobs come over stdin and answers go over stdout, each a 4-byte length and JSON. Whoever starts this
process ends it by closing its stdin, also while a guest spins, and by dying, for then the system
closes it: a thread waits for just that. Imports are few, because people wait for the start.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import select
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import wasmtime

from runtime.outputs import STDERR, STDOUT, OutputStream

LENGTH = struct.Struct(">I")
CHECKSUM_BYTES = 32
MODULES_IN_MEMORY = 8
"""A compiled module takes some 100 KB to 10 MB; a job's next partition comes back within a few
jobs."""
OWN_MEMORY_BYTES = 768 << 20
"""Beside the guest's memory: the interpreter (33 MB) and the compiler's peak on a module of 30
MB."""
TABLE_ELEMENTS = 1 << 20
"""16 MiB of function references: twenty times the largest tables that compilers make today."""
NEARLY_FULL = 16
"""Compilers make a failed allocation an `unreachable`, which says nothing of memory; with less than
this part of the limit left it can hardly be anything else."""
TABLES_PER_INSTANCE = 4
"""Compilers make one; hand-written modules a few."""
EXIT_CODE_BITS = 0xFF
"""As processes of a Unix have it: `exit(-1)` is 255."""
WASI = "wasi_snapshot_preview1"
WASM_MAGIC = b"\0asm"
COMPONENT_VERSION = b"\x0d\0\1\0"


PROC_EXIT = wasmtime.FuncType([wasmtime.ValType.i32()], [])


class Failed(Exception):
    """The job cannot be run or did not end well: the name of the failure, and one sentence."""

    def __init__(self, failure: str, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class Exited(Exception):
    """The guest called `proc_exit`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code & EXIT_CODE_BITS


class ModuleCache:
    """Compiled modules by the SHA-256 of their source: some in memory, all in a folder of this
    node.

    A compiled module is native code: nothing is loaded but what this node wrote, and each file
    begins with the checksum of the rest, so that one cut off by a full disk is compiled anew, as is
    what another release of the run-time wrote: a compiler's fault may be what it mends.
    """

    def __init__(self, engine: wasmtime.Engine, folder: Path, release: str) -> None:
        self._engine = engine
        self._folder = folder
        self._suffix = f"-{release}-{os.uname().machine}.cwasm"
        self._loaded: dict[str, wasmtime.Module] = {}

    def load(self, path: str, name: str) -> wasmtime.Module:
        """The module of a file; Failed when it is none. `name` is what people call it."""
        try:
            source = Path(path).read_bytes()
        except OSError as error:
            raise Failed("module_invalid", f"{name} cannot be read: {error.strerror}.") from error
        key = hashlib.sha256(source).hexdigest()
        module = self._loaded.pop(key, None) or self._read(key) or self._compile(source, key, name)
        self._loaded[key] = module
        if len(self._loaded) > MODULES_IN_MEMORY:
            del self._loaded[next(iter(self._loaded))]
        return module

    def _read(self, key: str) -> wasmtime.Module | None:
        try:
            data = self._path(key).read_bytes()
            if hashlib.sha256(data[CHECKSUM_BYTES:]).digest() != data[:CHECKSUM_BYTES]:
                return None
            return wasmtime.Module.deserialize(self._engine, data[CHECKSUM_BYTES:])
        except (OSError, wasmtime.WasmtimeError):
            return None

    def _compile(self, source: bytes, key: str, name: str) -> wasmtime.Module:
        if source[:4] != WASM_MAGIC:
            raise Failed(
                "module_invalid",
                f"{name} is not a WebAssembly module: it does not begin with the bytes of one.",
            )
        if source[4:8] == COMPONENT_VERSION:
            raise Failed(
                "module_invalid",
                f"{name} is a component (WASI 0.2), which this release does not run: build it as a "
                "module for WASI preview 1.",
            )
        try:
            module = wasmtime.Module(self._engine, source)
        except wasmtime.WasmtimeError as error:
            raise Failed(
                "module_invalid", f"{name} is not a valid module: {_one_line(error)}."
            ) from error
        self._write(key, bytes(module.serialize()))
        return module

    def _write(self, key: str, data: bytes) -> None:
        temporary = self._folder / f"{key}.{os.getpid()}"  # workers may compile one at once
        try:
            temporary.write_bytes(hashlib.sha256(data).digest() + data)
            temporary.rename(self._path(key))
        except OSError:
            pass  # a cache that cannot be written costs time only

    def _path(self, key: str) -> Path:
        return self._folder / (key + self._suffix)


class Runner:
    """Runs jobs, one after the other."""

    def __init__(self, modules: Path, release: str) -> None:
        self._engine = wasmtime.Engine(wasmtime.Config())
        self._modules = ModuleCache(self._engine, modules, release)
        self._linker = _new_linker(self._engine)
        """For jobs that import no module: making one costs more than all else of a small job."""

    def run(self, job: dict[str, Any], answers: BinaryIO) -> dict[str, Any]:
        """Run one job; says `started` when the guest begins; the answer that ends it."""
        streams = [
            OutputStream(stream, job[name], job["log"], job["output_limit_bytes"])
            for stream, name in ((STDOUT, "stdout"), (STDERR, "stderr"))
        ]
        try:
            exit_code, failure, message = self._run_guest(job, streams, answers), "", ""
        except Failed as error:
            exit_code, failure, message = None, error.failure, str(error)
        except Exception as error:  # ours, not the guest's: the node wants a sentence, not a corpse
            exit_code, failure, message = None, "engine", f"The wasm worker failed: {error!r}."
        finally:
            for stream in streams:
                stream.close()
        return {
            "exit_code": exit_code,
            "failure": failure,
            "message": message,
            "tails": [stream.tail.decode("latin-1") for stream in streams],
            "sizes": [stream.size_bytes for stream in streams],
        }

    def _run_guest(
        self, job: dict[str, Any], streams: list[OutputStream], answers: BinaryIO
    ) -> int:
        name = job["module_name"]
        limit_bytes = job["memory_bytes"]
        _limit_own_memory(limit_bytes + OWN_MEMORY_BYTES)
        module = self._modules.load(job["module"], name)
        store = wasmtime.Store(self._engine)
        try:
            instances = 1 + len(job["imports"])
            store.set_limits(
                memory_size=limit_bytes,
                memories=instances,
                instances=instances,
                tables=instances * TABLES_PER_INSTANCE,
                table_elements=TABLE_ELEMENTS,
            )
            store.set_wasi(_wasi(job, streams))
            instance = self._instantiate(store, module, job)
            return _call(store, instance, job, answers)
        finally:
            store.close()

    def _instantiate(
        self, store: wasmtime.Store, module: wasmtime.Module, job: dict[str, Any]
    ) -> wasmtime.Instance:
        linker = _new_linker(self._engine) if job["imports"] else self._linker
        name = job["module_name"]
        try:
            for target, path in job["imports"]:
                name = target
                imported = linker.instantiate(store, self._modules.load(path, target))
                for known_as in (target, PurePosixPath(target).stem):
                    linker.define_instance(store, known_as, imported)
            name = job["module_name"]
            return linker.instantiate(store, module)
        except wasmtime.Trap as trap:
            raise Failed("trap", f"{name} trapped before it began: {_trap_words(trap)}.") from trap
        except wasmtime.WasmtimeError as error:
            words = _one_line(error)
            if "memory limits" in words:
                raise Failed(
                    "out_of_memory",
                    f"{name} wants more memory than the {_mebibytes(job['memory_bytes'])} it may "
                    f"have ({words}): ask for more with Resources.Memory.",
                ) from error
            raise Failed("module_invalid", f"{name} cannot be linked: {words}.") from error


def _new_linker(engine: wasmtime.Engine) -> wasmtime.Linker:
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    linker.allow_shadowing = True
    # The run-time's own `proc_exit` knows codes up to 125 only.
    linker.define_func(WASI, "proc_exit", PROC_EXIT, _exit)
    return linker


def _wasi(job: dict[str, Any], streams: list[OutputStream]) -> wasmtime.WasiConfig:
    config = wasmtime.WasiConfig()
    config.argv = job["arguments"]
    config.env = list(job["env"].items())
    for host, guest, writable in job["folders"]:
        try:
            config.preopen_dir(host, guest, writable)
        except wasmtime.WasmtimeError as error:
            raise Failed("engine", f"The folder for {guest} cannot be opened.") from error
    config.stdout_custom = streams[0].write
    config.stderr_custom = streams[1].write
    return config


def _call(
    store: wasmtime.Store, instance: wasmtime.Instance, job: dict[str, Any], answers: BinaryIO
) -> int:
    """The exit code. A reactor's `_initialize` comes before any entry point but `_start`."""
    exports, name, entrypoint = instance.exports(store), job["module_name"], job["entrypoint"]
    function = exports.get(entrypoint)
    if not isinstance(function, wasmtime.Func):
        functions = [one for one, item in exports.items() if isinstance(item, wasmtime.Func)]
        known = ", ".join(functions) or "none"
        raise Failed(
            "module_invalid", f"{name} exports no function {entrypoint}; it exports {known}."
        )
    if function.type(store).params:
        raise Failed("module_invalid", f"{name}: {entrypoint} takes arguments; it must take none.")
    initialize = exports.get("_initialize")
    send(answers, {"started": True})
    try:
        if entrypoint != "_start" and isinstance(initialize, wasmtime.Func):
            initialize(store)
        function(store)
    except Exited as exited:
        return exited.code
    except wasmtime.Trap as trap:
        raise _trapped(store, exports.get("memory"), trap, job["memory_bytes"]) from trap
    except wasmtime.WasmtimeError as error:
        raise Failed("trap", f"The program failed: {_one_line(error)}.") from error
    return 0


def _trapped(
    store: wasmtime.Store, memory: object, trap: wasmtime.Trap, limit_bytes: int
) -> Failed:
    words = _trap_words(trap)
    if not isinstance(memory, wasmtime.Memory):
        return Failed("trap", f"The program trapped: {words}.")
    used = f"it held {_mebibytes(memory.data_len(store))} of {_mebibytes(limit_bytes)} of memory"
    room_bytes = limit_bytes - memory.data_len(store)
    if trap.trap_code is wasmtime.TrapCode.UNREACHABLE and room_bytes < limit_bytes // NEARLY_FULL:
        return Failed(
            "out_of_memory",
            f"The program gave up because it could get no more memory ({used}): ask for more with "
            "Resources.Memory.",
        )
    return Failed("trap", f"The program trapped: {words} ({used}).")


def _exit(code: int) -> None:
    raise Exited(code)


def _trap_words(trap: wasmtime.Trap) -> str:
    words = _one_line(trap).rpartition("wasm trap: ")[2]
    names = [frame.func_name for frame in trap.frames[:1] if frame.func_name]
    return f"{words} in {names[0]}" if names else words


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.1f} MiB"


def _limit_own_memory(limit_bytes: int) -> None:
    """Private writable memory of this process. The address space is no measure: the run-time
    reserves 4 GiB of it for each guest, which lets guests run without bounds checks, and touches
    little."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, hard))


def send(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write one frame."""
    body = json.dumps(message).encode()
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def _end_with_stdin() -> None:
    """Ends the process, whatever it is doing, when there can be no more jobs."""
    hung_up = select.poll()
    hung_up.register(0, 0)  # nothing but the end is waited for: the main thread reads
    while not hung_up.poll():
        pass
    os._exit(0)


def _read_jobs(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    while len(head := stream.read(LENGTH.size)) == LENGTH.size:
        if body := stream.read(LENGTH.unpack(head)[0]):
            yield json.loads(body)


def main() -> None:
    """Serve jobs until stdin ends. Arguments: the folder of compiled modules, and the release of
    the run-time, which its parent knows already: to look it up takes a third of the start."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    runner = Runner(Path(sys.argv[1]), sys.argv[2])
    for job in _read_jobs(sys.stdin.buffer):
        send(answers, runner.run(job, answers))


if __name__ == "__main__":
    main()
