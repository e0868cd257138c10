"""One member of the mesh: gossip, ledger, orchestration and attempts behind one `handle`.

A pure object. The node's loop and the simulator's world are its only shells; their duties stand in
`mesh.member.events`. Events of one batch are handled one by one, then `end_tick` decides what
follows from them and asks for at most one flush. What must wait for that flush waits here, so that
no shell can send or answer anything that is not on disk (I3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from mesh.gossip.core import Gossip, Timing
from mesh.gossip.events import (
    AddressHeard,
    BlobsArrived,
    BlobsWanted,
    CertificateLearned,
    CloseLink,
    Dial,
    DialFailed,
    EnvelopesArrived,
    GossipEffect,
    LinkClosed,
    LinkId,
    LinkOpened,
    MessageReceived,
    PeerChanged,
    PullAsked,
    RegisterChanged,
    Send,
    StartTimer,
    TimerFired,
)
from mesh.ledger.ledger import Ledger, Received
from mesh.member.absence import ABSENCE_TIMER, Absence
from mesh.member.chronicle import Chronicle
from mesh.member.commands import READINGS, Command, ListNodes, Reply
from mesh.member.compute import ATTEMPT_TIMER, DRAIN_TIMER, Compute
from mesh.member.desk import Desk
from mesh.member.events import (
    Answer,
    AttemptReported,
    BlobKept,
    CapacityMeasured,
    Changed,
    CommandReceived,
    Flushed,
    LocalDataScanned,
    MemberEffect,
    MemberEvent,
    Restored,
    SendBlobs,
)
from mesh.member.facts import Facts
from mesh.member.flushes import Flushes
from mesh.member.nodes import Nodes
from mesh.member.orchestrate import JOB_TIMERS, Orchestrate
from mesh.member.outbox import Outbox
from mesh.member.registers import SEEN
from mesh.member.seen import SEEN_TIMER, Seen
from mesh.member.watched import ReadOutline, ReadWatched, WatchCommand
from mesh.member.watching import Watching
from mesh.trust import CertificateBook, CertificateError, Trust
from runtime.attempt import NODE_RESTARTED, ResultsStored
from scheduler.ids import AttemptId, JobId, NodeId, blob_digest
from scheduler.instant import Instant

ROUNDS_PER_TICK_MAX = 64
"""One write leads to another (placed, accepted, refused, placed again); what is left after so many
rounds waits for the next tick, so that a loop of refusals cannot stop the node."""

STEPS_TIMER = "steps"
STEPS_WAIT_S = 0.005
"""A job that ends within this writes its steps and its end in one flush instead of two."""
REFOLD_TIMER = "refold"
REFOLD_AFTER_S = 1.0
"""After the last records of a catch-up: to fold 30,000 again takes a second, so it is done once."""


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """What the operator said about this node."""

    name: str
    addresses: tuple[str, ...]
    """HOST:PORT, where peers may dial us."""
    version: str
    timing: Timing = Timing()
    lasting_engines: tuple[str, ...] = ()
    """Engines whose programs outlive the node's process and are found again after it."""
    wan: bool = False
    """Replacements wait longer where links are slow or metered."""
    labels: Mapping[str, str] = field(default_factory=dict)
    lost: str = NODE_RESTARTED
    """What is said of an attempt that an earlier member of this node ran and this one cannot."""


