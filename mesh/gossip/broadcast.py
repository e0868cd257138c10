"""How news spreads, and how what is missing is asked for.

Up to 16 nodes an author sends its envelopes to every linked peer itself: one copy each, no window
to wait in, nothing passed on. Member news spread as rumours with a bounded number of copies. What a
node lacks by name (blobs, certificates) it asks linked peers for, one after another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mesh.gossip.events import LinkId
from mesh.gossip.messages import SEND_BYTES, WINDOW_ENVELOPES, Update
from scheduler.ids import NodeId

Key = TypeVar("Key", bound=bytes | str)

PIGGYBACK_BYTES = 800
"""News in one ping or ack: with its own fields it stays within a datagram of 1,200 B."""
COPIES_FACTOR = 4
"""Copies of a rumour per node are this x log10 of the nodes, rounded up: memberlist's default."""
OPINION_BYTES = 56
"""An opinion on the wire: two ids of 16 B, three numbers, a list head."""


def batches(
    items: Sequence[bytes], *, max_bytes: int = SEND_BYTES, max_count: int = WINDOW_ENVELOPES
) -> list[tuple[bytes, ...]]:
    """Items in order, cut into groups for one frame each; a larger item gets one of its own."""
    groups: list[list[bytes]] = []
    room_bytes = 0
    for item in items:
        if not groups or len(item) > room_bytes or len(groups[-1]) == max_count:
            groups.append([])
            room_bytes = max_bytes
        groups[-1].append(item)
        room_bytes -= len(item)
    return [tuple(group) for group in groups]


@dataclass(slots=True)
class _Rumour:
    update: Update
    copies_sent: int = 0


class Rumours:
    """News that still has copies to go; a newer one of the same member replaces it."""

    def __init__(self) -> None:
        self._rumours: dict[NodeId, _Rumour] = {}

    def __len__(self) -> int:
        return len(self._rumours)

    def clear(self) -> None:
        """Nobody is there to be told."""
        self._rumours.clear()

    def put(self, node: NodeId, update: Update) -> None:
        """Spread this about a member from now on."""
        self._rumours[node] = _Rumour(update)

    def take(self, *, node_count: int, max_bytes: int = PIGGYBACK_BYTES) -> tuple[Update, ...]:
        """The least spread news that fit, counted as one copy each."""
        copies = COPIES_FACTOR * max(1, math.ceil(math.log10(node_count + 1)))
        taken: list[Update] = []
        for node, rumour in sorted(
            self._rumours.items(), key=lambda item: (item[1].copies_sent, item[0])
        ):
            size_bytes = len(rumour.update) if isinstance(rumour.update, bytes) else OPINION_BYTES
            if size_bytes > max_bytes:
                continue
            max_bytes -= size_bytes
            taken.append(rumour.update)
            rumour.copies_sent += 1
            if rumour.copies_sent >= copies:
                del self._rumours[node]
        return tuple(taken)


MAX_ASKED = 256
"""Things under way to us at once: a joiner's thousands come in turn, not twice each."""


@dataclass(slots=True)
class _Want:
    ask_s: float
    asked: list[NodeId]
    on: LinkId | None = None
    """Asked last on this link: once it is gone, no answer will come on it."""


class Wants(Generic[Key]):
    """Things asked for by name until they arrive: another linked peer after each silent wait, and
    at once where the link that was asked on is gone."""

    def __init__(self, *, wait_s: float, ask: Callable[[LinkId, list[Key]], None]) -> None:
        self._wait_s = wait_s
        self._ask = ask
        self._wants: dict[Key, _Want] = {}

    def __len__(self) -> int:
        return len(self._wants)

    def add(self, keys: Iterable[Key], now_s: float) -> None:
        """Want these, those wanted already as before; `ask_due` asks."""
        for key in keys:
            self._wants.setdefault(key, _Want(now_s, []))

    def arrived(self, key: Key) -> bool:
        """It is here; False when nobody wanted it."""
        return self._wants.pop(key, None) is not None

    def ask_due(
        self, now_s: float, linked: Sequence[tuple[NodeId, LinkId]], first: LinkId | None = None
    ) -> None:
        """Ask for what is due, `first` before others where it has not been asked."""
        asks: dict[LinkId, list[Key]] = {}
        up = {link for _, link in linked}
        due = [
            (key, want)
            for key, want in self._wants.items()
            if want.ask_s <= now_s or want.on not in up
        ]
        due.sort(key=lambda item: item[1].ask_s)
        room = MAX_ASKED - (len(self._wants) - len(due)) if linked else 0
        for key, want in due[: max(0, room)]:
            fresh = [one for one in linked if one[0] not in want.asked]
            if not fresh:
                want.asked.clear()
                fresh = list(linked)
            peer, link = next((one for one in fresh if one[1] == first), fresh[0])
            want.asked.append(peer)
            want.ask_s, want.on = now_s + self._wait_s, link
            asks.setdefault(link, []).append(key)
        for link, keys in asks.items():
            self._ask(link, keys)
