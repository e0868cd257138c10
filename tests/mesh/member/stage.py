"""A stage for members: instant links, a disk that flushes when told, a scripted executor.

The whole world of failures is the simulator's; here a test sees each effect.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.gossip.events import (
    CloseLink,
    Dial,
    DialFailed,
    LinkClosed,
    LinkId,
    LinkOpened,
    MessageReceived,
    Send,
    StartTimer,
    TimerFired,
)
from mesh.ledger.ledger import StoredEnvelope
from mesh.member.commands import Command, GetJob, JobReading
from mesh.member.events import (
    Answer,
    AttemptReported,
    CapacityMeasured,
    Changed,
    CommandReceived,
    Flushed,
    MemberEffect,
    MemberEvent,
    Persist,
    Restored,
    RunAttempt,
    SendBlobs,
)
from mesh.member.member import Member, MemberSettings
from mesh.member.watched import WatchCommand
from mesh.trust import ROLES
from runtime.attempt import (
    AdoptProgram,
    EngineEnded,
    EngineStarted,
    InputsReady,
    NothingToAdopt,
    PrepareInputs,
    ResultsStored,
    RunEngine,
    StopEngine,
    StoreResults,
)
from scheduler.ids import Digest, NodeId, blob_digest
from scheduler.instant import Instant
from scheduler.jobs import Resources
from tests.mesh.trust_stub import StubTrust, stub_certificate

CAPACITY = CapacityMeasured(
    Resources(2000, 4 << 30, 10 << 30),
    {"scripted": "1", "wasm": "1"},
    {},
    ("local", "mesh"),
    ("mesh",),
)


@dataclass
class Disk:
    """What survives a kill."""

    envelopes: list[StoredEnvelope] = field(default_factory=list)
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    certificates: dict[bytes, bytes] = field(default_factory=dict)
    peers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def write(self, persist: Persist) -> None:
        self.envelopes.extend(persist.envelopes)
        self.blobs.update(persist.blobs)
        self.certificates.update(persist.certificates)
        self.peers.update(persist.peers)

    def restored(self) -> Restored:
        return Restored(
            tuple(self.envelopes),
            dict(self.blobs),
            tuple(self.certificates.values()),
            tuple(self.peers.items()),
        )


class Stage:
    """Some members, by name; addresses are `name:1`."""

    def __init__(self, *names: str, roles: dict[str, Sequence[str]] | None = None) -> None:
        self.lasting_engines: tuple[str, ...] = ()
        """Engines whose programs a killed member's next boot finds again."""
        self.survivors: set[str] = set()
        self.now = Instant(100.0, 1_800_000_000_000)
        self.certificates = {
            name: stub_certificate(name, tuple((roles or {}).get(name, ROLES))) for name in names
        }
        self.disks = {name: Disk() for name in names}
        self.members: dict[str, Member] = {}
        self.answers: dict[int, Any] = {}
        self.performed: list[tuple[str, MemberEffect]] = []
        self.flushing = True
        self.running: dict[str, set[str]] = {name: set() for name in names}
        self.hold_runs = False
        self.refusal: EngineEnded | None = None
        """What every engine answers instead of beginning."""
        """While true, programs start and do not end."""
        self.exit_code = 0
        self._stopped_early: set[str] = set()
        """Attempts that were to be stopped before they were begun."""
        self._mail: deque[tuple[str, MemberEvent]] = deque()
        self._timers: dict[tuple[str, tuple[str, ...]], float] = {}
        self._links: dict[tuple[str, LinkId], tuple[str, LinkId]] = {}
        self._cut: set[tuple[str, str]] = set()
        self._last_link = 0
        self._last_token = 0
        for name in names:
            self.boot(name)

    def boot(self, name: str) -> None:
        """Start a member from its disk."""
        issued = {one.der: one for one in self.certificates.values()}
        member = Member(
            settings=MemberSettings(
                name, (f"{name}:1",), "0.1.0", lasting_engines=self.lasting_engines
            ),
            trust=StubTrust(self.certificates[name], issued),
            restored=self.disks[name].restored(),
            random=random.Random(name),
            now=self.now,
        )
        self.members[name] = member
        self._perform(name, member.start(self.now))
        self.tell(name, CAPACITY)

    def kill(self, name: str) -> None:
        """kill -9: what was not flushed is gone, links break."""
        del self.members[name]
        if self.lasting_engines:
            self.survivors |= self.running[name]
        self.running[name].clear()
        self._mail = deque(one for one in self._mail if one[0] != name)
        self._timers = {key: at for key, at in self._timers.items() if key[0] != name}
        for (owner, link), (peer, far) in list(self._links.items()):
            if owner == name:
                self._links.pop((owner, link))
                self._links.pop((peer, far), None)
                self.tell(peer, LinkClosed(far, goodbye=False))

    def cut(self, side: Sequence[str], other: Sequence[str]) -> None:
        """Nothing passes between the sides, and nobody is told."""
        self._cut = {(a, b) for a in side for b in other} | {(b, a) for a in side for b in other}

    def heal(self) -> None:
        """Everything passes again; links that were cut in between are broken by now."""
        broken, self._cut = self._cut, set()
        for (owner, link), (peer, _) in list(self._links.items()):
            if (owner, peer) in broken:
                self._links.pop((owner, link))
                self.tell(owner, LinkClosed(link, goodbye=False))

    def id(self, name: str) -> NodeId:
        return self.certificates[name].node

    def connect(self, one: str, other: str) -> None:
        """As if `one` had dialled `other`."""
        self._open(one, f"{other}:1")

    def tell(self, name: str, event: MemberEvent) -> None:
        self._mail.append((name, event))

    def ask(self, name: str, command: Command | WatchCommand) -> Any:
        """The answer, after everything that can happen at once has happened."""
        self.settle()
        self._last_token += 1
        self.tell(name, CommandReceived(self._last_token, command))
        self.settle()
        return self.answers[self._last_token]

    def settle(self) -> None:
        """Handle all mail, one event a tick."""
        for _ in range(100_000):
            if not self._mail:
                return
            name, event = self._mail.popleft()
            member = self.members.get(name)
            if member is not None:
                self._perform(name, member.handle(event, self.now))
                self._perform(name, member.end_tick(self.now))
        raise AssertionError("the members never come to rest")

    def advance(self, seconds: float) -> None:
        """Let timers fire, in order."""
        end_s = self.now.monotonic_s + seconds
        while True:
            self.settle()
            due = min(self._timers.items(), key=lambda one: (one[1], one[0]), default=None)
            if due is None or due[1] > end_s:
                break
            (name, token), at_s = due
            del self._timers[name, token]
            self._move_to(max(at_s, self.now.monotonic_s))
            self.tell(name, TimerFired(token, at_s))
        self._move_to(end_s)

    def _move_to(self, monotonic_s: float) -> None:
        passed_ms = round((monotonic_s - self.now.monotonic_s) * 1000)
        self.now = Instant(monotonic_s, self.now.wall_ms + passed_ms)

    # --- effects ----------------------------------------------------------------------------------

    def _perform(self, name: str, effects: list[MemberEffect]) -> None:
        for effect in effects:
            self.performed.append((name, effect))
            match effect:
                case Send(link, data):
                    far = self._links.get((name, link))
                    if far is not None and (name, far[0]) not in self._cut:
                        self.tell(far[0], MessageReceived(far[1], data))
                case Dial(address):
                    self._open(name, address)
                case CloseLink(link):
                    far = self._links.pop((name, link), None)
                    if far is not None:
                        self._links.pop(far, None)
                        self.tell(far[0], LinkClosed(far[1], goodbye=True))
                case StartTimer(token, at_s):
                    self._timers[name, token] = at_s
                case Persist():
                    if self.flushing:
                        self.disks[name].write(effect)
                        self.tell(name, Flushed(effect.token))
                case SendBlobs(link, digests):
                    held = [
                        self.disks[name].blobs[one]
                        for one in digests
                        if one in self.disks[name].blobs
                    ]
                    frames = self.members[name].gossip.send_blobs(link, held)
                    self._perform(name, [one for one in frames if isinstance(one, Send)])
                case Answer(token, answer):
                    self.answers[token] = answer
                case RunAttempt():
                    self._run(name, effect)
                case Changed():
                    pass

    def _open(self, name: str, address: str) -> None:
        peer = address.split(":")[0]
        if (name, peer) in self._cut:
            self.tell(name, DialFailed(address, refused=False))
            return
        if peer not in self.members or name == peer:
            self.tell(name, DialFailed(address, refused=True))
            return
        self._last_link += 2
        near, far = LinkId(self._last_link), LinkId(self._last_link + 1)
        self._links[name, near], self._links[peer, far] = (peer, far), (name, near)
        ours, theirs = self.certificates[name], self.certificates[peer]
        self.tell(name, LinkOpened(near, theirs.node, True, address, theirs.der))
        self.tell(peer, LinkOpened(far, ours.node, False, f"{name}:9", ours.der))

    def _run(self, name: str, run: RunAttempt) -> None:
        attempt, effect = run.attempt, run.effect
        ended = EngineEnded(self.exit_code, "", "", "out", "", 3, 0)
        match effect:
            case PrepareInputs():
                self.tell(name, AttemptReported(attempt, InputsReady()))
            case RunEngine() if self.refusal is not None:
                self.tell(name, AttemptReported(attempt, self.refusal))
            case RunEngine() if attempt in self._stopped_early:
                self.finish(name, attempt, EngineEnded(None, "", "", "", "", 0, 0))
            case RunEngine():
                self.running[name].add(attempt)
                self.tell(name, AttemptReported(attempt, EngineStarted()))
                if not self.hold_runs:
                    self.finish(name, attempt, ended)
            case AdoptProgram() if attempt in self.survivors:
                self.running[name].add(attempt)
                self.tell(name, AttemptReported(attempt, EngineStarted(ran_s=5.0)))
            case AdoptProgram():
                self.tell(name, AttemptReported(attempt, NothingToAdopt()))
            case StopEngine():
                if attempt in self.running[name]:
                    self.finish(name, attempt, EngineEnded(None, "", "", "", "", 0, 0))
                else:
                    self._stopped_early.add(attempt)
            case StoreResults():
                digest = blob_digest(attempt.encode())
                self.tell(name, AttemptReported(attempt, ResultsStored(digest, 10)))
            case _:
                pass

    def finish(self, name: str, attempt: str, ended: EngineEnded | None = None) -> None:
        """A program ends."""
        self.running[name].discard(attempt)
        outcome = ended or EngineEnded(self.exit_code, "", "", "out", "", 3, 0)
        self.tell(name, AttemptReported(attempt, outcome))  # type: ignore[arg-type]


def scripted_job(**fields: object) -> dict[str, object]:
    """A job document for the scripted engine."""
    task: dict[str, object] = {"Name": "main", "Engine": {"Type": "scripted", "Params": {}}}
    return {"Type": "batch", "Count": 1, "Tasks": [task], **fields}


def read_job(stage: Stage, at: str, job: str = "one") -> JobReading:
    """What a member tells of a job, its history with it."""
    reading = stage.ask(at, GetJob(job, history=True))
    assert isinstance(reading, JobReading), reading
    return reading
