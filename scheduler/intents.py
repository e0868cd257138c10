"""What operators want of nodes: the fold of `node_intent`.

Of several records about one node the greatest (number, HLC, dot) holds, so that two operators on
two sides of a split end with one word (P9's order).
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.ids import Dot, NodeId
from scheduler.instant import Hlc
from scheduler.records import Record

NONE = "none"
CORDON = "cordon"
DRAIN = "drain"
"""The words of the record."""

CORDONED = "cordoned"
DRAINING = "draining"
_STANDINGS = {NONE: "", DRAIN: DRAINING}

DRAIN_AFTER_S = 600
"""What runs may end within ten minutes: most batch work does, and an operator with a spanner in
hand waits no longer."""


@dataclass(frozen=True, slots=True, order=True)
class NodeIntent:
    """One word about one node; the greatest holds."""

    number: int
    hlc: Hlc
    dot: Dot
    word: str
    reason: str = ""
    deadline_s: int = 0
    """Of a drain: how long what runs may go on from when the node hears of it; 0 for not at all."""

    @property
    def standing(self) -> str:
        """`cordoned`, `draining`, or "" where the node takes work.

        A word of a later release asks for something that we cannot do: no new work is the part of
        it that we can.
        """
        return _STANDINGS.get(self.word, CORDONED)


class Intents:
    """The standing word about each node, where there is one."""

    def __init__(self) -> None:
        self._standing: dict[NodeId, NodeIntent] = {}

    def add(self, dot: Dot, record: Record) -> None:
        """Take one `node_intent` in."""
        body = record.body
        told = NodeIntent(
            number=body["number"],
            hlc=record.hlc,
            dot=dot,
            word=body["intent"],
            reason=body.get("reason") or "",
            deadline_s=body.get("deadline_s") or 0,
        )
        node: NodeId = body["node"]
        known = self._standing.get(node)
        self._standing[node] = told if known is None else max(known, told)

    def of(self, node: NodeId) -> NodeIntent | None:
        """The word that holds for a node."""
        return self._standing.get(node)

    def canonical(self) -> list[object]:
        """For digests: equal where the same records were folded."""
        return [[node, list(told.dot), told.word] for node, told in sorted(self._standing.items())]
