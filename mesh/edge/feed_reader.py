"""The reader's side of the live feed (pure): frames in, the picture of the mesh they make out.

A snapshot comes in pieces. While its pieces come, the picture before it stays to be looked at; at
the last piece the new one takes its place at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mesh.edge.feed_rows import EventRow, ExecutionRow, JobRow, MeshRow, NodeRow

KEPT_EVENTS = 1_000
"""As many as a node keeps."""
KEPT_FINISHED = 1_000
"""Finished executions beyond which the oldest are forgotten, so that a reader that stays for weeks
does not grow; a new snapshot would bring fewer."""


class Picture:
    """What the frames so far tell of the mesh: rows by their id, and the latest events.

    `complete` is false until the first whole snapshot is there. The dictionaries are replaced by a
    snapshot and changed in place by changes: take them anew from the picture at each look.
    """

    def __init__(self) -> None:
        self.mesh: MeshRow | None = None
        self.nodes: dict[str, NodeRow] = {}
        self.jobs: dict[str, JobRow] = {}
        self.executions: dict[str, ExecutionRow] = {}
        self.events: deque[EventRow] = deque(maxlen=KEPT_EVENTS)
        self.complete = False
        self._next: Picture | None = None

    def apply(self, event: str, data: Mapping[str, Any]) -> None:
        """Take one frame in; a frame of a kind that a later release may add says nothing."""
        if event == "snapshot":
            self._snapshot(data)
        elif event == "changes" and self.complete:
            self._take(data)
            self._forget_oldest()

    def _snapshot(self, data: Mapping[str, Any]) -> None:
        if data.get("Piece") == 1:
            self._next = Picture()
        if self._next is None:
            return
        self._next._take(data)
        if data.get("More"):
            return
        new, self._next = self._next, None
        self.mesh, self.nodes, self.jobs = new.mesh, new.nodes, new.jobs
        self.executions, self.events = new.executions, new.events
        self.complete = True

    def _take(self, data: Mapping[str, Any]) -> None:
        if "Mesh" in data:
            self.mesh = cast("MeshRow", data["Mesh"])
        gone: Mapping[str, Iterable[str]] = data.get("Gone", {})
        tables: tuple[tuple[str, dict[str, Any]], ...] = (
            ("Nodes", self.nodes),
            ("Jobs", self.jobs),
            ("Executions", self.executions),
        )
        for name, table in tables:
            for row in data.get(name, ()):
                table[row["ID"]] = row
            for one in gone.get(name, ()):
                table.pop(one, None)
        told = self.events[-1]["Seq"] if self.events else 0
        self.events.extend(row for row in data.get("Events", ()) if row["Seq"] > told)

    def _forget_oldest(self) -> None:
        if len(self.executions) <= 2 * KEPT_FINISHED:
            return
        finished = sorted(
            (one for one in self.executions.values() if one["State"] in FINISHED_STATES),
            key=lambda one: one["Modified"],
        )
        for row in finished[:-KEPT_FINISHED]:
            del self.executions[row["ID"]]


FINISHED_STATES = frozenset({"Succeeded", "Failed", "Refused", "Cancelled"})
"""Words of `ExecutionRow` after which nothing more happens to it."""
