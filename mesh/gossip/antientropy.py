"""Finding out which logs differ, and pulling what is missing.

Every ping and ack carries a hash of the whole context. Where two differ, the asker sends a hash for
each of 256 buckets, the other answers with the heads in the buckets that differ, and the asker
pulls the logs in which it is behind, a window at a time. Under load contexts always differ, because
news are under way: an author that we hear directly is pulled only if what we were told a second ago
is still missing. One that we do not hear is pulled at once, and so is everything when a link opens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mesh.gossip.events import LinkId
from mesh.gossip.ground import Ground
from mesh.gossip.messages import BUCKETS, Head, Heads, HeadsWanted, Pull
from scheduler.ids import NodeId, node_id_to_bytes

LogKey = tuple[NodeId, int]
"""(author, epoch)"""

MAX_TOLD = 4096
"""Logs that we know to be behind in; beyond, the next comparison tells the rest."""
MAX_PULLS = 4
"""Logs pulled at once: enough to fill a link, few enough to leave it usable."""
MAX_SILENT_ASKS = 4
"""Then the ledger does not want it or nobody has it: the next comparison tries anew."""
HEADS_PER_MESSAGE = 512
"""70 B each: about 36 KiB a frame."""


@dataclass(slots=True)
class _Behind:
    """One log of which somebody holds more than we do."""

    seq: int
    """What the first teller held: once we have that, the log is no longer behind."""
    latest: int
    due_s: float
    """When to pull it, if it is still missing."""
    tellers: list[LinkId] = field(default_factory=list)
    asked_from: int = 0
    """The first seq of the window under way; 0 when none is."""
    asked_s: float = 0.0
    asked_on: LinkId | None = None
    """Once this link is gone, no answer will come on it."""
    silent_asks: int = 0


class ContextHashes:
    """Heads held and flushed, with a hash per bucket and one of all, kept up in O(1)."""

    def __init__(self, context: Mapping[LogKey, tuple[int, bytes]]) -> None:
        self._heads: dict[LogKey, Head] = {}
        self._buckets: list[dict[LogKey, None]] = [{} for _ in range(BUCKETS)]
        self._hashes = [0] * BUCKETS
        self._hash = 0
        for (author, epoch), (seq, head) in context.items():
            self.put(Head(author, epoch, seq, head))

    def put(self, head: Head) -> None:
        """This log is now held up to here."""
        key = (head.author, head.epoch)
        bucket = _bucket_of(key)
        known = self._heads.get(key)
        change = _head_hash(head) ^ (_head_hash(known) if known is not None else 0)
        self._hashes[bucket] ^= change
        self._hash ^= change
        self._heads[key] = head
        self._buckets[bucket][key] = None

    def seq(self, key: LogKey) -> int:
        """Up to where a log is held; 0 for one that is not."""
        head = self._heads.get(key)
        return head.seq if head is not None else 0

    def buckets(self) -> tuple[tuple[int, bytes], ...]:
        """The buckets that hold something."""
        return tuple(
            (index, digest.to_bytes(8, "big"))
            for index, digest in enumerate(self._hashes)
            if self._buckets[index]
        )

    def differing(self, theirs: Sequence[tuple[int, bytes]]) -> list[Head]:
        """Our heads in the buckets that another context has otherwise."""
        told = dict(theirs)
        return [
            self._heads[key]
            for index, digest in self.buckets()
            if told.get(index) != digest
            for key in self._buckets[index]
        ]

    @property
    def hash(self) -> bytes:
        """8 bytes that are equal on nodes that hold the same."""
        return self._hash.to_bytes(8, "big")


class AntiEntropy:
    """Which logs we are behind in, and the pulls under way."""

    def __init__(self, ground: Ground, context: Mapping[LogKey, tuple[int, bytes]]) -> None:
        self._links = ground.links
        self._outbox = ground.outbox
        self._timing = ground.timing
        self.context = ContextHashes(context)
        self._behind: dict[LogKey, _Behind] = {}
        self._wake_s: float | None = None

    def compare(self, link: LinkId) -> None:
        """Ask a peer which of our logs differ from its own."""
        self._outbox.send(link, HeadsWanted(self.context.buckets()))

    def on_heads_wanted(self, link: LinkId, wanted: HeadsWanted) -> None:
        """Tell our heads where the peer's context differs."""
        heads = self.context.differing(wanted.buckets)
        for start in range(0, len(heads), HEADS_PER_MESSAGE):
            self._outbox.send(link, Heads(tuple(heads[start : start + HEADS_PER_MESSAGE])))

    def on_heads(self, link: LinkId, heads: Heads, now_s: float, *, at_once: bool) -> None:
        """A peer tells what it holds; `at_once` when nothing of it can be under way to us."""
        for head in heads.heads:
            direct = not at_once and self._links.of(head.author) is not None
            wait_s = self._timing.pull_after_s if direct else 0.0
            self._told((head.author, head.epoch), head.seq, link, now_s + wait_s)
        self._step(now_s)

    def pull(self, link: LinkId, key: LogKey, from_seq: int, now_s: float) -> None:
        """The gate saw a gap: what follows it is here, so it exists and is wanted now."""
        seq = max(from_seq, self.context.seq(key) + 1)
        self._told(key, seq, link, now_s)
        self._step(now_s)

    def timer(self, now_s: float) -> None:
        """Pull what is due, the next windows, and anew what nobody answered."""
        self._wake_s = None
        self._step(now_s)

    def _told(self, key: LogKey, seq: int, link: LinkId, due_s: float) -> None:
        if self.context.seq(key) >= seq:
            return
        behind = self._behind.get(key)
        if behind is None:
            if len(self._behind) >= MAX_TOLD:
                return
            behind = self._behind[key] = _Behind(seq, seq, due_s)
        behind.latest = max(behind.latest, seq)
        behind.due_s = min(behind.due_s, due_s)
        if link not in behind.tellers:
            behind.tellers.append(link)

    def _step(self, now_s: float) -> None:
        for key, behind in list(self._behind.items()):
            goal = behind.latest if behind.asked_from else behind.seq
            if self.context.seq(key) >= goal:
                del self._behind[key]
        pulling = [key for key, behind in self._behind.items() if behind.asked_from]
        waiting = [key for key, behind in self._behind.items() if not behind.asked_from]
        due = [key for key in waiting if self._behind[key].due_s <= now_s]
        for key in pulling + due[: max(0, MAX_PULLS - len(pulling))]:
            self._pull_on(key, self._behind[key], now_s)
        if self._behind:
            pulls = any(behind.asked_from for behind in self._behind.values())
            next_s = min(behind.due_s for behind in self._behind.values())
            pace_s = self._timing.pull_pace_s
            self._wake(now_s + pace_s if pulls else max(next_s, now_s + pace_s))

    def _pull_on(self, key: LogKey, behind: _Behind, now_s: float) -> None:
        next_seq = self.context.seq(key) + 1
        if next_seq > behind.asked_from:
            behind.silent_asks = 0
        elif (
            behind.asked_on in self._links.by_id
            and now_s - behind.asked_s < self._timing.ask_again_s
        ):
            return
        else:
            behind.silent_asks += 1
            behind.tellers.append(behind.tellers.pop(0))
        behind.tellers = [one for one in behind.tellers if one in self._links.by_id]
        if behind.silent_asks >= MAX_SILENT_ASKS or not behind.tellers:
            del self._behind[key]
            return
        behind.asked_from, behind.asked_s, behind.asked_on = next_seq, now_s, behind.tellers[0]
        self._outbox.send(behind.asked_on, Pull(*key, next_seq))

    def _wake(self, at_s: float) -> None:
        if self._wake_s is None or at_s < self._wake_s:
            self._wake_s = at_s
            self._outbox.wake(at_s, "pull")


def _bucket_of(key: LogKey) -> int:
    author, epoch = key
    raw = node_id_to_bytes(author) + epoch.to_bytes(8, "big")
    return hashlib.sha256(raw).digest()[0] % BUCKETS


def _head_hash(head: Head) -> int:
    raw = node_id_to_bytes(head.author) + head.epoch.to_bytes(8, "big")
    raw += head.seq.to_bytes(8, "big") + head.head
    return int.from_bytes(hashlib.sha256(raw).digest()[:8], "big")
