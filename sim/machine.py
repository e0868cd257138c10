"""One simulated machine: the shipping `Member` with a mailbox, timers, a drive and an executor.

The duties of `mesh.member.events`, on a heap instead of a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from mesh.gossip.events import CloseLink, Dial, Send, StartTimer, TimerFired
from mesh.member.commands import Command, Reply
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
    Persist,
    RunAttempt,
    SendBlobs,
)
from mesh.member.member import Member, MemberSettings
from scheduler.ids import Digest, NodeId
from scheduler.jobs import Resources
from sim.clock import Clock, MachineClock
from sim.disk import Drive, DriveSettings
from sim.executor import Executor
from sim.network import Network
from sim.trace import Trace
from sim.trust import SimulatedTrust
from sim.watcher import Watcher

CAPACITY = Resources(cpu_milli=2000, memory_bytes=4 << 30, disk_bytes=64 << 30)
"""Four jobs of the default size at once: few enough that some must wait."""
VERSION = "0.1.0"
TURN_S = (0.0001, 0.001)
"""From an event in an empty mailbox to its loop's turn: a busy loop gathers several."""

MakeMember = Callable[..., Member]


@dataclass(slots=True, eq=False)
class Ask:
    """What a client asked of a machine, and what became of it."""

    machine: str
    command: Command
    at_s: float
    answer: Reply | None = None
    lost: bool = False
    """The process died before it answered: the client cannot know what became of it."""

    @property
    def done(self) -> bool:
        """The client waits no longer."""
        return self.lost or self.answer is not None


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What is particular to one machine."""

    name: str
    address: str
    up_s: float = 0.0
    """How long the machine was up before its first process."""
    wall_error_ms: int = 0
    pause_share: float = 0.0
    """Share of its loop's turns that come late."""
    pause_s: float = 0.5
    """How late, at most."""
    drive: DriveSettings = DriveSettings()


