"""A story for screens: three nodes, a split, one part of a job done on both sides of it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import wasmtime

from tests.system.mesh_processes import (
    Mesh,
    execution_states,
    local_input,
    scripted_job,
    until,
    wasm_job,
)

NEAR, FAR, THIRD = "bridge", "galley", "hold"
PROGRAM = """
;; Runs until a file is there: `go-1`, or `go-2` where `late` was there at the start.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "go-1go-2late")
  (func $is_there (param $name i32) (result i32)
    (i32.eqz (call $path_open (i32.const 4) (i32.const 0) (local.get $name) (i32.const 4)
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16))))
  (func $sleep
    (i64.store (i32.const 64) (i64.const 0))
    (i64.store (i32.const 72) (i64.const 0))
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 50000000))
    (i64.store (i32.const 96) (i64.const 1000000))
    (i64.store (i32.const 104) (i64.const 0))
    (drop (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 160))))
  (func (export "_start") (local $name i32)
    (local.set $name (select (i32.const 260) (i32.const 256) (call $is_there (i32.const 264))))
    (block $done
      (loop $again
        (br_if $done (call $is_there (local.get $name)))
        (call $sleep)
        (br $again)))))
"""


@functools.cache
def _module() -> bytes:
    return bytes(wasmtime.wat2wasm(PROGRAM))


def _only_on(*sites: str) -> list[dict[str, Any]]:
    return [{"Key": "site", "Operator": "in", "Values": list(sites)}]


class SplitStory:
    """Its chapters, in order; each is over when every node that has to know does."""

    def __init__(self, folder: Path) -> None:
        self._mesh = Mesh(folder)
        self._gate = folder / "gate"
        self._gate.mkdir()

    def __enter__(self) -> SplitStory:
        self._mesh.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._mesh.__exit__()

    def socket_of(self, name: str) -> tuple[str, str]:
        """Flags by which a command asks this node."""
        return "--data-dir", str(self._mesh[name].data_dir)

    def calm(self) -> None:
        """Four jobs: one done, one that runs, one that waits, one that will be done twice."""
        options = {
            name: ["--label", f"site={name}", "--allow-path", str(self._gate), "--allow-faults"]
            for name in (NEAR, FAR, THIRD)
        }
        self._mesh.started(NEAR, FAR, THIRD, options=options)
        near = self._mesh[NEAR].api
        near.finished(near.run(scripted_job(Name="logbook", Constraints=_only_on(THIRD))))
        near.running(near.run(scripted_job(3_600_000, Name="watch", Constraints=_only_on(THIRD))))
        near.run(scripted_job(Name="chart", Constraints=_only_on("harbour")))
        # With the near node cordoned there is one place for it.
        self._do(NEAR, "node", "cordon", NEAR)
        job = wasm_job(
            _module(),
            Name="survey",
            Constraints=_only_on(NEAR, FAR),
            inputs=[local_input(self._gate)],
            result_paths=[{"Name": "outputs", "Path": "/outputs"}],
        )
        near.running(near.run(job, _module()))
        self._do(NEAR, "node", "uncordon", NEAR)

    def _do(self, node: str, *arguments: str) -> None:
        done = self._mesh[node].run_socket(*arguments)
        assert done.code == 0, done

    def split(self) -> None:
        """The far node is alone: it owns what goes on, the near one replaces what is there."""
        for name in (NEAR, THIRD):
            self._do(name, "faults", "cut", FAR)
        (self._gate / "late").touch()
        near, far = self._mesh[NEAR].api, self._mesh[FAR].api
        near.sees("unreachable", FAR)
        far.sees("unreachable", NEAR, THIRD)
        self._until(NEAR, lambda job: execution_states(job) == ["Running", "Running"])
        owner = self._mesh[FAR].page["node"]
        for name in ("survey", "watch", "chart"):
            self._until(FAR, lambda job: job["Mesh"]["Owner"] == owner, name)

    def finish(self) -> None:
        """Both sides do the part, the far one first."""
        (self._gate / "go-1").touch()
        self._until(FAR, lambda job: job["Job"]["State"]["StateType"] == "Completed")
        (self._gate / "go-2").touch()
        self._until(NEAR, lambda job: job["Job"]["State"]["StateType"] == "Completed")

    def heal(self) -> None:
        """All hear each other again, and agree."""
        for name in (NEAR, THIRD):
            self._do(name, "faults", "heal")
        self._mesh[NEAR].api.sees("alive", FAR)
        self._until(NEAR, lambda job: bool(job["Mesh"]["Settled"]))

    def _until(self, node: str, holds: Any, job: str = "survey") -> None:
        api = self._mesh[node].api
        until(
            lambda: (found := api.job(job)) is not None and holds(found),
            f"{job} at {node}",
            patience_s=60.0,
            told=lambda: api.job(job),
        )
