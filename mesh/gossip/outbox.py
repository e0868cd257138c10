"""Where the parts of gossip put their effects, in order, until one `handle` gives them out."""

from __future__ import annotations

from collections.abc import Iterable

from mesh.gossip.events import GossipEffect, LinkId, Send, StartTimer
from mesh.gossip.messages import Message, encode


class Outbox:
    """Effects of one `handle`, and counters of everything that was ever sent or refused."""

    def __init__(self) -> None:
        self._effects: list[GossipEffect] = []
        self.counters: dict[str, int] = {"messages_sent": 0, "bytes_sent": 0}

    def send(self, link: LinkId, message: Message, *, bulk: bool = False) -> None:
        """One message to one link."""
        self.send_all((link,), message, bulk=bulk)

    def send_all(self, links: Iterable[LinkId], message: Message, *, bulk: bool = False) -> None:
        """One message, encoded once, to several links."""
        data = encode(message)
        for link in links:
            self._effects.append(Send(link, data, bulk))
            self.counters["messages_sent"] += 1
            self.counters["bytes_sent"] += len(data)

    def tell(self, effect: GossipEffect) -> None:
        """Any other effect."""
        self._effects.append(effect)

    def wake(self, at_s: float, *token: str) -> None:
        """A timer of ours; every token begins with "gossip"."""
        self._effects.append(StartTimer(("gossip", *token), at_s))

    def count(self, name: str) -> None:
        """One more of what `statistics()` shows by this name."""
        self.counters[name] = self.counters.get(name, 0) + 1

    def take(self) -> list[GossipEffect]:
        """Everything put in since the last take."""
        effects, self._effects = self._effects, []
        return effects