class Machine:
    """A disk that stays, and a process that comes and goes."""

    def __init__(
        self,
        settings: MachineSettings,
        *,
        seed: int,
        clock: Clock,
        network: Network,
        trust: SimulatedTrust,
        watcher: Watcher,
        trace: Trace,
        make_member: MakeMember,
    ) -> None:
        self.name = settings.name
        self.address = settings.address
        self.node: NodeId = trust.own.node
        self.trust = trust
        self.world_clock = clock
        self.clock = MachineClock(clock, up_s=settings.up_s, wall_error_ms=settings.wall_error_ms)
        self.starts = 0
        self.member: Member | None = None
        self._settings = settings
        self._seed = seed
        self._random = Random(f"{seed}/machine/{settings.name}")
        self._network = network
        self._watcher = watcher
        self._trace = trace
        self._make_member = make_member
        self._mailbox: list[MemberEvent] = []
        self._turn_due = False
        self.stalled = False
        """Its process was told to halt where it stands; what comes waits."""
        self._timers: dict[tuple[str, ...], float] = {}
        self._asks: dict[int, Ask] = {}
        self._asked = 0
        self.drive = Drive(
            clock=clock,
            random=Random(f"{seed}/drive/{settings.name}"),
            settings=settings.drive,
            written=lambda persist: watcher.written(self, persist),
            flushed=lambda token: self.post(Flushed(token)),
            crash=lambda: self.crash("while it wrote to its disk"),
        )
        self._executor = Executor(
            clock=clock,
            random=Random(f"{seed}/executor/{settings.name}"),
            report=lambda attempt, event: self.post(AttemptReported(attempt, event)),
            kept=lambda digest: self.post(BlobKept(digest)),
        )

    @property
    def up(self) -> bool:
        """A process runs on it."""
        return self.member is not None

    @property
    def running(self) -> Member:
        """The member; only while the machine is up."""
        assert self.member is not None, f"{self.name} is down"
        return self.member

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process, from what the disk holds."""
        assert self.member is None, f"{self.name} runs already"
        self.starts += 1
        now = self.clock.now()
        settings = MemberSettings(
            name=self.name, addresses=(self._settings.address,), version=VERSION
        )
        self.member = self._make_member(
            settings=settings,
            trust=self.trust,
            restored=self.drive.disk.restored(),
            random=Random(f"{self._seed}/member/{self.name}/{self.starts}"),
            now=now,
        )
        self._trace.note(self.world_clock.now_s, self.name, f"start {self.member.boot}")
        self._network.listen(self.name)
        self._watcher.started(self)
        self._perform_all(self.member.start(now))
        self.post(
            CapacityMeasured(
                capacity=CAPACITY,
                engines={"scripted": "1"},
                labels={},
                sources=("inline",),
                publishers=("mesh",),
            )
        )
        self.post(LocalDataScanned(()))

    def crash(self, why: str) -> None:
        """The process dies here and now."""
        self._trace.note(self.world_clock.now_s, self.name, "crash")
        self.member = None
        self._mailbox = []
        self._turn_due = self.stalled = False
        self._timers.clear()
        for ask in self._asks.values():
            ask.lost = True
        self._asks.clear()
        self.drive.lose()
        self._executor.lose()
        self._network.die(self.name)
        self._watcher.crashed(self, why)

    def stall(self) -> None:
        """Halt the process where it stands (SIGSTOP): its kernel goes on, and so does the disk."""
        self.stalled = self.member is not None

    def resume(self) -> None:
        """Let a halted process go on (SIGCONT); it finds all that has come meanwhile."""
        if self.stalled:
            self.stalled = False
            self._turn_soon()

    def roll_back(self, writes: int) -> None:
        """Put an older copy of the disk in: the last writes are gone. The machine is down."""
        assert self.member is None, f"{self.name} runs: its disk cannot be changed under it"
        self.drive.disk.roll_back(writes)
        self._watcher.rolled_back(self)

    def ask(self, command: Command) -> Ask:
        """A client at this machine's door; a machine that is down loses it at once."""
        ask = Ask(self.name, command, self.world_clock.now_s)
        if self.member is None:
            ask.lost = True
            return ask
        self._asked += 1
        self._asks[self._asked] = ask
        self.post(CommandReceived(self._asked, command))
        return ask

    # --- the loop ---------------------------------------------------------------------------------

    def post(self, event: MemberEvent) -> None:
        """Into the mailbox; a process that is gone has none."""
        if self.member is None:
            return
        self._mailbox.append(event)
        self._turn_soon()

    def _turn_soon(self) -> None:
        if self._turn_due or self.stalled or not self._mailbox:
            return
        self._turn_due = True
        wait_s = self._random.uniform(*TURN_S)
        if self._random.random() < self._settings.pause_share:
            wait_s += self._random.uniform(0.0, self._settings.pause_s)
        self._later(wait_s, self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        if self.stalled:
            return
        events, self._mailbox = self._mailbox, []
        member, now = self.running, self.clock.now()
        effects: list[MemberEffect] = []
        for event in events:
            self._trace.event(self.world_clock.now_s, self.name, event)
            effects += member.handle(event, now)
        effects += member.end_tick(now)
        self._perform_all(effects)

    def _perform_all(self, effects: list[MemberEffect]) -> None:
        for effect in effects:
            self._trace.effect(self.world_clock.now_s, self.name, effect)
            self._perform(effect)

    def _perform(self, effect: Any) -> None:
        match effect:
            case Send(link, data, bulk):
                self._watcher.sent(self, effect)
                self._network.send(self.name, link, data, bulk=bulk)
            case Dial(address):
                self._network.dial(self.name, address)
            case CloseLink(link):
                self._network.close(self.name, link)
            case StartTimer():
                self._start_timer(effect)
            case Persist():
                self.drive.persist(effect)
            case SendBlobs(link, digests):
                self._send_blobs(link, digests)
            case Answer(token, answer):
                ask = self._asks.pop(token)
                ask.answer = answer
                self._watcher.answered(self, ask)
            case RunAttempt(attempt, step):
                self._executor.perform(attempt, step)
            case Changed(jobs):
                self._watcher.changed(self, jobs)

    def _start_timer(self, timer: StartTimer) -> None:
        self._timers[timer.token] = timer.at_s

        def fire() -> None:
            if self._timers.get(timer.token) == timer.at_s:
                del self._timers[timer.token]
                self.post(TimerFired(timer.token, timer.at_s))

        starts = self.starts
        self.world_clock.at(
            self.clock.world_s(timer.at_s), lambda: fire() if starts == self.starts else None
        )

    def _send_blobs(self, link: Any, digests: tuple[Digest, ...]) -> None:
        found = [self.drive.disk.read_blob(digest) for digest in digests]
        held = [blob for blob in found if blob is not None]
        for effect in self.running.gossip.send_blobs(link, held):
            self._perform(effect)

    def _later(self, wait_s: float, action: Callable[[], None]) -> None:
        starts = self.starts

        def unless_gone() -> None:
            if self.member is not None and self.starts == starts:
                action()

        self.world_clock.after(wait_s, unless_gone)
