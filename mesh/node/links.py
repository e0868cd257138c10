"""Streams to peers: dial, accept, prove, then frames both ways; decides nothing.

A link is told of (`LinkOpened`) once both certificates are proved and both said hello. Each link
has one reader and one writer. What goes wrong on a link ends that link, with a reason for people,
and nothing else; whatever a stranger sends, the node does not notice beyond a counter.
"""

from __future__ import annotations

import ssl
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import trio

from mesh.gossip.events import DialFailed, LinkClosed, LinkId, LinkOpened, MessageReceived
from mesh.node.config import Address, ConfigError, parse_address
from mesh.node.frames import (
    CONTROL,
    MAX_HELLO_BYTES,
    MESSAGES,
    PROTOCOL_VERSION,
    REQUESTS,
    FrameError,
    FrameReader,
    Hello,
    decode_goodbye_untrusted,
    decode_hello_untrusted,
    encode_frame,
    encode_goodbye,
    encode_hello,
)
from mesh.node.tls import Contexts, session_refusal
from mesh.node.traffic import Traffic, traffic_facts
from mesh.node.transport import GuardedStream, is_refusal, is_reset
from mesh.trust import Certificate, CertificateError
from scheduler.ids import NodeId

CONNECT_S = 5.0
"""A dial over a satellite link takes 1.5 s with one lost packet; three times that."""
HANDSHAKE_S = 5.0
"""TLS and hello: 2.4 ms of computing and three round trips; a slow sender gets no more."""
RESET_PAUSE_S = 0.1
"""A process that is killed closes its sockets one by one: who dials it while its listener is still
there is reset, and a moment later is refused, which is what tells that nobody lives there."""
SEND_S = 10.0
"""A peer that takes nothing for this long is as good as gone; SWIM knew it seconds ago."""
GOODBYE_S = 1.0
"""A third of the 3 s in which a node stops."""
MAX_PENDING = 8
"""Handshakes of one address at a time."""
MAX_QUEUED_BYTES = 16 << 20
"""Waiting to be sent on one link: several windows of a bulk pull, and far from a node's memory."""
WRITE_BYTES = 64 * 1024
"""Frames are joined up to this before one write: one TLS record and system call for many."""

_STREAM_ERRORS = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError)
LinkEvent = LinkOpened | LinkClosed | DialFailed | MessageReceived


class RequestHandler(Protocol):
    """Who serves and asks on the request channel."""

    def frame_untrusted(self, link: LinkId, body: bytes) -> None:
        """A frame of that channel came."""

    def link_closed(self, link: LinkId) -> None:
        """Nothing more comes on this link."""


class _Refused(Exception):
    """A peer that we do not talk to; the sentence says why."""


class _Reset(Exception):
    """The host broke the connection off before a byte came."""


