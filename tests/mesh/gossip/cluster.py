"""A few gossip cores on one heap: seeded latency and loss, cuts, deaths. Seconds cost nothing here.

Streams keep their order. Loss drops what datagrams will carry one day (probes and rumours); a cut
or a silent host holds back what was sent into it until the path is back, as TCP would.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable
from random import Random

from mesh.gossip import messages
from mesh.gossip.core import Gossip
from mesh.gossip.events import (
    AddressHeard,
    BlobsArrived,
    BlobsWanted,
    CertificateLearned,
    CloseLink,
    Dial,
    DialFailed,
    EnvelopesArrived,
    LinkClosed,
    LinkId,
    LinkOpened,
    MessageReceived,
    PeerChanged,
    PeerState,
    PullAsked,
    RegisterChanged,
    Send,
    StartTimer,
    TimerFired,
)
from mesh.gossip.timing import Timing
from mesh.trust import CertificateBook
from scheduler import cbor
from scheduler.ids import NodeId, blob_digest
from scheduler.instant import Instant
from tests.mesh.gossip.hosts import Host, Logs, Wire
from tests.mesh.trust_stub import StubTrust, stub_certificate

DATAGRAMS = (
    messages.Ping,
    messages.Ack,
    messages.PingRequest,
    messages.Nack,
    messages.Rumours,
)
CONNECT_TIMEOUT_S = 3.0
FLUSH_S = 0.002


class Cluster:
    """Hosts `a`, `b`, ... and what happens between them."""

    def __init__(
        self,
        count: int,
        *,
        seed: int,
        loss: float = 0.0,
        slowest_s: float = 0.003,
        timing: Timing | None = None,
    ) -> None:
        """`slowest_s` is the latency that no message exceeds."""
        self.random = Random(seed)
        self.loss = loss
        self.slowest_s = slowest_s
        self.timing = timing or Timing()
        self.now_s = 100.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._links = itertools.count(1)
        self.hosts: dict[str, Host] = {}
        self._wires: dict[tuple[str, LinkId], Wire] = {}
        self._cuts: set[frozenset[str]] = set()
        self.refusing: set[str] = set()
        self._issued = {}
        for index in range(count):
            name = f"h{index}"
            certificate = stub_certificate(name)
            self._issued[certificate.der] = certificate
            self._boot(name, boot=1)

    # --- what tests do ----------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        for name in names or list(self.hosts):
            host = self.hosts[name]
            self._perform(host, host.gossip.start(self._instant()))

    def hint(self, name: str, address_of: str) -> None:
        """Somebody told this host where another may be."""
        self._handle(self.hosts[name], AddressHeard(self.hosts[address_of].address, None))

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self._heap and self._heap[0][0] <= end_s:
            self.now_s, _, action = heapq.heappop(self._heap)
            action()
        self.now_s = end_s

    def run_until(self, condition: Callable[[], bool], *, within_s: float) -> float:
        """Seconds until it held; fails the test when it did not hold in time."""
        start_s = self.now_s
        while not condition():
            next_s = self._heap[0][0] if self._heap else float("inf")
            assert next_s <= start_s + within_s, f"not within {within_s} s"
            self.now_s, _, action = heapq.heappop(self._heap)
            action()
        return self.now_s - start_s

    def kill(self, name: str) -> None:
        """The process dies, its host lives: streams end, dials are refused."""
        host = self.hosts[name]
        host.up = False
        for wire in self._wires_of(name):
            self._end(wire, name, goodbye=False)

    def restart(self, name: str, *, boot: int) -> Host:
        """The same identity, its ledger kept, in a new boot."""
        old = self.hosts[name]
        host = self._boot(name, boot=boot, logs=old.logs)
        host.story = old.story
        self.start(name)
        return host

    def silence(self, name: str, *, silent: bool = True) -> None:
        """The host stops without a word: nothing gets in or out, nothing is refused."""
        self.hosts[name].silent = silent
        self._release()

    def cut(self, side: list[str], other: list[str]) -> None:
        self._cuts |= {frozenset((one, two)) for one in side for two in other}

    def heal(self) -> None:
        self._cuts.clear()
        self._release()

    def write(self, name: str, count: int = 1, *, epoch: int = 1, size: int = 100) -> None:
        """The host writes envelopes, flushes them and broadcasts."""
        host = self.hosts[name]
        log = host.logs.logs.setdefault((host.node, epoch), [])
        new = [
            cbor.encode([host.node, epoch, len(log) + 1 + index, bytes(size)])
            for index in range(count)
        ]
        log.extend(new)
        self._flush(host, (host.node, epoch), len(log))
        self._perform(host, host.gossip.broadcast(new, [], self._instant()))

    def call(self, name: str, effects: list) -> None:
        """Perform what a method of the host's gossip gave back."""
        self._perform(self.hosts[name], effects)

    def instant(self) -> Instant:
        return self._instant()

    # --- what tests ask ---------------------------------------------------------------------------

    def sees(self, name: str) -> dict[str, PeerState]:
        by_node = {host.node: host.name for host in self.hosts.values()}
        return {by_node[one.node]: one.state for one in self.hosts[name].gossip.peers()}

    def all_see(self, state: PeerState, target: str, *, by: list[str]) -> bool:
        return all(self.sees(name).get(target) is state for name in by if name != target)

    def all_alive(self, *names: str) -> bool:
        group = list(names or self.hosts)
        return all(self.all_see(PeerState.ALIVE, one, by=group) for one in group)

    def all_linked(self, *names: str) -> bool:
        group = list(names or self.hosts)
        return all(
            self.hosts[one].gossip.link_of(self.hosts[two].node) is not None
            for one in group
            for two in group
            if one != two
        )

    def open_wires(self) -> int:
        return len({id(wire) for wire in self._wires.values() if wire.open})

    def same_logs(self, *names: str) -> bool:
        group = [self.hosts[name] for name in names or self.hosts]
        return all(host.logs.context() == group[0].logs.context() for host in group)

    def verdicts(self, state: PeerState) -> list[tuple[str, float, PeerChanged]]:
        return [
            (host.name, at_s, told)
            for host in self.hosts.values()
            for at_s, told in host.story
            if told.state is state
        ]

    # --- the world --------------------------------------------------------------------------------

    def _boot(self, name: str, *, boot: int, logs: Logs | None = None) -> Host:
        certificate = stub_certificate(name)
        book = CertificateBook(StubTrust(certificate, self._issued))
        logs = logs or Logs()
        address = f"{name}:1235"
        gossip = Gossip(
            book=book,
            name=name,
            addresses=[address],
            boot=boot,
            timing=self.timing,
            random=Random(f"{name} {boot} {self.random.random()}"),
            context=logs.context,
        )
        host = Host(name, certificate.node, address, book, gossip, logs)
        self.hosts[name] = host
        return host

    def _instant(self) -> Instant:
        return Instant(self.now_s, round(self.now_s * 1000))

    def _at(self, at_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (at_s, next(self._order), action))

    def _latency_s(self) -> float:
        return self.random.uniform(0.0005, self.slowest_s)

    def _blocked(self, one: str, two: str) -> bool:
        silent = self.hosts[one].silent or self.hosts[two].silent
        return silent or frozenset((one, two)) in self._cuts

    def _handle(self, host: Host, event: object) -> None:
        if host.up and host is self.hosts[host.name]:
            self._perform(host, host.gossip.handle(event, self._instant()))

    def _perform(self, host: Host, effects: list) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(host, effect)
                case Dial(address=address):
                    self._at(self.now_s + self._latency_s(), lambda a=address: self._dial(host, a))
                case CloseLink(link=link):
                    wire = self._wires.get((host.name, link))
                    if wire is not None and wire.open:
                        self._end(wire, host.name, goodbye=True)
                case StartTimer(token=token, at_s=at_s):
                    host.timers[token] = at_s
                    self._at(at_s, lambda t=token, s=at_s: self._fire(host, t, s))
                case PeerChanged():
                    host.story.append((self.now_s, effect))
                case EnvelopesArrived():
                    self._received(host, effect)
                case PullAsked(link=link, author=author, epoch=epoch, from_seq=from_seq):
                    held = host.logs.flushed.get((author, epoch), 0)
                    window = host.logs.logs.get((author, epoch), [])[from_seq - 1 : held][:64]
                    self._perform(host, host.gossip.send_envelopes(link, window))
                case BlobsArrived(blobs=blobs):
                    host.blobs |= {blob_digest(blob): blob for blob in blobs}
                case BlobsWanted(link=link, digests=digests):
                    found = [host.blobs[one] for one in digests if one in host.blobs]
                    self._perform(host, host.gossip.send_blobs(link, found))
                case RegisterChanged(peer=peer, kind=kind, payload=payload):
                    host.registers[peer, kind] = payload
                case CertificateLearned(der=der):
                    host.learned.append(der)

    def _fire(self, host: Host, token: tuple[str, ...], at_s: float) -> None:
        if host.timers.get(token) == at_s:
            del host.timers[token]
            self._handle(host, TimerFired(token, at_s))

    def _send(self, host: Host, effect: Send) -> None:
        message = messages.decode_untrusted(effect.data)
        host.sent[type(message).__name__] += 1
        host.sent_bytes += len(effect.data)
        wire = self._wires.get((host.name, effect.link))
        if wire is None or not wire.open or not host.up:
            return
        if isinstance(message, DATAGRAMS) and self.random.random() < self.loss:
            return
        other = next(name for name in wire.ends if name != host.name)
        event = MessageReceived(wire.ends[other], effect.data)
        target = self.hosts[other]
        self._carry(wire, host.name, other, lambda: wire.open and self._handle(target, event))

    def _carry(self, wire: Wire, source: str, to: str, action: Callable[[], None]) -> None:
        """In order per direction; into a cut, it waits."""
        if self._blocked(source, to):
            wire.stuck.append((to, action))
            return
        wire.last_s[to] = max(wire.last_s[to] + 1e-6, self.now_s + self._latency_s())
        self._at(wire.last_s[to], action)

    def _release(self) -> None:
        for wire in {id(one): one for one in self._wires.values()}.values():
            if not self._blocked(*wire.ends):
                stuck, wire.stuck = wire.stuck, []
                for to, action in stuck:
                    source = next(name for name in wire.ends if name != to)
                    self._carry(wire, source, to, action)

    def _dial(self, host: Host, address: str) -> None:
        target = next((one for one in self.hosts.values() if one.address == address), None)
        if target is None or self._blocked(host.name, target.name):
            failed = DialFailed(address, refused=False)
            self._at(self.now_s + CONNECT_TIMEOUT_S, lambda: self._handle(host, failed))
        elif not target.up or target.name in self.refusing:
            self._at(
                self.now_s + self._latency_s(),
                lambda: self._handle(host, DialFailed(address, refused=True)),
            )
        else:
            self._open(host, target)

    def _open(self, host: Host, target: Host) -> None:
        ends = {name: LinkId(next(self._links)) for name in (host.name, target.name)}
        wire = Wire(ends, dict.fromkeys(ends, self.now_s))
        for name, link in ends.items():
            self._wires[name, link] = wire
        for one, other, dialled in ((host, target, True), (target, host, False)):
            opened = LinkOpened(
                ends[one.name], other.node, dialled, other.address, other.book.trust.own.der
            )
            self._carry(
                wire,
                other.name,
                one.name,
                lambda one=one, opened=opened: wire.open and self._handle(one, opened),
            )

    def _end(self, wire: Wire, name: str, *, goodbye: bool) -> None:
        """One end closes; the other hears of it when the path lets it."""
        other = next(one for one in wire.ends if one != name)

        def closed() -> None:
            wire.open = False
            self._handle(self.hosts[other], LinkClosed(wire.ends[other], goodbye))

        self._carry(wire, name, other, closed)
        self._handle(self.hosts[name], LinkClosed(wire.ends[name], True))

    def _wires_of(self, name: str) -> list[Wire]:
        return [wire for (end, _), wire in self._wires.items() if end == name and wire.open]

    def _received(self, host: Host, arrived: EnvelopesArrived) -> None:
        touched = {}
        for data in arrived.envelopes:
            gap = host.logs.receive(data)
            author, epoch, _, _ = cbor.decode_untrusted(data, max_bytes=1 << 14)
            touched[NodeId(author), epoch] = None
            if gap is not None:
                effects = host.gossip.pull(arrived.link, *gap, self._instant())
                self._perform(host, effects)
        for key in touched:
            count = len(host.logs.logs[key])
            self._at(self.now_s + FLUSH_S, lambda k=key, c=count: self._flush(host, k, c))

    def _flush(self, host: Host, key: tuple[NodeId, int], count: int) -> None:
        if count > host.logs.flushed.get(key, 0):
            host.logs.flushed[key] = count
            head = hashlib.sha256(host.logs.logs[key][count - 1]).digest()
            host.gossip.context_changed(*key, count, head)
