"""I3, told implies durable: what leaves a machine is on its disk. I4, acknowledged implies kept.

And what a disk holds is held again after a restart.
"""

from __future__ import annotations

import hashlib

from mesh.gossip.events import Send
from mesh.gossip.messages import Blobs, Envelopes, Heads, decode_untrusted
from mesh.ledger.envelope import decode_untrusted as decode_envelope_untrusted
from mesh.member.commands import JobReading, JobsPage, StopTaken, Submitted
from scheduler.ids import Digest, JobId, NodeId, blob_digest
from sim.judges.oracle import Oracle
from sim.watcher import Watcher, Wrong
from sim.world import Ask, Machine, World

TELLING = (9, 10, 17)
"""Message types that tell of what is held: envelopes, blobs, heads. A message is a short list, its
type the second byte; the others are not decoded, for speed."""


class Durability(Watcher):
    """Looks at every frame and every answer, and counts what clients were promised."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._read: dict[bytes, tuple[tuple[NodeId, int], int, bytes]] = {}
        self.acknowledged: dict[JobId, str] = {}
        """Jobs whose submission was answered with yes, and by whom first."""
        self.stopped: dict[JobId, str] = {}

    # --- I3 ---------------------------------------------------------------------------------------

    def sent(self, machine: Machine, send: Send) -> None:
        if send.data[1] not in TELLING:
            return
        held = self._oracle.on(machine)
        message = decode_untrusted(send.data)
        if isinstance(message, Envelopes):
            for data in message.envelopes:
                self._check_end(machine, *self._end_of(data), what="sends an envelope")
        elif isinstance(message, Heads):
            for head in message.heads:
                key = (head.author, head.epoch)
                self._check_end(machine, key, head.seq, head.head, what="tells a head")
        elif isinstance(message, Blobs):
            for blob in message.blobs:
                if blob_digest(blob) not in held.blobs:
                    raise Wrong("I3", f"{machine.name} sends a blob that its disk does not hold")

    def answered(self, machine: Machine, ask: Ask) -> None:
        held, answer = self._oracle.on(machine), ask.answer
        match answer:
            case Submitted(job):
                if job not in held.births:
                    raise Wrong("I3", f"{machine.name} acknowledged {job}, not on its disk")
                self.acknowledged.setdefault(job, machine.name)
            case StopTaken(job):
                if job not in held.stops:
                    raise Wrong("I3", f"{machine.name} took a stop of {job}, not on its disk")
                self.stopped.setdefault(job, machine.name)
            case JobReading():
                self._check_reading(machine, answer)
            case JobsPage(jobs):
                for reading in jobs:
                    self._check_reading(machine, reading)

    def _check_reading(self, machine: Machine, reading: JobReading) -> None:
        durable = self._oracle.on(machine).records[reading.id]
        if reading.revision > durable:
            raise Wrong(
                "I3",
                f"{machine.name} answers from {reading.revision} records of {reading.name}, "
                f"its disk holds {durable}",
            )

    def _check_end(
        self, machine: Machine, key: tuple[NodeId, int], seq: int, digest: bytes, *, what: str
    ) -> None:
        ends = self._oracle.on(machine).ends.get(key, {})
        if ends.get(seq) != digest:
            raise Wrong(
                "I3",
                f"{machine.name} {what} of {key[0]}, epoch {key[1]}, up to {seq}, "
                f"its disk holds {max(ends, default=0)}",
            )

    def _end_of(self, data: bytes) -> tuple[tuple[NodeId, int], int, bytes]:
        digest = hashlib.sha256(data).digest()
        if digest not in self._read:
            stored = decode_envelope_untrusted(data).stored
            self._read[digest] = (stored.key, stored.last_seq, digest)
        return self._read[digest]

    # --- restarts ---------------------------------------------------------------------------------

    def started(self, machine: Machine) -> None:
        """Everything on the disk is held again."""
        context = machine.running.ledger.context()
        for key, seq in self._oracle.on(machine).seqs.items():
            have = context.get(key, (0, b""))[0]
            if have != seq:
                raise Wrong(
                    "I4",
                    f"{machine.name} started with {have} of {seq} records that its disk holds "
                    f"of {key[0]}, epoch {key[1]}",
                )

    # --- I4 ---------------------------------------------------------------------------------------

    def at_rest(self, world: World) -> None:
        kept = self.kept(world)
        disks = [self._oracle.on(machine) for machine in world.up()]
        for machine in world.up():
            view = machine.running.facts.view
            for job in kept:
                if job not in view.jobs:
                    by = self.acknowledged[job]
                    raise Wrong("I4", f"{by} acknowledged {job}, {machine.name} does not know it")
            for job, by in self.stopped.items():
                excused = not any(job in held.stops for held in disks)
                if not excused and not view.jobs[job].stops:
                    raise Wrong("I4", f"{by} took a stop of {job}, {machine.name} lacks it")

    def is_blob_kept(self, world: World, blob: Digest) -> bool:
        """Somebody who is up holds it: a machine that died for good may have been the only one."""
        return any(blob in self._oracle.on(machine).blobs for machine in world.up())

    def kept(self, world: World) -> list[JobId]:
        """Acknowledged jobs but those that only the dead knew, or a disk that is gone."""
        disks = [self._oracle.on(machine) for machine in world.up()]
        return [job for job in self.acknowledged if any(job in held.births for held in disks)]
