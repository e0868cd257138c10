"""The port that doors (`mesh/edge`) plug into: a command into the mailbox, its answer after the
flush; blobs and logs from wherever they are; waiting for news of a job.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import trio

from mesh.gossip.events import LinkId
from mesh.member.commands import READINGS, Command, GetJob, JobReading, Problem, Reply
from mesh.member.events import Answer, BlobKept, Changed, CommandReceived
from mesh.member.watched import Outline, WatchCommand, Watched
from mesh.node.requests import LogPart, LogQuestion, ReadLogs, Requests
from scheduler.ids import AttemptId, Digest, JobId, NodeId
from storage.blobs import BlobStore
from storage.errors import Corrupt, StorageError, TooLarge, Unavailable

RESTARTING = Problem(
    "StorageUnavailable",
    "This node's disk failed and it is starting again from what it holds.",
    "Ask again in a moment, or ask another node.",
    503,
)


def disk_full(reason: str) -> Problem:
    """What everybody is told while the disk is full; `reason` names it."""
    hint = "The node goes on by itself once there is room. Or ask another node."
    return Problem("StorageUnavailable", reason, hint, 507)


STEPS_TO_SOCKET = 2
"""Turns of the scheduler from a frame queued for a link to its bytes in the kernel: the writer
wakes and encrypts, then sends. The answer to what was written leaves after them, so that a job
which was taken is with its peers even if this process is killed the moment after (without: 4 of 20
jobs were not), and what it starts here begins before its client asks for more."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Facts of this node that no record holds."""

    node: NodeId
    name: str
    cluster: str
    """Fingerprint of the cluster's root, 64 hexadecimal digits."""
    version: str
    data_dir: Path
    mesh_addresses: tuple[str, ...]
    api_addresses: tuple[str, ...]
    started_ms: int
    page_address: str = ""
    """HOST:PORT where the page alone is served; "" when it is not."""


class BlobUnavailable(Exception):
    """No holder could be reached; the sentence names them."""


@dataclass
class _Watch:
    """Those who wait for one job to change."""

    changed: trio.Event = field(default_factory=trio.Event)
    waiting: int = 0


@dataclass
class _Ask:
    """One command on its way."""

    done: trio.Event = field(default_factory=trio.Event)
    reply: Any = RESTARTING


