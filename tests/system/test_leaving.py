"""A node that stops says goodbye; one that falls silent is missed, and welcome when it is back."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.runtime.programs import assemble
from tests.system.mesh_processes import (
    PATIENCE_S,
    Mesh,
    execution_states,
    is_alive,
    placed_on,
    state_of,
    until,
)

pytestmark = [pytest.mark.real("loopback"), pytest.mark.real("wasm")]

STOP_S = 3.0
"""What a node takes to end, at most."""
SILENT_S = 8.0
"""Longer than the 4.5 s after which a silent host is unreachable to all."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_node_says_goodbye(mesh: Mesh, number: signal.Signals, tmp_path: Path) -> None:
    mesh.started("north", "south")
    north, south = mesh["north"], mesh["south"]
    job = south.api.run_program("spin")
    placed = placed_on(south.api.running(job))
    node, other = (north, south) if placed == ["north"] else (south, north)
    workers = node.workers()
    assert workers
    waiting = node.begin("wasm", "run", str(_spinning(tmp_path)))
    until(lambda: len(node.api.jobs()) == 2, "a client waits at it")
    begun_s = time.monotonic()
    assert node.terminate(number) == 0
    took_s = time.monotonic() - begun_s
    # Seen at once, since it said so: silence would take seconds to be believed.
    other.api.sees("left", node.name, patience_s=2)
    assert took_s < STOP_S
    told, _ = waiting.communicate(timeout=PATIENCE_S)
    assert waiting.returncode == 3, told
    assert "Traceback" not in told
    assert "goes on" in told
    assert not any(map(is_alive, workers))
    assert node.page is None
    assert "will return" in node.said()
    assert f"peer {_short(node)} left" in other.said()

    def goes_on_elsewhere() -> bool:
        document = other.api.job(job)
        if document is None:
            return False
        states = dict(zip(placed_on(document), execution_states(document), strict=True))
        return states.get(other.name) == "Running"

    until(goes_on_elsewhere, "its peer runs what it ran", told=other.said)
    node.start().ready()
    other.api.sees("alive", node.name)
    until(lambda: "Failed" in execution_states(other.api.job(job)), "it tells what it cut off")
    other.api.stop_job(job)
    assert state_of(other.api.finished(job)) == "Stopped"


def _spinning(folder: Path) -> Path:
    path = folder / "spin.wasm"
    path.write_bytes(assemble("spin"))
    return path


def _short(node) -> str:
    return next(one for one in node.said().split() if one.startswith("(n-"))[1:13]


def test_a_suspended_node_is_unreachable_and_then_alive_again(mesh: Mesh) -> None:
    mesh.started("north", "south", "east")
    north, south, east = (mesh[name] for name in ("north", "south", "east"))
    east.process.send_signal(signal.SIGSTOP)
    stopped_s = time.monotonic()
    for node in (north, south):
        node.api.sees("unreachable", "east")
        job = node.api.run_program("exit_0")
        done = node.api.finished(job)
        assert state_of(done) == "Completed"
        assert placed_on(done) != ["east"]
    until(lambda: time.monotonic() > stopped_s + SILENT_S, "it has been silent for long enough")
    assert north.api.peers()["south"] == "alive"
    east.process.send_signal(signal.SIGCONT)
    # Alive again to all, and all to it: nobody that it could not hear is blamed for that.
    mesh.met()
    heard = set(north.api.jobs())
    until(lambda: set(east.api.jobs()) == heard, "it hears what happened meanwhile")
