"""The network between simulated machines: streams as TCP gives them, splits, lost packets.

A stream delivers all frames of one kind in order and none twice; a lost packet shows as delay, as
it is sent again. In a split nothing passes and nothing is closed at once: what was sent waits,
and each end gives its stream up by itself after a while. A cut is a split in one direction. A
process that dies closes its streams, and its machine refuses who calls; a machine across a split
does not answer at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from mesh.gossip.events import DialFailed, LinkClosed, LinkId, LinkOpened, MessageReceived
from mesh.trust import Certificate
from sim.clock import Clock

CONNECT_S = 5.0
"""How long a node's shell waits for a call to be taken, and for the handshake after it."""
CALL_AGAIN_S = 1.0
"""A kernel repeats a call that nobody answered after 1 s."""
GOODBYE_S = 1.0
"""How long a node's shell waits for its goodbye to be taken."""
SEND_AGAIN_S = 0.2
"""TCP's least wait before it sends again; it doubles."""
LOSSES_IN_A_ROW = 5
"""Beyond these a packet passes: six seconds of silence are what splits are for."""
SEND_ON_S = (0.0, 3.0)
"""After a heal a kernel learns only by its next, doubled, try that packets pass again."""
GIVE_UP_S = (5.0, 40.0)
"""How long an end keeps a stream over which nothing passes: a shell gives up a send after 10 s, a
kernel an idle stream never."""