class Doors:
    """What every door of one node may do. All of it runs on the trio thread."""

    def __init__(
        self,
        *,
        status: NodeStatus,
        post: Callable[[CommandReceived | BlobKept], None],
        blobs: BlobStore,
        requests: Requests,
        links: Callable[[], dict[NodeId, LinkId]],
        read_logs: ReadLogs,
        read: Callable[[Command], Reply | None] = lambda _: None,
        facts: Callable[[], Mapping[str, int]] = dict,
        cut_off: Callable[[Collection[NodeId]], None] | None = None,
    ) -> None:
        self.status = status
        self._post = post
        self._blobs = blobs
        self._requests = requests
        self._links = links
        self._read_logs = read_logs
        self._read = read
        """Answers a reading on the spot, where nothing waits for the disk: the way over the mailbox
        costs a fifth of what a client that polls does."""
        self._facts = facts
        self.cut_off = cut_off
        """Cuts this node off from these peers and no others; None where that is not allowed."""
        self._tokens = itertools.count(1)
        self._asks: dict[int, _Ask] = {}
        self._watches: dict[str, _Watch] = {}
        self._closed: Problem | None = None
        """What everybody is told while there is no member."""
        self.feed: object = None
        """The live feed of all readers, whichever address they came by; doors keep it alone."""
        self.listeners: list[Callable[[Changed], None]] = []
        """Told of every change, after its flush; the live feed's, while it has readers. A change
        of nothing says that the member is new: anything may be different."""

    async def ask(self, command: Command) -> Reply:
        """The member's answer, or a Problem; what it tells is on this node's disk."""
        reply: Reply | None = self._closed or self._read(command)
        return await self._answer_to(command) if reply is None else reply

    async def read_watched(self, command: WatchCommand) -> Outline | Watched | Problem:
        """As `ask`, for the live feed."""
        reply: Outline | Watched | Problem = await self._answer_to(command)
        return reply

    async def _answer_to(self, command: Command | WatchCommand) -> Any:
        if self._closed is not None:
            await trio.lowlevel.checkpoint()
            return self._closed
        token = next(self._tokens)
        ask = self._asks[token] = _Ask()
        try:
            self._post(CommandReceived(token, command))
            await ask.done.wait()
        finally:
            self._asks.pop(token, None)
        if type(command) not in READINGS:
            for _ in range(STEPS_TO_SOCKET):
                await trio.lowlevel.checkpoint()
        return ask.reply

    async def wait_job_changed(self, job: JobId, revision: int) -> None:
        """Returns once the job's revision is not `revision`; a job not known here has 0."""
        watch = self._watches.setdefault(job, _Watch())
        watch.waiting += 1
        try:
            reply = await self.ask(GetJob(job, attempts=False))
            current = reply.revision if isinstance(reply, JobReading) else 0
            if current == revision:
                await watch.changed.wait()
        finally:
            watch.waiting -= 1
            if not watch.waiting and self._watches.get(job) is watch:
                del self._watches[job]

    def blob_path(self, digest: Digest) -> Path | None:
        """The blob as a file when it is on this node."""
        return self._blobs.find(digest)

    async def fetch_blob(self, digest: Digest, holders: Sequence[NodeId]) -> Path:
        """The blob as a file, from here or from a node that has it, verified. Raises
        BlobUnavailable."""
        try:
            return await self.pull_blob(digest, holders)
        except (StorageError, OSError) as error:
            names = f" Known holders: {', '.join(holders)}." if holders else ""
            raise BlobUnavailable(f"{error}{names}") from error

    async def pull_blob(self, digest: Digest, holders: Sequence[str]) -> Path:
        """As `fetch_blob`, for those who want a StorageError or OSError. The holders named are
        asked first, then every other linked peer."""
        links = self._links()
        order = [
            link for node, link in sorted(links.items(), key=lambda one: one[0] not in holders)
        ]
        path, is_new = await self._requests.fetch_blob(digest, order)
        if is_new:
            self._post(BlobKept(digest))
        return path

    async def keep_blob(
        self, digest: Digest, chunks: AsyncIterator[bytes], *, limit_bytes: int
    ) -> int:
        """Keep a blob that a client sends; its size. ValueError with a sentence when its bytes are
        not those of the digest or are too many."""
        stage = await trio.to_thread.run_sync(
            partial(self._blobs.stage, digest, limit_bytes=limit_bytes)
        )
        try:
            async for chunk in chunks:
                await trio.to_thread.run_sync(stage.write, chunk)
            await trio.to_thread.run_sync(stage.finish)
        except (Corrupt, TooLarge) as error:
            raise ValueError(str(error)) from error
        finally:
            stage.discard()
        self._post(BlobKept(digest))
        return stage.size_bytes

    async def read_logs(
        self,
        attempt: AttemptId,
        node: NodeId,
        *,
        offset: int,
        limit: int,
        wait_s: float = 0.0,
        since_ms: int = 0,
    ) -> LogPart:
        """Output of a running or finished attempt, here or on its node: ([(stream 1 stdout | 2
        stderr, bytes)], next offset, ended: nothing will follow). With `wait_s` the answer comes as
        soon as there is output, or the attempt has ended. Raises BlobUnavailable."""
        question = LogQuestion(attempt, offset, limit, wait_s, since_ms)
        try:
            if node == self.status.node:
                return await self._read_logs(question)
            link = self._links().get(node)
            if link is None:
                raise Unavailable(f"Node {node} cannot be reached now.")
            return await self._requests.fetch_logs(link, question)
        except (StorageError, OSError, LookupError) as error:
            raise BlobUnavailable(f"The output of {attempt} cannot be read now: {error}") from error

    async def read_facts(self, node: NodeId) -> Mapping[str, int] | None:
        """Counters of a node's present run, by name; None when it cannot be asked now."""
        if node == self.status.node:
            return self._facts()
        link = self._links().get(node)
        try:
            return None if link is None else await self._requests.fetch_facts(link)
        except Unavailable:
            return None

    # What the loop performs.

    def answered(self, effect: Answer) -> None:
        """An answer to one of our commands."""
        ask = self._asks.get(effect.token)
        if ask is not None:
            ask.reply = effect.answer
            ask.done.set()

    def changed(self, effect: Changed) -> None:
        """Wake those who wait for these jobs, and the live feed."""
        for tell in tuple(self.listeners):
            tell(effect)
        for job in effect.jobs:
            watch = self._watches.pop(job, None)
            if watch is not None:
                watch.changed.set()

    def restarting(self, problem: Problem = RESTARTING) -> None:
        """The member is gone: whoever waits for it learns that, and whoever asks before
        `restarted`."""
        self._closed = problem
        for ask in self._asks.values():
            ask.reply = problem
        self._wake_all()

    def restarted(self) -> None:
        """There is a member again: everything may be different."""
        self._closed = None
        self._wake_all()

    def _wake_all(self) -> None:
        for tell in tuple(self.listeners):
            tell(Changed())
        for ask in self._asks.values():
            ask.done.set()
        for watch in self._watches.values():
            watch.changed.set()
        self._watches.clear()
