"""The streams that are up, and which of two between one pair stays.

Of two that crossed, the one dialled by the smaller node id stays. Of two dialled by one side at
about the same time (two addresses of one node), the dialler keeps the older. If the older has been
up for longer than a crossing takes, its other end would not have let us meet again while it lived:
it has died without telling, and the newer stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mesh.gossip.events import LinkId
from scheduler.ids import NodeId


@dataclass(slots=True)
class Link:
    """One stream to a peer."""

    id: LinkId
    peer: NodeId
    dialled: bool
    address: str
    opened_s: float
    compared: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    """Kind of state -> the pair of hashes last compared, and when."""


class Links:
    """Links by number and by peer, in the order in which they opened."""

    def __init__(self, own: NodeId, *, crossing_s: float) -> None:
        self._own = own
        self._crossing_s = crossing_s
        self.by_id: dict[LinkId, Link] = {}
        self._by_peer: dict[NodeId, list[Link]] = {}

    def add(self, link: Link) -> list[Link]:
        """A link has opened; those that lose against another, in it or not, are to be closed."""
        self.by_id[link.id] = link
        rivals = self._by_peer.setdefault(link.peer, [])
        losers = [one for one in (self._loser(older, link) for older in rivals) if one]
        rivals.append(link)
        return losers

    def remove(self, link: LinkId) -> Link | None:
        """A link has ended; None when it was not there."""
        gone = self.by_id.pop(link, None)
        if gone is not None:
            left = self._by_peer[gone.peer]
            left.remove(gone)
            if not left:
                del self._by_peer[gone.peer]
        return gone

    def of(self, peer: NodeId) -> LinkId | None:
        """The link to talk to a peer on."""
        links = self._by_peer.get(peer)
        return links[-1].id if links else None

    def all_of(self, peer: NodeId) -> list[LinkId]:
        """Every link to a peer; more than one for moments only."""
        return [one.id for one in self._by_peer.get(peer, ())]

    def linked(self) -> list[tuple[NodeId, LinkId]]:
        """Each linked peer with its link."""
        return [(peer, links[-1].id) for peer, links in self._by_peer.items()]

    def __len__(self) -> int:
        return len(self._by_peer)

    def _loser(self, older: Link, newer: Link) -> Link | None:
        if newer.opened_s - older.opened_s > self._crossing_s:
            return older
        if older.dialled != newer.dialled:
            ours_stays = self._own < newer.peer
            return older if older.dialled != ours_stays else newer
        return newer if newer.dialled else None
