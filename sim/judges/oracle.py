"""What is really on the disks: read from what was written, not from what any member believes.

Judges compare members with it. It reads envelopes by the ledger's own reader and folds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mesh.ledger.envelope import LogKey, StoredEnvelope, decode_untrusted
from mesh.ledger.validate import Void, read_records
from mesh.member.events import Persist
from mesh.trust import Certificate
from scheduler.ids import AttemptId, Digest, Dot, JobId, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState
from scheduler.records import Kind, Record
from sim.watcher import Watcher
from sim.world import Machine, World


@dataclass(slots=True)
class Held:
    """What one disk holds."""

    seqs: dict[LogKey, int] = field(default_factory=dict)
    """(author, epoch) -> the last seq."""
    ends: dict[LogKey, dict[int, bytes]] = field(default_factory=dict)
    """(author, epoch) -> last seq of each envelope -> its hash."""
    blobs: dict[Digest, None] = field(default_factory=dict)
    records: Counter[JobId] = field(default_factory=Counter)
    """How many records about each job."""
    births: dict[JobId, None] = field(default_factory=dict)
    stops: dict[JobId, None] = field(default_factory=dict)
    ended: dict[AttemptId, NodeId] = field(default_factory=dict)
    """Attempts with a terminal record, and who wrote it."""
    placed: dict[AttemptId, Placed] = field(default_factory=dict)
    succeeded: dict[tuple[AttemptId, NodeId], Hlc] = field(default_factory=dict)
    """(attempt, who says so) -> when first."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One placement that some disk holds."""

    job: JobId
    version: Dot
    index: int
    term: int
    node: NodeId
    owner: NodeId


class Oracle(Watcher):
    """Every disk of a world, and everything that was ever durable on one of them."""

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self._certificates = {one.serial: one for one in certificates}
        self._read: dict[bytes, tuple[tuple[Dot, Record], ...]] = {}
        self.held: dict[str, Held] = {}
        self.placed: dict[AttemptId, Placed] = {}
        """On any disk; at rest only what a machine that is up still holds counts."""
        self.succeeded: dict[tuple[AttemptId, NodeId], Hlc] = {}
        """(attempt, who says so) -> when first, likewise."""

    def on(self, machine: Machine) -> Held:
        """What this machine's disk holds."""
        return self.held.setdefault(machine.name, Held())

    def records(self, envelope: StoredEnvelope) -> tuple[tuple[Dot, Record], ...]:
        """Its records; none when it is void."""
        known = self._read.get(envelope.hash)
        if known is None:
            opened = decode_untrusted(envelope.data)
            read = read_records(opened, self._certificates[opened.serial])
            known = self._read[envelope.hash] = () if isinstance(read, Void) else read
        return known

    def own_records(self, machine: Machine, persist: Persist) -> Iterator[tuple[Dot, Record]]:
        """What the member itself wrote since its start; older records of its own, which an old
        disk had lost and a peer brought back, are no words of this process."""
        for envelope in persist.envelopes:
            if envelope.author == machine.node and envelope.epoch >= machine.running.boot:
                yield from self.records(envelope)

    def written(self, machine: Machine, persist: Persist) -> None:
        held = self.on(machine)
        held.blobs |= dict.fromkeys(digest for digest, _ in persist.blobs)
        for envelope in persist.envelopes:
            if envelope.last_seq <= held.seqs.get(envelope.key, 0):
                continue
            held.seqs[envelope.key] = envelope.last_seq
            held.ends.setdefault(envelope.key, {})[envelope.last_seq] = envelope.hash
            for dot, record in self.records(envelope):
                self._hold(held, dot, record)

    def rolled_back(self, machine: Machine) -> None:
        self.held[machine.name] = Held()
        for persist in machine.drive.disk.written():
            self.written(machine, persist)

    def at_rest(self, world: World) -> None:
        """What only the dead know, or a disk that is gone, is excused."""
        disks = [self.on(machine) for machine in world.up()]
        self.placed = {key: one for held in disks for key, one in held.placed.items()}
        self.succeeded = {key: hlc for held in disks for key, hlc in held.succeeded.items()}

    def first_success(self, version: Dot, index: int) -> AttemptId | None:
        """The accepted result of a slot by the rule `first_complete`: the least (time, term, id).

        Of all successes that were ever durable anywhere, told by the node that was to run them.
        """
        candidates = []
        for attempt, placed in self.placed.items():
            completed_hlc = self.succeeded.get((attempt, placed.node))
            if completed_hlc is not None and (placed.version, placed.index) == (version, index):
                candidates.append((completed_hlc, placed.term, attempt))
        return min(candidates)[2] if candidates else None

    def _hold(self, held: Held, dot: Dot, record: Record) -> None:
        body = record.body
        if "job" in body:
            held.records[body["job"]] += 1
        match record.kind:
            case Kind.JOB_CREATED:
                held.births[body["job"]] = None
            case Kind.STOP_REQUESTED:
                held.stops[body["job"]] = None
            case Kind.ATTEMPT_PLACED:
                placed = Placed(
                    body["job"],
                    body["version"],
                    body["index"],
                    body["term"],
                    body["node"],
                    dot.author,
                )
                held.placed[body["attempt"]] = placed
                self.placed.setdefault(body["attempt"], placed)
            case Kind.ATTEMPT_OBSERVED:
                self._observe(held, dot, record)

    def _observe(self, held: Held, dot: Dot, record: Record) -> None:
        attempt, state = record.body["attempt"], AttemptState(record.body["state"])
        if state.terminal:
            held.ended[attempt] = dot.author
        if state is AttemptState.SUCCEEDED:
            key = (attempt, dot.author)
            for known in (held.succeeded, self.succeeded):
                known[key] = min(known.get(key, record.hlc), record.hlc)
