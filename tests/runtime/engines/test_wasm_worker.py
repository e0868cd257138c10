"""The worker's own parts, in this process; the rest of it is tried through the engine."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
import wasmtime

from runtime.engines import wasm_worker
from runtime.engines.wasm_worker import Failed, ModuleCache, send
from tests.runtime.programs import assemble

pytestmark = pytest.mark.real("wasm")


@pytest.fixture
def cache(tmp_path):
    return ModuleCache(wasmtime.Engine(), tmp_path, "1.0")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "main.wasm"
    path.write_bytes(assemble("exit_7"))
    return str(path)


def test_a_module_is_compiled_once(cache, source, tmp_path, monkeypatch):
    first = cache.load(source, "main.wasm")
    monkeypatch.setattr(wasmtime, "Module", None)
    assert cache.load(source, "main.wasm") is first


def test_a_second_worker_reads_what_the_first_compiled(cache, source, tmp_path, monkeypatch):
    cache.load(source, "main.wasm")
    monkeypatch.setattr(ModuleCache, "_compile", None)
    assert ModuleCache(wasmtime.Engine(), tmp_path, "1.0").load(source, "main.wasm")


@pytest.mark.parametrize("position", [0, 31, 32, -1])
def test_one_wrong_byte_is_compiled_anew(source, tmp_path, monkeypatch, position):
    ModuleCache(wasmtime.Engine(), tmp_path, "1.0").load(source, "main.wasm")
    (compiled,) = tmp_path.glob("*.cwasm")
    data = bytearray(compiled.read_bytes())
    data[position] ^= 1
    compiled.write_bytes(data)
    compiled_anew = []
    monkeypatch.setattr(ModuleCache, "_compile", lambda *_: compiled_anew.append(1))
    ModuleCache(wasmtime.Engine(), tmp_path, "1.0").load(source, "main.wasm")
    assert compiled_anew


def test_what_another_release_of_the_run_time_wrote_is_compiled_anew(source, tmp_path):
    for release in ("1.0", "1.1"):
        ModuleCache(wasmtime.Engine(), tmp_path, release).load(source, "main.wasm")
    assert len(list(tmp_path.glob("*.cwasm"))) == 2


def test_few_modules_stay_in_memory(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(wasm_worker, "MODULES_IN_MEMORY", 2)
    for name in ("exit_0", "exit_7", "trap"):
        (tmp_path / name).write_bytes(assemble(name))
        cache.load(str(tmp_path / name), name)
    assert len(cache._loaded) == 2


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path, source):
    cache = ModuleCache(wasmtime.Engine(), tmp_path / "missing", "1.0")
    assert cache.load(source, "main.wasm")


def test_a_file_that_is_not_there(cache):
    with pytest.raises(Failed, match=r"main\.wasm cannot be read: No such file") as caught:
        cache.load("/nowhere/main.wasm", "main.wasm")
    assert caught.value.failure == "module_invalid"


def test_frames():
    stream = io.BytesIO()
    send(stream, {"a": "ü"})
    data = stream.getvalue()
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    assert json.loads(data[4:]) == {"a": "ü"}


def test_the_worker_starts_light():
    code = "import sys, runtime.engines.wasm_worker; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"trio", "cbor2", "asyncio", "httpx", "scheduler.jobs", "storage.blobs"}
    heavy |= {"importlib.metadata", "email", "tempfile"}  # 20 ms of 70
    assert heavy & set(ran.stdout.split()) == set()
