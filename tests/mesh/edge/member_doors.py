"""Doors over a real member on a stage: what the API answers is what a node would."""

from __future__ import annotations

from pathlib import Path

import trio

from mesh.member.commands import Command, GetJob, JobReading, Problem, Reply
from mesh.member.events import CapacityMeasured, Changed
from mesh.member.watched import Outline, WatchCommand, Watched
from scheduler.ids import JobId
from scheduler.jobs import Resources
from tests.mesh.edge.fake_doors import FakeDoors, node_status
from tests.mesh.member.stage import Stage

CAPACITY = CapacityMeasured(
    Resources(2000, 4 << 30, 10 << 30),
    {"docker": "1", "scripted": "1", "wasm": "1"},
    {"site": "here", "os_type": "linux", "os_arch": "amd64"},
    ("inline", "local", "mesh", "urldownload"),
    ("local", "mesh"),
)


class MemberDoors(FakeDoors):
    """The node `a` of a stage; blobs and logs are the fake's."""

    def __init__(self, folder: Path, stage: Stage | None = None) -> None:
        super().__init__(folder)
        self.stage = stage or Stage("a")
        self.stage.tell("a", CAPACITY)
        self._seen = 0
        """Effects of the stage that were looked at."""
        self.status = node_status(self.stage.id("a"), "a", folder)

    async def read_watched(self, command: WatchCommand) -> Outline | Watched | Problem:
        await trio.lowlevel.checkpoint()
        reply: Outline | Watched | Problem = self.stage.ask("a", command)
        self.news()
        return reply

    async def ask(self, command: Command) -> Reply:
        await trio.lowlevel.checkpoint()
        reply: Reply = self.stage.ask("a", command)
        self.news()
        return reply

    def news(self) -> None:
        """Wake those who wait for a job: they look whether it is theirs; and the feed."""
        effects, self._seen = self.stage.performed[self._seen :], len(self.stage.performed)
        for name, effect in effects:
            if name == "a" and isinstance(effect, Changed):
                for tell in tuple(self.listeners):
                    tell(effect)
        self._changed.set()
        self._changed = trio.Event()

    async def wait_job_changed(self, job: JobId, revision: int) -> None:
        while True:
            changed = self._changed
            reply = self.stage.ask("a", GetJob(job, attempts=False))
            if (reply.revision if isinstance(reply, JobReading) else 0) != revision:
                return
            await changed.wait()
