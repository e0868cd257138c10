"""Own envelopes on their way to every linked peer: at once, or first to those who wait for them.

A node that is told costs its machine a proof, a fold and a flush. Whoever waits for a job hears of
it at once; the others hear a moment later, of all that was written meanwhile in one message.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mesh.gossip import messages
from mesh.gossip.broadcast import batches
from mesh.gossip.events import LinkId
from mesh.gossip.ground import Ground
from scheduler.ids import NodeId

TELL_WAIT_S = 0.01
"""A job that ends within this is told in one message where its acceptance, its steps and its end
would be three; longer, and people would see it."""


class Telling:
    """What was told to some and not yet to all, in the order of our log."""

    def __init__(self, ground: Ground) -> None:
        self._links = ground.links
        self._outbox = ground.outbox
        self._untold: list[bytes] = []
        self._had: dict[NodeId, int] = {}
        """So many from the front a peer was told already."""

    def tell(
        self, envelopes: Sequence[bytes], now_s: float, *, first: Collection[NodeId] | None
    ) -> None:
        """To everybody now, with all that they were not told; or to `first` now, and to the rest
        when `rest` is called."""
        if first is not None and not self._untold:
            self._outbox.wake(now_s + TELL_WAIT_S, "tell")
        self._untold += envelopes
        groups: dict[int, list[LinkId]] = {}
        told = [one for one in self._links.linked() if first is None or one[0] in first]
        for node, link in told:
            groups.setdefault(self._had.get(node, 0), []).append(link)
        for had, links in groups.items():
            for group in batches(self._untold[had:]):
                self._outbox.send_all(links, messages.Envelopes(group, False))
        if first is None:
            self._untold, self._had = [], {}
        else:
            self._had |= {node: len(self._untold) for node, _ in told}

    def rest(self, now_s: float) -> None:
        """Tell everybody what they were not told yet."""
        if self._untold:
            self.tell((), now_s, first=None)