NetworkEvent = LinkOpened | LinkClosed | DialFailed | MessageReceived


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What the wires are like."""

    latency_s: float = 0.001
    """One way, on average; a LAN with a busy switch."""
    loss: float = 0.0
    """Share of packets that must be sent again."""


@dataclass(slots=True, eq=False)
class _Machine:
    name: str
    certificate: Certificate
    address: str
    process: int = 0
    up: bool = False
    links: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    data: bytes


@dataclass(frozen=True, slots=True)
class _Opened:
    event: LinkOpened


@dataclass(frozen=True, slots=True)
class _Ended:
    goodbye: bool


_Item = _Frame | _Opened | _Ended


@dataclass(slots=True, eq=False)
class _End:
    """One end of a stream, and the way from it to the other."""

    machine: _Machine
    link: LinkId
    open: bool = False
    ending: bool = False
    arrives_s: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """When the last urgent and the last bulk frame from here arrive."""
    stalled: list[_Item] = field(default_factory=list)
    """Sent from here into a split."""


@dataclass(slots=True, eq=False)
class _Stream:
    ends: tuple[_End, _End]
    stuck: bool = False
    """What waits has not been tried again since packets pass."""

    def other(self, end: _End) -> _End:
        first, second = self.ends
        return second if end is first else first


class Network:
    """Every stream between every two machines."""

    def __init__(
        self,
        *,
        clock: Clock,
        random: Random,
        settings: NetworkSettings,
        deliver: Callable[[str, NetworkEvent], None],
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._random = random
        self._deliver = deliver
        self._machines: dict[str, _Machine] = {}
        self._addresses: dict[str, _Machine] = {}
        self._streams: list[_Stream] = []
        self._ends: dict[tuple[str, LinkId], tuple[_Stream, _End]] = {}
        self._sides: tuple[tuple[str, ...], ...] = ()
        self._cut: frozenset[tuple[str, str]] = frozenset()
        self.splits = 0
        """How often what reaches what was changed."""

    # --- machines ---------------------------------------------------------------------------------

    def plug_in(self, name: str, certificate: Certificate, address: str) -> None:
        """One more machine; nothing listens on it yet."""
        machine = _Machine(name, certificate, address)
        self._machines[name] = self._addresses[address] = machine

    def listen(self, name: str) -> None:
        """A process on this machine takes calls from now on."""
        machine = self._machines[name]
        machine.process += 1
        machine.up = True

    def die(self, name: str) -> None:
        """The process is gone; its kernel sends what was sent, then ends its streams."""
        self._machines[name].up = False
        self._forget_ended()
        for stream in self._streams:
            for end in stream.ends:
                if end.machine.name == name:
                    end.open = False
                    if not end.ending:
                        end.ending = True
                        self._push(stream, end, _Ended(goodbye=False))

    # --- splits -----------------------------------------------------------------------------------

    def passes(self, one: str, other: str) -> bool:
        """Whether anything gets from one machine to the other now."""
        if (one, other) in self._cut:
            return False
        return not self._sides or any(one in side and other in side for side in self._sides)

    def meet(self, one: str, other: str) -> bool:
        """Whether they reach each other: what a call needs, and a stream that is to last."""
        return self.passes(one, other) and self.passes(other, one)

    def split(self, sides: Sequence[Sequence[str]]) -> None:
        """From now on only machines of one side reach each other; one may stand on two sides."""
        self._reach(tuple(tuple(side) for side in sides), frozenset())

    def cut(self, ways: Iterable[tuple[str, str]]) -> None:
        """From now on nothing gets from the first of each pair to the second."""
        self._reach((), frozenset(ways))

    def heal(self) -> None:
        """Everything passes again; what waited is sent again."""
        self._reach((), frozenset())

    def _reach(self, sides: tuple[tuple[str, ...], ...], cut: frozenset[tuple[str, str]]) -> None:
        self._sides, self._cut = sides, cut
        self.splits += 1
        self._forget_ended()
        self._flow()
        for stream in self._streams:
            for end in stream.ends:
                if end.open and not self._lasts(stream):
                    self._give_up_later(stream, end)

    def _lasts(self, stream: _Stream) -> bool:
        first, second = stream.ends
        return self.meet(first.machine.name, second.machine.name)

    def _passes_from(self, stream: _Stream, sender: _End) -> bool:
        return self.passes(sender.machine.name, stream.other(sender).machine.name)

    def _flow(self) -> None:
        for stream in self._streams:
            if any(end.stalled and self._passes_from(stream, end) for end in stream.ends):
                stream.stuck = True
                self._send_on_later(stream)

    def _send_on_later(self, stream: _Stream) -> None:
        def send_on() -> None:
            stream.stuck = False
            for end in stream.ends:
                if self._passes_from(stream, end):
                    stalled, end.stalled = end.stalled, []
                    for item in stalled:
                        self._arrive(stream, end, item)

        self._clock.after(self._random.uniform(*SEND_ON_S), send_on)

    def _forget_ended(self) -> None:
        self._streams = [one for one in self._streams if any(e.open or e.stalled for e in one.ends)]

    def _give_up_later(self, stream: _Stream, end: _End) -> None:
        splits = self.splits

        def give_up() -> None:
            if end.open and splits == self.splits:
                self._close(end, goodbye=False)
                self._push(stream, end, _Ended(goodbye=False))

        self._clock.after(self._random.uniform(*GIVE_UP_S), give_up)

    # --- what members ask for ---------------------------------------------------------------------

    def send(self, name: str, link: LinkId, data: bytes, *, bulk: bool = False) -> None:
        """One frame; into a stream that is gone this is nothing."""
        stream, end = self._ends.get((name, link), (None, None))
        if stream is not None and end is not None and end.open and not end.ending:
            self._push(stream, end, _Frame(data), bulk=bulk)

    def close(self, name: str, link: LinkId) -> None:
        """End a stream in good order: what was sent, a goodbye, the end."""
        stream, end = self._ends.get((name, link), (None, None))
        if stream is None or end is None or not end.open or end.ending:
            return
        end.ending = True
        self._push(stream, end, _Ended(goodbye=True))
        self._clock.after(GOODBYE_S, lambda: self._close(end, goodbye=True))

    def dial(self, name: str, address: str) -> None:
        """Call an address: a stream opens, or nobody answers, or the call is refused."""
        caller = self._machines[name]
        self._call(caller, caller.process, address, self._clock.now_s + CONNECT_S)

    def _call(self, caller: _Machine, process: int, address: str, until_s: float) -> None:
        called = self._addresses.get(address)
        reached = called is not None and self.meet(caller.name, called.name)
        if called is None or not reached:
            if self._clock.now_s + CALL_AGAIN_S < until_s:
                self._after(
                    CALL_AGAIN_S,
                    caller,
                    process,
                    lambda: self._call(caller, process, address, until_s),
                )
            else:
                wait_s = until_s - self._clock.now_s
                self._fail(caller, process, address, wait_s, refused=False)
        elif called is caller or not called.up:
            # It is ourselves: the shell hangs up once it has seen who answers.
            wait_s = self._latency_s() + self._latency_s()
            self._fail(caller, process, address, wait_s, refused=called is not caller)
        else:
            wait_s = sum(self._latency_s() for _ in range(5))
            self._after(wait_s, caller, process, lambda: self._open(caller, called, address))

    def _open(self, caller: _Machine, called: _Machine, address: str) -> None:
        """The called end has both certificates and hellos; the caller hears so a moment later."""
        process = caller.process
        if not called.up or not self.meet(caller.name, called.name):
            self._fail(caller, process, address, CONNECT_S, refused=False)
            return
        stream = _Stream((self._end(caller), self._end(called)))
        here, there = stream.ends
        self._streams.append(stream)
        there.open = True
        self._ends[called.name, there.link] = (stream, there)
        call_from = f"{caller.address.partition(':')[0]}:{49152 + here.link}"
        self._deliver(
            called.name,
            LinkOpened(
                there.link, caller.certificate.node, False, call_from, caller.certificate.der
            ),
        )
        opened = LinkOpened(
            here.link, called.certificate.node, True, address, called.certificate.der
        )
        self._push(stream, there, _Opened(opened))

        def too_late() -> None:
            if not here.open and not here.ending:
                here.ending = True
                self._deliver(caller.name, DialFailed(address, refused=False))
                self._push(stream, here, _Ended(goodbye=False))

        self._after(CONNECT_S, caller, process, too_late)

    def _end(self, machine: _Machine) -> _End:
        machine.links += 1
        return _End(machine, LinkId(machine.links))

    # --- the wires --------------------------------------------------------------------------------

    def _push(self, stream: _Stream, end: _End, item: _Item, *, bulk: bool = False) -> None:
        """Send it: urgent frames may overtake bulk ones, the end of a stream overtakes nothing."""
        before_s = max(end.arrives_s) if isinstance(item, _Ended) else end.arrives_s[bulk]
        arrives_s = max(before_s, self._clock.now_s + self._latency_s())
        end.arrives_s[bulk] = arrives_s
        self._clock.at(arrives_s, lambda: self._arrive(stream, end, item))

    def _arrive(self, stream: _Stream, sender: _End, item: _Item) -> None:
        if sender.stalled or stream.stuck or not self._passes_from(stream, sender):
            sender.stalled.append(item)
            return
        receiver = stream.other(sender)
        name = receiver.machine.name
        match item:
            case _Opened(event):
                if receiver.machine.up and not receiver.ending:
                    receiver.open = True
                    self._ends[name, receiver.link] = (stream, receiver)
                    self._deliver(name, event)
            case _Frame(data):
                if receiver.open:
                    self._deliver(name, MessageReceived(receiver.link, data))
            case _Ended(goodbye):
                if receiver.open:
                    self._close(receiver, goodbye=goodbye or receiver.ending)
                    self._push(stream, receiver, _Ended(goodbye))

    def _close(self, end: _End, *, goodbye: bool) -> None:
        if end.open:
            end.open = False
            self._ends.pop((end.machine.name, end.link), None)
            self._deliver(end.machine.name, LinkClosed(end.link, goodbye))

    def _fail(
        self, caller: _Machine, process: int, address: str, wait_s: float, *, refused: bool
    ) -> None:
        self._after(
            wait_s,
            caller,
            process,
            lambda: self._deliver(caller.name, DialFailed(address, refused)),
        )

    def _after(
        self, wait_s: float, machine: _Machine, process: int, action: Callable[[], None]
    ) -> None:
        """Unless the process on that machine is gone by then."""

        def unless_gone() -> None:
            if machine.up and machine.process == process:
                action()

        self._clock.after(wait_s, unless_gone)

    def _latency_s(self) -> float:
        latency_s = self.settings.latency_s * self._random.uniform(0.5, 1.5)
        for losses in range(LOSSES_IN_A_ROW):
            if self._random.random() >= self.settings.loss:
                break
            latency_s += SEND_AGAIN_S * 2**losses
        return latency_s
