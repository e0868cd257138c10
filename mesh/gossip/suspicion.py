"""How long a suspicion lasts: Lifeguard's timer, ending the sooner the more members share it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from scheduler.ids import NodeId


@dataclass(slots=True)
class Suspicion:
    """One member's time to refute: from `max_s` with one suspecter down to `min_s`."""

    since_s: float
    min_s: float
    max_s: float
    confirmations_wanted: int
    """Suspecters beside the first that bring it down to `min_s`; 0 where so many cannot be."""
    authors: list[NodeId] = field(default_factory=list)
    ours: bool = False
    """We suspect it too: our own probe failed or our link to it broke."""
    held_until_s: float | None = None
    """The verdict is held back once: so many are lost that we may be the one that is cut off."""

    def confirm(self, author: NodeId) -> bool:
        """One more suspecter; False when it is none or its voice no longer matters."""
        if author in self.authors or len(self.authors) > self.confirmations_wanted:
            return False
        self.authors.append(author)
        return True

    @property
    def ends_s(self) -> float:
        """When the verdict falls."""
        if self.held_until_s is not None:
            return self.held_until_s
        if self.confirmations_wanted == 0:
            return self.since_s + self.min_s
        share = math.log(max(1, len(self.authors))) / math.log(self.confirmations_wanted + 1)
        return self.since_s + max(self.min_s, self.max_s - (self.max_s - self.min_s) * share)
