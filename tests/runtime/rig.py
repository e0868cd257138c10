"""An executor that performs one attempt in a folder, and the part that a member plays."""

from __future__ import annotations

import contextlib

import trio
import trio.testing

from runtime.attempt import AttemptCore, Report, ResultsStored, StopAsked, WakeAt
from runtime.engines.scripted import ScriptedEngine
from runtime.executor import Executor
from runtime.ports import EngineSetup
from scheduler.ids import Digest, NodeId
from scheduler.jobs import Input, Source
from storage.blobs import BlobStore
from storage.providers.memory import MemoryProvider
from tests.runtime.orders import at, order

ATTEMPT = order().attempt


class Rig:
    """An executor and what it reports; `drive` plays the member's part."""

    def __init__(self, folder, *, engines=None, files=None, faults=None):
        self.folder = folder
        self.blobs = BlobStore(folder / "blobs")
        self.send, self.events = trio.open_memory_channel(100)
        engine = ScriptedEngine(EngineSetup(folder))
        provider = MemoryProvider(files or {}, faults=faults)
        self.executor = Executor(
            data_dir=folder,
            node=NodeId("n-aaaaaaaaaaaaaaaaaaaaaaaaaa"),
            engines=engines if engines is not None else {engine.name: engine},
            providers={provider.name: provider},
            blobs=self.blobs,
            report=lambda attempt, event: self.send.send_nowait((attempt, event)),
        )

    @contextlib.asynccontextmanager
    async def running(self):
        async with trio.open_nursery() as nursery:
            await nursery.start(self.executor.run)
            yield self
            nursery.cancel_scope.cancel()

    def blob(self, digest: Digest | None) -> bytes:
        assert digest is not None
        data = self.blobs.read(digest, limit_bytes=10_000)
        assert data is not None
        return data

    async def next_event(self):
        with trio.fail_after(30):
            return (await self.events.receive())[1]

    async def drive(self, wanted, *, stop_on=None) -> AttemptCore:
        """Run an attempt to its terminal record."""
        core = AttemptCore(wanted)
        self.perform(core, core.start(at(0)))
        while not core.terminal:
            event = await self.next_event()
            if isinstance(event, ResultsStored):
                for small in event.small:
                    self.blobs.keep_bytes(small)
            self.perform(core, core.handle(event, at(1)))
            if stop_on is not None and isinstance(event, stop_on):
                self.perform(core, core.handle(StopAsked("enough"), at(2)))
        return core

    def perform(self, core, effects) -> None:
        for effect in effects:
            if not isinstance(effect, (Report, WakeAt)):
                self.executor.perform(core.order.attempt, effect)


def entry(key: str, target: str = "/inputs/x") -> Input:
    return Input(Source("memory", {"Key": key}), target)
