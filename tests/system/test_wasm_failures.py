"""Programs that fail: a clear sentence for each, exit code 1, and the node goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.programs import assemble, module
from tests.system.mesh_processes import (
    Mesh,
    Node,
    executions,
    message_of,
    state_of,
    until,
)

pytestmark = [pytest.mark.real("loopback"), pytest.mark.real("wasm")]

EXIT_3 = module("(call $proc_exit (i32.const 3))", uses=("proc_exit",))


@pytest.fixture
def node(lone_mesh: Mesh) -> Node:
    return lone_mesh["alone"]


@pytest.fixture
def _unharmed(node: Node):
    """After each failure the same process runs the next job."""
    pid = node.pid
    yield
    done = node.api.finished(node.api.run_program("exit_0"))
    assert state_of(done) == "Completed", message_of(done)
    assert node.pid == pid
    assert node.process.poll() is None


def _assembled(name: str) -> bytes:
    import wasmtime

    if name == "exit_3":
        return bytes(wasmtime.wat2wasm(EXIT_3))
    return b"\0asmthis is no module" if name == "no_module" else assemble(name)


@pytest.mark.usefixtures("_unharmed")
@pytest.mark.parametrize(
    ("name", "options", "reason", "words"),
    [
        ("trap", [], "trap", "unreachable"),
        ("divide", [], "trap", "divide by zero"),
        ("recurse", [], "trap", "stack"),
        ("exit_3", [], "exit_code", "with code 3"),
        ("spin", ["--timeout", "1"], "total_timeout", "1 s"),
        ("grow", ["--memory", "64mb"], "out_of_memory", "Resources.Memory"),
        ("huge", ["--memory", "64mb"], "out_of_memory", "Resources.Memory"),
        ("unknown_import", [], "module_invalid", "frobnicate"),
        ("no_module", [], "module_invalid", "version"),
    ],
)
def test_a_failed_program_is_one_clear_sentence(
    node: Node, tmp_path: Path, name: str, options: list[str], reason: str, words: str
) -> None:
    path = tmp_path / f"{name}.wasm"
    path.write_bytes(_assembled(name))
    done = node.run("wasm", "run", *options, str(path))
    assert done.code == 1, done
    job = done.stdout.strip().rpartition(" ")[2]
    described = node.run("job", "describe", job)
    assert described.code == 0
    document = node.api.job(job)
    (execution,) = executions(document)
    sentence = message_of(document)
    assert state_of(document) == "Failed"
    assert execution["Mesh"]["Reason"] == reason
    assert words in sentence
    assert "Traceback" not in sentence
    assert "State       Failed" in described.stdout
    assert f"Message     {sentence}" in described.stdout
    assert sentence in done.stderr


@pytest.mark.usefixtures("_unharmed")
def test_an_endless_loop_ends_at_its_deadline(node: Node) -> None:
    job = node.api.run_program("spin", timeouts={"ExecutionTimeout": 1})
    node.api.running(job)
    done = node.api.finished(job)
    assert state_of(done) == "Failed"
    assert executions(done)[0]["Mesh"]["Reason"] == "deadline"
    assert "1 s" in message_of(done)


@pytest.mark.usefixtures("_unharmed")
def test_an_endless_loop_ends_when_asked_to(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "spin.wasm"
    path.write_bytes(assemble("spin"))
    job = node.run("wasm", "run", "--no-wait", "--id-only", str(path)).stdout.strip()
    node.api.running(job)
    workers = node.workers()
    stopped = node.run("job", "stop", job)
    assert stopped.code == 0, stopped
    done = node.api.finished(job)
    assert state_of(done) == "Stopped"

    def spins_no_more() -> bool:
        return executions(node.api.job(job))[0]["Mesh"]["State"] == "Cancelled"

    until(spins_no_more, "the program was ended")
    until(lambda: not all(one.is_running() for one in workers), "and its worker too")
    described = node.run("job", "describe", job)
    assert "Stopped at user request" in described.stdout


def test_waiting_too_long_is_exit_code_4_and_the_job_goes_on(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "spin.wasm"
    path.write_bytes(assemble("spin"))
    done = node.run("wasm", "run", "--wait-timeout-secs", "1", str(path))
    assert done.code == 4, done
    assert "goes on" in done.stderr
    job = done.stdout.strip().rpartition(" ")[2]
    node.api.running(job)
    node.api.stop_job(job)
    assert state_of(node.api.finished(job)) == "Stopped"