class Member:
    """See the module's head."""

    def __init__(
        self,
        *,
        settings: MemberSettings,
        trust: Trust,
        restored: Restored,
        random: Random,
        now: Instant,
    ) -> None:
        self.node: NodeId = trust.own.node
        self._book = CertificateBook(trust)
        for der in restored.certificates:
            self._book.add(trust.read_certificate_untrusted(der))
        self.ledger = Ledger(book=self._book, author=self.node, version=settings.version)
        self.facts = Facts(
            ledger=self.ledger, own=trust.own, random=random, stored_blobs=restored.blobs
        )
        self.boot = self._recall(restored, now)
        """The epoch opened at this start."""
        self._steps_wait = False  # a timer runs for steps that are not on disk
        self.outbox = Outbox()
        self._flushes = Flushes(self.ledger, restored)
        self.gossip = Gossip(
            book=self._book,
            name=settings.name,
            addresses=settings.addresses,
            boot=self.boot,
            timing=settings.timing,
            random=random,
            context=self.ledger.context,
            known_peers=[(NodeId(node), addresses) for node, addresses in restored.peers],
        )
        self.absence = Absence(self.facts, self.outbox, wan=settings.wan)
        self.chronicle = Chronicle(self.facts)
        self.seen = Seen(
            self.facts, self.gossip, self.outbox, self._book.by_node, told=self.chronicle.settled
        )
        self.orchestrate = Orchestrate(self.facts, self.absence, self.outbox, boot=self.boot)
        self.compute = Compute(self.facts, self.outbox, settings.lasting_engines, settings.lost)
        self._desk = Desk(self.facts, self.orchestrate, self.seen)
        self._watching = Watching(
            self.facts, self.chronicle, self.seen, boot=self.boot, read_job=self._desk.read
        )
        self._nodes = Nodes(
            self.facts,
            self.gossip,
            name=settings.name,
            addresses=settings.addresses,
            version=settings.version,
            labels=settings.labels,
            boot=self.boot,
            started=now,
        )

    def _recall(self, restored: Restored, now: Instant) -> int:
        """Fold what the disk holds, and open an epoch that follows it."""
        records = self.ledger.replay(restored.envelopes)
        self.facts.fold(records)
        if self.facts.view.dropped:
            # What an earlier boot ran is told from this view: it must lack nothing.
            self.facts.refold()
        self.facts.clock.last = max([self.ledger.last_hlc, *(one.hlc for _, one in records)])
        boot = self.ledger.open_epoch(now, self.facts.random.getrandbits(16))
        self.facts.clock.last = max(self.facts.clock.last, self.ledger.last_hlc)
        return boot

    # --- the five verbs ---------------------------------------------------------------------------

    def start(self, now: Instant) -> list[MemberEffect]:
        """Begin: what an earlier boot left unfinished is told, timers run, peers are looked for."""
        self.compute.restart(now)
        self.absence.started(self._book.by_node, now)
        self._flushes.certificate(self._book.trust.own)
        self._route(self.gossip.start(now), now)
        self._nodes.refresh_own()
        self.chronicle.started(now)
        return self.end_tick(now)

    def handle(self, event: MemberEvent, now: Instant) -> list[MemberEffect]:
        """Take one event in. Bad bytes from peers are counted, never raised."""
        match event:
            case TimerFired(token) if token[0] == ATTEMPT_TIMER:
                self.compute.timer_fired(AttemptId(token[1]), now)
            case TimerFired(token) if token[0] == DRAIN_TIMER:
                self.compute.intent_changed(now)
            case TimerFired(token) if token[0] == ABSENCE_TIMER:
                self.absence.look(NodeId(token[1]), now)
            case TimerFired(token) if token[0] in JOB_TIMERS:
                self.orchestrate.timer_fired(token[0], JobId(token[1]), now)
            case TimerFired(token) if token[0] == SEEN_TIMER:
                self._route(self.seen.timer_fired(now), now)
            case TimerFired(token) if token[0] == STEPS_TIMER:
                self._steps_wait = self.facts.only_steps = False
            case TimerFired(token) if token[0] == REFOLD_TIMER:
                self._flushes.envelopes(self.ledger.seal())
                self.facts.refold()
            case (
                LinkOpened()
                | LinkClosed()
                | DialFailed()
                | AddressHeard()
                | MessageReceived()
                | TimerFired()
            ):
                self._route(self.gossip.handle(event, now), now)
            case Flushed(token):
                self._flushed(token, now)
            case AttemptReported(attempt, told):
                if isinstance(told, ResultsStored):
                    small = [(blob_digest(data), data) for data in told.small]
                    self._flushes.blobs(small, own=False)
                self.compute.reported(attempt, told, now)
            case CapacityMeasured():
                self._route(self._nodes.measured(event, now), now)
                self.compute.measured(event.capacity, event.engines, now)
            case LocalDataScanned(entries, writable):
                self._route(self._nodes.scanned(entries, writable, now), now)
            case BlobKept(digest):
                self._route(self._nodes.blob_kept(digest, now), now)
            case CommandReceived(token, command):
                self._command(token, command, now)
        return self.outbox.take()

    def end_tick(self, now: Instant) -> list[MemberEffect]:
        """Decide what follows from the batch, and ask for one flush of all that was written."""
        for _ in range(ROUNDS_PER_TICK_MAX):
            if not self._decide(now):
                break
        self._tell_watchers()
        self._want_missing_specs(now)
        self._flushes.blobs(self._desk.take_blobs(), own=True)
        self._flushes.hold(self.outbox.take_held())
        if self.facts.only_steps and self.ledger.has_unsealed() and self._flushes.can_wait():
            if not self._steps_wait:
                self._steps_wait = True
                self.outbox.send(StartTimer((STEPS_TIMER,), now.monotonic_s + STEPS_WAIT_S))
            return self.outbox.take()
        waiting = self.facts.wait_for_it
        persist, ready = self._flushes.next(
            told_first=None if waiting is None else frozenset(waiting)
        )
        self.outbox.extend(ready)
        if persist is not None:
            self.outbox.send(persist)
        return self.outbox.take()

    def _tell_watchers(self) -> None:
        """What people see has changed."""
        jobs, self.facts.changed = tuple(self.facts.changed), {}
        attempts, self.facts.changed_attempts = tuple(self.facts.changed_attempts), {}
        nodes = self._nodes.take_changed()
        if jobs or nodes:
            self.outbox.hold(Changed(jobs, nodes, attempts))

    def leave(self, now: Instant) -> list[MemberEffect]:
        """Say goodbye to every peer: we end by intent and will return."""
        self._route(self.gossip.leave(now), now)
        return self.outbox.take()

    # --- deciding ---------------------------------------------------------------------------------

    def _decide(self, now: Instant) -> bool:
        """One round over what changed; False when nothing is left to do."""
        intents, self.facts.intents = self.facts.intents, {}
        for node in intents:
            self._nodes.intent_changed(node)
            self.chronicle.intent_seen(node)
        if self.node in intents:
            self.compute.intent_changed(now)
        jobs, self.facts.dirty = self.facts.dirty, {}
        news, self.facts.news = self.facts.news, []
        self.chronicle.fold(news)
        freed, self.facts.capacity_freed = self.facts.capacity_freed, False
        for job_id in jobs:
            job = self.facts.view.jobs[job_id]
            self.orchestrate.consider(job, now)
            self.compute.consider(job, now)
            state = job.state()
            self.chronicle.job_seen(job, state, self.orchestrate.waiting(job_id))
            if state.terminal:
                self.facts.active.pop(job_id, None)
                self.seen.job_ended(job_id, now)
            else:
                self.facts.active[job_id] = None
        if freed:
            self.orchestrate.wake(jobs, now)
        return bool(self.facts.dirty) or self.facts.capacity_freed

    def read_now(self, command: Command, now: Instant) -> Reply | None:
        """Between two events; None where it is to come as one, because it writes or waits."""
        on_disk = self._flushes.idle and not self.ledger.has_unsealed()
        return self._desk.answer(command, now) if on_disk and type(command) in READINGS else None

    def statistics(self) -> dict[str, int]:
        """Counters of this run and sizes now, by room and name: what was sent, taken, refused."""
        rooms = {"gossip": self.gossip.statistics(), "ledger": self.ledger.statistics()}
        return {f"{room}_{name}": one for room, told in rooms.items() for name, one in told.items()}

    def _command(self, token: int, command: Command | WatchCommand, now: Instant) -> None:
        answer: object
        if isinstance(command, ListNodes):
            answer = self._nodes.details(None, now)
        elif isinstance(command, ReadOutline | ReadWatched):
            answer = self._watching.answer(command, lambda nodes: self._nodes.details(nodes, now))
        else:
            answer = self._desk.answer(command, now)
        self.outbox.hold(Answer(token, answer))

    def _want_missing_specs(self, now: Instant) -> None:
        wanted = [one for one in self.facts.missing_specs if one not in self._flushes.asked_specs]
        if wanted:
            self._flushes.asked_specs.update(dict.fromkeys(wanted))
            self._route(self.gossip.want_blobs(wanted, now), now)

    # --- gossip -----------------------------------------------------------------------------------

    def _route(self, effects: Iterable[GossipEffect], now: Instant) -> None:
        for effect in effects:
            match effect:
                case Send() | Dial() | CloseLink() | StartTimer():
                    self.outbox.send(effect)
                case EnvelopesArrived(link, envelopes):
                    self._received(link, self.ledger.receive_window_untrusted(envelopes), now)
                case BlobsArrived(blobs):
                    self._flushes.blobs(
                        [(self.facts.add_blob(one), one) for one in blobs], own=False
                    )
                case BlobsWanted(link, digests):
                    self.outbox.send(SendBlobs(link, digests))
                case PullAsked(link, author, epoch, from_seq):
                    window = self.ledger.window(author, epoch, from_seq)
                    self._route(self.gossip.send_envelopes(link, window), now)
                case PeerChanged(peer):
                    self._peer_changed(peer, now)
                case RegisterChanged(peer, kind, payload):
                    self.absence.heard(peer, now)
                    if kind == SEEN:
                        self.seen.register_changed(peer, payload, now)
                    else:
                        self._nodes.register_changed(peer, kind, payload)
                case CertificateLearned(der):
                    self._certificate_learned(der, now)

    def _peer_changed(self, node: NodeId, now: Instant) -> None:
        peer = self._nodes.peer_changed(node)
        if peer is not None:
            self.chronicle.peer_seen(peer, now)
        self._flushes.peers(self.gossip.peers())
        if peer is not None:
            self.absence.peer_changed(peer, now)

    def _received(self, link: LinkId | None, received: Received, now: Instant) -> None:
        self._flushes.envelopes(received.appended)
        for author in dict.fromkeys(one.author for one in received.appended):
            self.absence.heard(author, now)
        self.facts.fold(received.records)
        if self.facts.view.dropped and received.records:
            self.outbox.send(StartTimer((REFOLD_TIMER,), now.monotonic_s + REFOLD_AFTER_S))
        self.facts.follow_clock(received.records, now)
        if received.foreign_own:
            # Somebody wrote on in our epoch: leave it to them. The boot stays the one of our start.
            self.ledger.open_epoch(now, self.facts.random.getrandbits(16))
            self.facts.clock.last = max(self.facts.clock.last, self.ledger.last_hlc)
        if link is None:
            return
        if received.gap is not None:
            self._route(self.gossip.pull(link, *received.gap, now), now)
        if received.missing_certificate is not None:
            self._route(self.gossip.want_certificate(link, received.missing_certificate, now), now)

    def _certificate_learned(self, der: bytes, now: Instant) -> None:
        try:
            certificate = self._book.trust.read_certificate_untrusted(der)
        except CertificateError:
            return
        self._book.add(certificate)
        self._flushes.certificate(certificate)
        self._received(None, self.ledger.certificate_added(), now)

    def _flushed(self, token: int, now: Instant) -> None:
        done = self._flushes.flushed(token)
        for author, epoch, seq, head in self.ledger.flushed(done.envelopes):
            self.gossip.context_changed(author, epoch, seq, head)
        for digest in done.blobs:
            self._route(self._nodes.blob_kept(digest, now), now)
        own = [one.data for one in done.envelopes if one.author == self.node]
        if own:
            told = self.gossip.broadcast(own, done.own_blobs, now, first=done.told_first)
            self._route(told, now)
        self.outbox.extend(done.effects)
