"""Members for tests of the node: keys in memory, TLS contexts, links over loopback or in memory."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.gossip.events import DialFailed, LinkClosed, LinkOpened, MessageReceived
from mesh.node.certificates import (
    ClusterRoot,
    make_certificate,
    read_certificate_untrusted,
    root_from_seed,
)
from mesh.node.config import Address
from mesh.node.identity import NodeTrust, exchange_key_of
from mesh.node.links import Links
from mesh.node.tls import make_contexts
from mesh.node.transport import open_listeners
from mesh.trust import ROLES

NOW_MS = 1_800_000_000_000
ROOT = root_from_seed(bytes(32))
OTHER_ROOT = root_from_seed(b"\x01" * 32)
_seeds = itertools.count(1)


def make_trust(
    root: ClusterRoot = ROOT, *, made_ms: int = NOW_MS, roles: tuple[str, ...] = ROLES
) -> NodeTrust:
    key = Ed25519PrivateKey.from_private_bytes(next(_seeds).to_bytes(32, "big"))
    der = make_certificate(
        root,
        public_key=key.public_key().public_bytes_raw(),
        exchange_key=exchange_key_of(key).public_key().public_bytes_raw(),
        roles=roles,
        labels=(("site", "harbour"),),
        now_ms=made_ms,
        serial=b"\x01" * 16,
    )
    return NodeTrust(root, key, read_certificate_untrusted(der, root))


class Peer:
    """One side of links: the real `Links`, its events in a list that tests wait on."""

    def __init__(self, trust: NodeTrust | None = None, *, wall_ms: int = NOW_MS) -> None:
        self.trust = make_trust() if trust is None else trust
        self.events: list[Any] = []
        self._news = trio.Event()
        self.room = trio.Event()
        self.room.set()
        self.links = Links(
            contexts=make_contexts(self.trust),
            node=self.trust.own.node,
            cluster=self.trust.root.fingerprint,
            read_certificate_untrusted=self.trust.read_certificate_untrusted,
            wall_ms=lambda: wall_ms,
            post=self._post,
            wait_for_room=lambda: self.room.wait(),
        )
        self.address = ""
        self.node = self.trust.own.node

    def _post(self, event: LinkOpened | LinkClosed | DialFailed | MessageReceived) -> None:
        self.events.append(event)
        self._news.set()

    async def wait_for(self, kind: type[Any], count: int = 1) -> Any:
        """The `count`-th event of a kind."""
        with trio.fail_after(10):
            while True:
                found = [event for event in self.events if type(event) is kind]
                if len(found) >= count:
                    return found[count - 1]
                self._news = trio.Event()
                await self._news.wait()


@asynccontextmanager
async def running(*peers: Peer) -> AsyncIterator[trio.Nursery]:
    """The peers' links run, each with a listener on loopback."""
    async with trio.open_nursery() as nursery:
        for peer in peers:
            listeners = await open_listeners(Address("127.0.0.1", 0))
            peer.address = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            await nursery.start(peer.links.run, listeners)
        yield nursery
        nursery.cancel_scope.cancel()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
