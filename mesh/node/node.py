"""One running member: the only place where its parts are made and put together."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from typing import Any, Protocol, TypeVar

import trio

from mesh.gossip.events import AddressHeard
from mesh.gossip.timing import WAN, Timing
from mesh.member.events import AttemptReported, CapacityMeasured, Flushed, LocalDataScanned
from mesh.member.member import Member, MemberSettings
from mesh.node.capacity import LoadMeter, list_images, measure_offer, probe_engines
from mesh.node.config import Address, NodeConfig
from mesh.node.discovery import Discovery, advertised_hosts
from mesh.node.doors import RESTARTING, Doors, NodeStatus, disk_full
from mesh.node.errors import only_error
from mesh.node.folder import data_folder, node_page
from mesh.node.frames import REQUESTS
from mesh.node.identity import NodeTrust, holds_cluster, open_identity
from mesh.node.links import Links
from mesh.node.loop import Loop, Mailbox
from mesh.node.observe import Observer
from mesh.node.output import read_output
from mesh.node.perform import make_performers
from mesh.node.plugs import make_engines, make_providers
from mesh.node.reopen import open_again
from mesh.node.requests import LogPart, LogQuestion, Requests
from mesh.node.store import FlushFailed, Store
from mesh.node.tls import make_contexts
from mesh.node.transport import open_listeners
from runtime.attempt import NODE_RESTARTED
from runtime.executor import Executor
from runtime.ports import Engine, LastingEngine
from scheduler.instant import Instant
from storage.allow import scan_offer
from storage.blobs import BlobStore
from storage.ports import Provider

SCAN_S = 30.0
"""How often local data are looked at: a walk over 100,000 files takes a second of a slow disk."""
PROBE_S = 3.0
"""How often engines are asked whether they answer: one that comes or goes is seen in seconds."""
LONELY_S = 5.0
"""Peers answer mDNS in well under a second; after five people want to know why it is quiet."""
MAX_HINTS = 256
"""Addresses heard by mDNS that a rebuilt member is told again."""

Item = TypeVar("Item")


class ServeDoors(Protocol):
    """Serves the API; started with the URLs that are bound, TCP before Unix socket."""

    def __call__(
        self,
        doors: Doors,
        config: NodeConfig,
        /,
        *,
        task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
    ) -> Awaitable[None]:
        """Until cancelled."""


@dataclass(frozen=True, slots=True)
class _Life:
    """What one member needs beside it; all of it new when it is built again from disk."""

    member: Member
    loop: Loop
    executor: Executor


async def run_node(
    config: NodeConfig, *, serve_doors: ServeDoors, stop: trio.Event | None = None
) -> None:
    """Run one node until SIGINT, SIGTERM or `stop`. Raises NodeError when it cannot start."""
    stop = trio.Event() if stop is None else stop
    with data_folder(config.data_dir):
        try:
            founds = not config.lab and not holds_cluster(config.data_dir)
            trust = open_identity(config.data_dir, lab_secret=config.lab, now_ms=_wall_ms())
            node = _Node(replace(config, lab=""), trust, founds=founds)
            await node.run(serve_doors, stop)
        except BaseExceptionGroup as group:
            raise only_error(group) from None


class _Node:
    def __init__(self, config: NodeConfig, trust: NodeTrust, *, founds: bool) -> None:
        self._config = config
        self._trust = trust
        self._founds = founds
        self._version = _version()
        self._started_ms = _wall_ms()
        self._observer = Observer()
        self._mailbox = Mailbox()
        self._facts: dict[Any, CapacityMeasured | LocalDataScanned | AddressHeard] = {}
        self._store = Store(config.data_dir / "mesh.sqlite")
        self._blobs = BlobStore(
            config.data_dir / "blobs", fallback=lambda digest: self._store.read_blob(digest)
        )
        self._links = Links(
            contexts=make_contexts(trust),
            node=trust.own.node,
            cluster=trust.root.fingerprint,
            read_certificate_untrusted=trust.read_certificate_untrusted,
            wall_ms=_wall_ms,
            post=self._mailbox.post,
            wait_for_room=self._mailbox.wait_for_room,
        )
        self._requests = Requests(
            send=lambda link, body: self._links.send(link, REQUESTS, body, bulk=True),
            blobs=self._blobs,
            read_logs=self._read_logs,
            facts=self._counters,
        )
        self._links.requests = self._requests
        self._life: _Life | None = None
        self._lost = NODE_RESTARTED
        self._port = 0
        self._hosts: Callable[[], tuple[str, ...]] = tuple

    async def run(self, serve_doors: ServeDoors, stop: trio.Event) -> None:
        """From the first socket to the last goodbye."""
        listeners = await open_listeners(self._config.bind)
        bound = [listener.socket.getsockname()[:2] for listener in listeners]
        self._port = bound[0][1]
        self._hosts = partial(advertised_hosts, [host for host, _ in bound])
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop_on_signal, stop)
                await nursery.start(self._requests.run)
                await nursery.start(self._links.run, listeners)
                doors = self._make_doors()
                await nursery.start(self._live, doors)
                urls = await nursery.start(serve_doors, doors, self._config)
                self._open_doors(doors, urls)
                with node_page(self._config.data_dir, self._page(doors.status)):
                    self._start_feeders(nursery)
                    await stop.wait()
                    await self._leave()
                    nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._store.close)

    def _make_doors(self) -> Doors:
        status = NodeStatus(
            node=self._trust.own.node,
            name=self._config.name,
            cluster=self._trust.root.fingerprint,
            version=self._version,
            data_dir=self._config.data_dir,
            mesh_addresses=self._addresses(),
            api_addresses=(str(self._config.api),),
            started_ms=self._started_ms,
        )
        return Doors(
            status=status,
            post=self._mailbox.post,
            blobs=self._blobs,
            requests=self._requests,
            links=self._links.peer_links,
            read_logs=self._read_logs,
            read=lambda one: self._life.member.read_now(one, _now()) if self._life else None,
            facts=self._counters,
            cut_off=self._links.cut_off if self._config.allow_faults else None,
        )

    def _counters(self) -> Mapping[str, int]:
        told = {} if self._life is None else self._life.member.statistics()
        return {**self._links.facts(), **told}

    def _open_doors(self, doors: Doors, urls: list[str]) -> None:
        tcp = tuple(url.partition("://")[2] for url in urls if "unix:" not in url)
        doors.status = replace(doors.status, api_addresses=tcp)
        page = f", page {where} by its link" if (where := doors.status.page_address) else ""
        self._observer.say(
            f"node {self._config.name} ({doors.status.node}) of cluster "
            f"{doors.status.cluster[:12]}: mesh port {self._port}, API {', '.join(tcp)}{page}"
        )
        if self._founds:
            self._observer.say(
                f"founded cluster {doors.status.cluster[:12]}, which has this node alone; for one "
                "mesh of several machines start each with a new --data-dir and one --lab SECRET"
            )

    def _page(self, status: NodeStatus) -> dict[str, Any]:
        return {
            "node": status.node,
            "name": status.name,
            "cluster": status.cluster,
            "version": status.version,
            "pid": os.getpid(),
            "mesh_port": self._port,
            "mesh_addresses": list(status.mesh_addresses),
            "api_addresses": list(status.api_addresses),
            "api_socket": str(self._config.socket_path),
            "page_address": status.page_address,
        }

    def _addresses(self) -> tuple[str, ...]:
        return tuple(str(Address(host, self._port)) for host in self._hosts())

    # The member, and how its effects are performed.

    async def _live(
        self, doors: Doors, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """One member after another: a failed flush asks for a new one, from disk."""
        say = self._observer.say
        own = {"cluster": self._trust.root.fingerprint, "node": self._trust.own.node}
        engines = make_engines(self._config.data_dir, own, say)
        providers = make_providers(self._config.allow_paths, doors.pull_blob, say)
        while True:
            async with trio.open_nursery() as nursery:
                life = self._begin_life(doors, engines, providers)
                await nursery.start(life.executor.run)
                nursery.start_soon(self._measure, engines, providers)
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                failure = await life.loop.run()
                nursery.cancel_scope.cancel()
            self._observer.say(f"the disk failed: {failure.reason} Starting again from it.")
            await self._reopen(doors, failure)

    def _begin_life(
        self, doors: Doors, engines: Mapping[str, Engine], providers: Mapping[str, Provider]
    ) -> _Life:
        executor = Executor(
            data_dir=self._config.data_dir,
            node=self._trust.own.node,
            engines=engines,
            providers=providers,
            blobs=self._blobs,
            report=lambda attempt, event: self._mailbox.post(AttemptReported(attempt, event)),
        )
        settings = MemberSettings(
            name=self._config.name,
            addresses=self._addresses(),
            version=self._version,
            timing=WAN if self._config.wan else Timing(),
            wan=self._config.wan,
            lasting_engines=tuple(
                name for name, engine in engines.items() if isinstance(engine, LastingEngine)
            ),
            lost=self._lost,
        )
        member = Member(
            settings=settings,
            trust=self._trust,
            restored=self._store.load(),
            random=random.Random(os.urandom(32)),
            now=_now(),
        )
        self._store.start(partial(_from_thread, trio.lowlevel.current_trio_token(), self._flushed))
        loop = Loop(
            member=member,
            mailbox=self._mailbox,
            now=_now,
            perform=make_performers(
                links=self._links,
                store=self._store,
                blobs=self._blobs,
                executor=executor,
                doors=doors,
            ),
            observe=self._observer.note,
            started=executor.sweep,
        )
        self._life = _Life(member, loop, executor)
        for fact in self._facts.values():
            self._mailbox.post(fact)
        return self._life

    def _flushed(self, event: Flushed | FlushFailed) -> None:
        self._mailbox.post(event)

    async def _reopen(self, doors: Doors, failure: FlushFailed) -> None:
        """Open the database again; nothing of the old member is left."""
        full = failure.full
        doors.restarting(disk_full(failure.reason) if full else RESTARTING)
        await trio.to_thread.run_sync(self._store.close)
        self._store = await open_again(self._store.path, self._observer.say, full=full)
        self._lost = f"Lost when the disk of this node failed: {failure.reason}"
        # The new member knows neither these links (peers dial again) nor the old one's attempts,
        # whose last reports may be waiting.
        self._links.abort_all("this node's disk failed")
        self._mailbox.clear()
        doors.restarted()

    async def _leave(self) -> None:
        self._observer.say(
            f"stopping: this node will return with what {self._config.data_dir} keeps"
        )
        self._observer.stopping()
        if self._life is not None:
            self._life.loop.perform_all(self._life.member.leave(_now()))
        await self._links.say_goodbye("this node stops")

    async def _read_logs(self, question: LogQuestion) -> LogPart:
        if self._life is None:
            raise LookupError("this node is starting")
        return await read_output(self._life.executor, question)

    # What the machine offers, and what is heard of others.

    def _tell(self, key: Any, fact: CapacityMeasured | LocalDataScanned | AddressHeard) -> None:
        """Post a fact when it is news, and again to a member that is built anew."""
        if self._facts.get(key) != fact:
            if len(self._facts) < MAX_HINTS:
                self._facts[key] = fact
            self._mailbox.post(fact)

    async def _measure(self, engines: Mapping[str, Engine], sources: Iterable[str]) -> None:
        say = self._observer.say
        offer = await measure_offer(self._config, engines, tuple(sources), say)
        load = LoadMeter()
        while True:
            offer = replace(offer, load_tenths=load.tenths(trio.current_time()))
            self._tell(CapacityMeasured, offer)
            await trio.sleep(PROBE_S)
            answering = await probe_engines(engines, offer.engines, say)
            offer = replace(offer, engines=answering, images=await list_images(engines))

    def _start_feeders(self, nursery: trio.Nursery) -> None:
        for address in self._config.peers:
            self._tell(address, AddressHeard(address, None))
        nursery.start_soon(self._scan)
        nursery.start_soon(self._say_if_lonely)
        if self._config.mdns:
            discovery = Discovery(
                cluster=self._trust.root.fingerprint,
                node=self._trust.own.node,
                port=self._port,
                version=self._version,
                hosts=self._hosts,
                heard=lambda event: self._mailbox.post(event),
                say=self._observer.say,
            )
            nursery.start_soon(discovery.run)

    async def _scan(self) -> None:
        while self._config.allow_paths:
            entries, writable = await trio.to_thread.run_sync(scan_offer, self._config.allow_paths)
            self._tell(LocalDataScanned, LocalDataScanned(entries, writable))
            await trio.sleep(SCAN_S)

    async def _say_if_lonely(self) -> None:
        await trio.sleep(LONELY_S)
        if not self._links.peer_links():
            how = "" if self._config.mdns else " (mDNS is off)"
            self._observer.say(
                f"nobody heard yet{how}. Listening on {', '.join(self._addresses())}; where "
                "multicast is blocked, name a member: --peer HOST:PORT"
            )


async def _stop_on_signal(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.set()


def _from_thread(
    token: trio.lowlevel.TrioToken, deliver: Callable[[Item], None], item: Item
) -> None:
    try:
        token.run_sync_soon(deliver, item)
    except trio.RunFinishedError:
        return


def _now() -> Instant:
    return Instant(trio.current_time(), _wall_ms())


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _version() -> str:
    try:
        return metadata.version("bacalhau-mesh")
    except metadata.PackageNotFoundError:
        return "0"
