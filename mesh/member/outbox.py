"""What a member asks for while it handles one batch of events.

Told implies durable (I3): what must wait for the records written so far is held; the member gives
it out once their flush is reported.
"""

from __future__ import annotations

from collections.abc import Iterable

from mesh.member.events import MemberEffect


class Outbox:
    """Effects of this batch: those for now, and those behind the next flush."""

    def __init__(self) -> None:
        self._now: list[MemberEffect] = []
        self._held: list[MemberEffect] = []

    def send(self, *effects: MemberEffect) -> None:
        """Perform at once: nothing that is not on disk can be read out of it."""
        self._now.extend(effects)

    def hold(self, *effects: MemberEffect) -> None:
        """Perform when everything written up to now is on disk."""
        self._held.extend(effects)

    def take(self) -> list[MemberEffect]:
        """What is to be performed at once."""
        taken, self._now = self._now, []
        return taken

    def take_held(self) -> list[MemberEffect]:
        """What waits for a flush."""
        taken, self._held = self._held, []
        return taken

    def extend(self, effects: Iterable[MemberEffect]) -> None:
        """Perform these at once."""
        self._now.extend(effects)
