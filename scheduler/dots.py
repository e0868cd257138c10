"""Which records about one job were folded, and when each was written: 16 bytes a record.

There is one of these for every job in memory, and most jobs are over: a dictionary of dots would
be a third of what such a job takes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache

from scheduler.ids import Dot, NodeId
from scheduler.instant import Hlc

_Log = tuple[NodeId, int]
_LOGS_CACHED = 1024
"""Logs of a mesh: each is named by every job that its author wrote about."""


class Dots:
    """Dots of records with their readings; log by log, in order of seq."""

    __slots__ = ("_count", "_entries", "_logs")

    def __init__(self) -> None:
        self._count = 0
        self._logs: tuple[_Log, ...] = ()
        """A handful: the nodes that had to do with the job."""
        self._entries: tuple[array[int], ...] = ()
        """Of each log: seq, HLC, seq, HLC, ..."""

    def __len__(self) -> int:
        return self._count

    def __contains__(self, dot: Dot) -> bool:
        return self.hlc(dot) is not None

    def __iter__(self) -> Iterator[Dot]:
        return (dot for _, dot in self.items())

    def add(self, dot: Dot, hlc: Hlc) -> bool:
        """Take one in; False when it is here already."""
        entries = self._of(dot)
        if entries is None:
            entries = array("Q")
            self._logs += (_log_of(dot.author, dot.epoch),)
            self._entries += (entries,)
        if not entries or entries[-2] < dot.seq:  # nearly always: an author's records come in order
            entries.extend((dot.seq, hlc))
        else:
            at = 2 * _place(entries, dot.seq)
            if entries[at] == dot.seq:
                return False
            entries[at:at] = array("Q", (dot.seq, hlc))
        self._count += 1
        return True

    def hlc(self, dot: Dot) -> Hlc | None:
        """When it was written; None for one that is not here."""
        entries = self._of(dot)
        if entries is None or dot.seq > entries[-2]:
            return None
        at = 2 * _place(entries, dot.seq)
        return Hlc(entries[at + 1]) if entries[at] == dot.seq else None

    def items(self) -> Iterator[tuple[Hlc, Dot]]:
        """Readings and dots, in no order that means anything."""
        for (author, epoch), entries in zip(self._logs, self._entries, strict=True):
            for at in range(0, len(entries), 2):
                yield Hlc(entries[at + 1]), Dot(author, epoch, entries[at])

    def in_order(self) -> list[Dot]:
        """By (HLC, dot): the order of history, the same on every node that holds the same."""
        return [dot for _, dot in sorted(self.items())]

    def _of(self, dot: Dot) -> array[int] | None:
        author, epoch, _ = dot
        for log, entries in zip(self._logs, self._entries, strict=True):
            if log[1] == epoch and log[0] == author:
                return entries
        return None


def _place(entries: array[int], seq: int) -> int:
    """The first entry whose seq is not less."""
    return bisect_left(range(len(entries) // 2), seq, key=lambda one: entries[2 * one])


@lru_cache(_LOGS_CACHED)
def _log_of(author: NodeId, epoch: int) -> _Log:
    return (author, epoch)
