"""Peers by multicast DNS: we say where we are and hear where others are. Hints, never membership.

zeroconf has threads of its own; what it hears is handed to the trio thread. Whatever fails here is
one sentence for people and is tried again: a mesh also works from `--peer` and from what it knew.
"""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]
import trio

from mesh.gossip.events import AddressHeard
from mesh.node.config import Address
from scheduler.ids import NodeId, node_id_to_bytes

if TYPE_CHECKING:
    from zeroconf import Zeroconf

SERVICE = "_bacalhau-mesh._tcp.local."
TTL_S = 120
"""A dead process says no goodbye; zeroconf's own 4,500 s would offer it for over an hour."""
RECHECK_S = 10.0
"""How soon a network that comes up after the node is used."""
CLUSTER_DIGITS = 16
"""Of the cluster's fingerprint, in our entry: tells strangers apart, proves nothing."""
RESOLVE_MS = 1000
"""Answers are cached or come in 3 ms; a second for a busy network."""
CLOSE_S = 1.0
"""A goodbye takes 0.25 s; a third of the 3 s in which a node stops."""
_ALL_INTERFACES = frozenset({"0.0.0.0", "::"})
_BRIDGES = ("docker", "br-", "veth", "cni", "virbr")


def advertised_hosts(bound: Sequence[str]) -> tuple[str, ...]:
    """Where peers may reach us: the bound addresses, or, where those are all interfaces, the
    address in every network this machine is in.

    Container bridges are left out, since every machine has the same ones. Loopback only when bound
    to it, or when there is no network at all.
    """
    if not set(bound) & _ALL_INTERFACES:
        return tuple(bound)
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    hosts = [
        entry.address
        for name, entries in sorted(psutil.net_if_addrs().items())
        if name in up and not name.startswith(_BRIDGES)
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6) and _reachable(entry.address)
    ]
    return tuple(hosts) or ("127.0.0.1",)


def _reachable(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    return not (address.is_loopback or address.is_link_local)


class Discovery:
    """Our entry and our ear. `heard` and `say` are called on the trio thread."""

    def __init__(
        self,
        *,
        cluster: str,
        node: NodeId,
        port: int,
        version: str,
        hosts: Callable[[], Sequence[str]],
        heard: Callable[[AddressHeard], None],
        say: Callable[[str], None],
    ) -> None:
        self._cluster = cluster[:CLUSTER_DIGITS]
        self._node = node
        self._port = port
        self._version = version
        self._hosts = hosts
        self._heard = heard
        self._say = say
        self._trouble = ""
        self.counters: Counter[str] = Counter()

    async def run(self) -> None:
        """Until cancelled; begins anew whenever this machine's addresses change."""
        token = trio.lowlevel.current_trio_token()
        zeroconf: Zeroconf | None = None
        current: list[str] = []
        try:
            while True:
                hosts = _multicast_hosts(self._hosts())
                if zeroconf is None or hosts != current:
                    await _close(zeroconf)
                    zeroconf, current = await self._open(hosts, token), hosts
                await trio.sleep(RECHECK_S)
        finally:
            with trio.move_on_after(CLOSE_S, shield=True):
                await _close(zeroconf)

    async def _open(self, hosts: Sequence[str], token: trio.lowlevel.TrioToken) -> Zeroconf | None:
        try:
            zeroconf = await trio.to_thread.run_sync(self._start, hosts, token)
        except Exception as error:  # a library with errors of many kinds, none of them fatal here
            self._complain(f"mDNS does not work on {', '.join(hosts)} ({error}): use --peer")
            return None
        self._trouble = ""
        return zeroconf

    def _complain(self, sentence: str) -> None:
        if sentence != self._trouble:
            self._trouble = sentence
            self._say(sentence)

    def _start(self, hosts: Sequence[str], token: trio.lowlevel.TrioToken) -> Zeroconf:
        """On a thread: sockets, our entry, the browser."""
        from zeroconf import ServiceBrowser, ServiceInfo, Zeroconf

        if not hosts:
            raise OSError("no IPv4 address to use")
        zeroconf = Zeroconf(interfaces=list(hosts))
        try:
            info = ServiceInfo(
                SERVICE,
                f"{self._node}.{SERVICE}",
                port=self._port,
                addresses=[socket.inet_aton(host) for host in hosts],
                server=f"{self._node}.local.",
                properties={
                    "cluster": self._cluster,
                    "node": self._node,
                    "version": self._version,
                },
                host_ttl=TTL_S,
                other_ttl=TTL_S,
            )
            # Names are node ids, so there is nothing to probe for: 1.1 s saved.
            zeroconf.register_service(info, cooperating_responders=True)
            ServiceBrowser(zeroconf, SERVICE, handlers=[_Ear(self, token).changed])
        except BaseException:
            zeroconf.close()
            raise
        return zeroconf

    def found(self, properties: dict[bytes, bytes | None], addresses: list[str]) -> None:
        """On the trio thread: an entry of somebody, which may say anything."""
        node = _node_untrusted(properties.get(b"node"))
        cluster = (properties.get(b"cluster") or b"").decode("ascii", "replace")
        if cluster != self._cluster:
            self.counters["other_clusters_heard"] += 1
        elif node is None:
            self.counters["entries_malformed"] += 1
        elif node != self._node:
            for address in addresses:
                self._heard(AddressHeard(address, node))


class _Ear:
    """On the browser's own thread: resolves what changed and hands it over."""

    def __init__(self, discovery: Discovery, token: trio.lowlevel.TrioToken) -> None:
        self._discovery = discovery
        self._token = token

    def changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: Any) -> None:
        """An entry came, changed or went; those that went say nothing about where anybody is."""
        if state_change.name == "Removed":
            return
        info = zeroconf.get_service_info(service_type, name, RESOLVE_MS)
        if info is None or info.port is None:
            return
        addresses = [str(Address(host, info.port)) for host in info.parsed_addresses()]
        try:
            self._token.run_sync_soon(self._discovery.found, dict(info.properties), addresses)
        except trio.RunFinishedError:
            return


def _multicast_hosts(hosts: Sequence[str]) -> list[str]:
    return [host for host in hosts if ipaddress.ip_address(host.partition("%")[0]).version == 4]


def _node_untrusted(raw: bytes | None) -> NodeId | None:
    try:
        node = NodeId((raw or b"").decode("ascii"))
        return node if len(node_id_to_bytes(node)) == 16 else None
    except ValueError:
        return None


async def _close(zeroconf: Zeroconf | None) -> None:
    if zeroconf is not None:
        with trio.move_on_after(CLOSE_S, shield=True):
            await trio.to_thread.run_sync(_unregister, zeroconf, abandon_on_cancel=True)


def _unregister(zeroconf: Zeroconf) -> None:
    zeroconf.unregister_all_services()
    zeroconf.close()
