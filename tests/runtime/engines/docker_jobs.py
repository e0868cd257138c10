"""Jobs for tests of the Docker engine's pure parts."""

from __future__ import annotations

from pathlib import Path

from runtime.ports import EngineJob, Mount
from scheduler.ids import AttemptId
from scheduler.jobs import Network, Resources, Source, Task


def job(
    folder: Path = Path("/home"),
    *,
    network: Network | None = None,
    resources: Resources | None = None,
    env=None,
    limit_bytes: int = 100,
    **params,
) -> EngineJob:
    return EngineJob(
        attempt=AttemptId("e-one"),
        task=Task(
            "main",
            Source("docker", {"Image": "busybox", **params}),
            network=network or Network(),
            resources=resources or Resources(),
        ),
        env=env or {},
        inputs=(Mount(folder / "in", "/inputs", read_only=True),),
        outputs=(Mount(folder / "out", "/outputs", read_only=False),),
        scratch=folder / "scratch",
        stdout=folder / "stdout",
        stderr=folder / "stderr",
        log=folder / "log",
        output_limit_bytes=limit_bytes,
    )