@dataclass(eq=False)
class _Link:
    id: LinkId
    peer: NodeId
    stream: trio.abc.Stream
    reader: FrameReader
    urgent: deque[bytes] = field(default_factory=deque)
    bulk: deque[bytes] = field(default_factory=deque)
    queued_bytes: int = 0
    wake: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    farewell: bytes | None = None
    """The goodbye to send once the queue is empty."""
    goodbye: bool = False
    reason: str = ""
    done: trio.Event = field(default_factory=trio.Event)

    def push(self, frame: bytes, *, bulk: bool) -> None:
        if self.farewell is not None:
            return
        if self.queued_bytes + len(frame) > MAX_QUEUED_BYTES:
            self.abort(f"it takes too little: {self.queued_bytes} bytes wait for it")
            return
        (self.bulk if bulk else self.urgent).append(frame)
        self.queued_bytes += len(frame)
        self.wake.set()

    def take(self) -> bytes:
        """Frames for the next write: urgent ones first, one bulk frame when there are none."""
        batch = bytearray()
        while self.urgent and len(batch) < WRITE_BYTES:
            batch += self.urgent.popleft()
        if not batch and self.bulk:
            batch += self.bulk.popleft()
        self.queued_bytes -= len(batch)
        return bytes(batch)

    def abort(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.scope.cancel()


class Links:
    """Every stream of one node."""

    def __init__(
        self,
        *,
        contexts: Contexts,
        node: NodeId,
        cluster: str,
        read_certificate_untrusted: Callable[[bytes], Certificate],
        wall_ms: Callable[[], int],
        post: Callable[[LinkEvent], None],
        wait_for_room: Callable[[], Awaitable[None]],
    ) -> None:
        self._contexts = contexts
        self._hello = encode_frame(CONTROL, encode_hello(Hello(PROTOCOL_VERSION, cluster, node)))
        self._node = node
        self._cluster = cluster
        self._read_certificate_untrusted = read_certificate_untrusted
        self._wall_ms = wall_ms
        self._post = post
        self._wait_for_room = wait_for_room
        self._links: dict[LinkId, _Link] = {}
        self._last_id = 0
        self._pending: Counter[str] = Counter()
        self._nursery: trio.Nursery | None = None
        self._stopping = False
        self._cut_off: frozenset[NodeId] = frozenset()
        self.requests: RequestHandler | None = None
        self.counters: Counter[str] = Counter()
        self.sent = Traffic()
        self.received = Traffic()

    async def run(
        self,
        listeners: Sequence[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept and carry links until cancelled. A node without listeners only dials."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            if listeners:
                nursery.start_soon(trio.serve_listeners, self._accept, list(listeners))
            await trio.sleep_forever()

    # Effects of the member, and what request and shutdown code asks for.

    def dial(self, address: str) -> None:
        """Open a stream; what comes of it is posted."""
        assert self._nursery is not None, "dial after run"
        self._nursery.start_soon(self._dial, address)

    def start_soon(self, task: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Run something that ends with the links, such as reading from disk what one will send."""
        assert self._nursery is not None, "start_soon after run"
        self._nursery.start_soon(task, *arguments)

    def send(self, link: LinkId, channel: int, body: bytes, *, bulk: bool = False) -> None:
        """Queue one frame; for a link that is gone this is nothing."""
        one = self._links.get(link)
        if one is not None:
            one.push(encode_frame(channel, body), bulk=bulk)

    def close(self, link: LinkId, reason: str) -> None:
        """End a link in good order: what is queued, a goodbye, the end."""
        one = self._links.get(link)
        if one is None or one.farewell is not None:
            return
        one.farewell = encode_frame(CONTROL, encode_goodbye(reason))
        one.reason = reason
        one.goodbye = True
        one.wake.set()

    def abort_all(self, reason: str) -> None:
        """End every link at once; peers see it as the death of this boot."""
        for one in list(self._links.values()):
            one.abort(reason)

    def cut_off(self, peers: Collection[NodeId]) -> None:
        """Lose what is sent to and by these peers, and open no link with them: a network that was
        cut, for trials. Links to peers that are no longer named begin anew."""
        healed = self._cut_off.difference(peers)
        self._cut_off = frozenset(peers)
        for one in list(self._links.values()):
            if one.peer in healed:
                one.abort("the cut is healed")

    def peer_links(self) -> dict[NodeId, LinkId]:
        """One live link for each linked peer, the newest."""
        return {one.peer: one.id for one in self._links.values() if one.farewell is None}

    def facts(self) -> Mapping[str, int]:
        """What went over the links of this run, for people."""
        return traffic_facts(self.sent, self.received)

    async def say_goodbye(self, reason: str) -> None:
        """Close every link in good order and take no new one; returns within GOODBYE_S."""
        self._stopping = True
        leaving = list(self._links.values())
        for one in leaving:
            self.close(one.id, reason)
        with trio.move_on_after(GOODBYE_S):
            for one in leaving:
                await one.done.wait()

    # Opening.

    async def _accept(self, stream: trio.SocketStream) -> None:
        try:
            host, port = stream.socket.getpeername()[:2]
        except OSError:
            host, port = "", 0
        if not host or self._stopping or self._pending[host] >= MAX_PENDING:
            self.counters["accept_refused"] += 1
            await trio.aclose_forcefully(stream)
            return
        address = str(Address(host, port))
        self._pending[host] += 1
        try:
            link = await self._open(stream, address, dialled=False)
        finally:
            self._pending[host] -= 1
            if not self._pending[host]:
                del self._pending[host]
        if isinstance(link, tuple):
            await self._carry(*link)

    async def _dial(self, address: str) -> None:
        link = await self._dial_once(address)
        if isinstance(link, _Reset):
            await trio.sleep(RESET_PAUSE_S)
            link = await self._dial_once(address)
        if isinstance(link, tuple):
            await self._carry(*link)
        else:
            self._post(DialFailed(address, is_refusal(link)))

    async def _dial_once(self, address: str) -> tuple[_Link, LinkOpened] | Exception:
        try:
            host, port = parse_address(address, "peer", None, 0)
            with trio.fail_after(CONNECT_S):
                stream = await trio.open_tcp_stream(host, port)
        except (OSError, ValueError, ConfigError, trio.TooSlowError) as error:
            return _Reset() if is_reset(error) else error
        return await self._open(stream, address, dialled=True)

    async def _open(
        self, transport: trio.abc.Stream, address: str, *, dialled: bool
    ) -> tuple[_Link, LinkOpened] | Exception:
        """TLS and hello within their time, or the transport closed and what was wrong."""
        guarded = GuardedStream(transport)
        context = self._contexts.client if dialled else self._contexts.server
        stream = trio.SSLStream(guarded, context, server_side=not dialled)
        opened = False
        try:
            with trio.fail_after(HANDSHAKE_S):
                await stream.do_handshake()
                certificate = self._peer_certificate_untrusted(stream)
                reader = FrameReader(stream)
                await stream.send_all(self._hello)
                await self._read_hello_untrusted(reader, certificate)
            guarded.trust()
            opened = True
        except (*_STREAM_ERRORS, FrameError, _Refused, trio.TooSlowError) as error:
            self.counters["handshake_failed"] += 1
            self.counters[f"handshake_failed:{type(error).__name__}"] += 1
            return _Reset() if is_reset(error) and not guarded.heard else error
        finally:
            if not opened:
                await trio.aclose_forcefully(transport)
        self._last_id += 1
        link = _Link(LinkId(self._last_id), certificate.node, stream, reader)
        event = LinkOpened(link.id, link.peer, dialled, address, certificate.der)
        return link, event

    def _peer_certificate_untrusted(self, stream: trio.SSLStream[GuardedStream]) -> Certificate:
        der = stream.getpeercert(binary_form=True)
        try:
            certificate = self._read_certificate_untrusted(der or b"")
        except CertificateError as error:
            raise _Refused(str(error)) from error
        refusal = session_refusal(certificate, self._wall_ms())
        if refusal is not None:
            raise _Refused(refusal)
        if certificate.node == self._node:
            raise _Refused("it is this node")
        if certificate.node in self._cut_off:
            raise _Refused("it is cut off, as an operator asked")
        return certificate

    async def _read_hello_untrusted(self, reader: FrameReader, certificate: Certificate) -> None:
        frame = await reader.read(max_bytes=MAX_HELLO_BYTES)
        if frame is None or frame[0] != CONTROL:
            raise FrameError("no hello")
        hello = decode_hello_untrusted(frame[1])
        if hello.version != PROTOCOL_VERSION:
            raise _Refused(f"it speaks protocol {hello.version}, not {PROTOCOL_VERSION}")
        if hello.cluster != self._cluster or hello.node != certificate.node:
            raise _Refused("its hello names another cluster or node than its certificate")

    # Carrying.

    async def _carry(self, link: _Link, opened: LinkOpened) -> None:
        self._links[link.id] = link
        try:
            self._post(opened)
            with link.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, link)
                    nursery.start_soon(self._write, link)
        finally:
            del self._links[link.id]
            if self.requests is not None:
                self.requests.link_closed(link.id)
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(link.stream)
                self._post(LinkClosed(link.id, link.goodbye))
            link.done.set()

    async def _read(self, link: _Link) -> None:
        try:
            while (frame := await link.reader.read()) is not None:
                channel, body = frame
                self.received.add(len(body))
                if link.peer in self._cut_off:
                    continue
                if channel == MESSAGES:
                    await self._wait_for_room()
                    self._post(MessageReceived(link.id, body))
                elif channel == REQUESTS and self.requests is not None:
                    self.requests.frame_untrusted(link.id, body)
                elif channel == CONTROL:
                    link.reason = decode_goodbye_untrusted(body)
                    link.goodbye = True
                    break
                else:
                    self.counters["frames_unknown"] += 1
            link.abort("it closed the stream")
        except (*_STREAM_ERRORS, FrameError) as error:
            self.counters[f"link_failed:{type(error).__name__}"] += 1
            link.abort(str(error) or type(error).__name__)

    async def _write(self, link: _Link) -> None:
        try:
            while True:
                data = link.take()
                if link.peer in self._cut_off and (data or link.farewell is not None):
                    if data:
                        continue
                    break
                if data:
                    with trio.fail_after(SEND_S):
                        await link.stream.send_all(data)
                    self.sent.add(len(data))
                elif link.farewell is not None:
                    with trio.move_on_after(GOODBYE_S):
                        await link.stream.send_all(link.farewell)
                        # Closing now, with bytes of the peer unread, would reset the connection
                        # and could take the goodbye with it: the peer closes, our reader sees it.
                        await trio.sleep_forever()
                    break
                else:
                    link.wake = trio.Event()
                    await link.wake.wait()
            link.abort("closed by us")
        except (*_STREAM_ERRORS, trio.TooSlowError) as error:
            link.abort(str(error) or "it takes nothing")
