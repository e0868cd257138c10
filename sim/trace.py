"""The hash of everything that happened: equal hashes mean equal runs, in whatever process."""

from __future__ import annotations

import hashlib

from mesh.gossip.events import MessageReceived, Send
from mesh.member.events import Answer, MemberEffect, MemberEvent, Persist


class Trace:
    """A running SHA-256 over events and effects, with their times and machines."""

    def __init__(self) -> None:
        self.events = 0
        self._hash = hashlib.sha256()

    def note(self, at_s: float, machine: str, what: str) -> None:
        """One thing that happened."""
        self.events += 1
        self._hash.update(f"{at_s:.9f} {machine} {what}\n".encode())

    def event(self, at_s: float, machine: str, event: MemberEvent) -> None:
        """A member takes this in."""
        if isinstance(event, MessageReceived):
            self.note(at_s, machine, f"got {event.link}")
            self._hash.update(event.data)
        else:
            self.note(at_s, machine, repr(event))

    def effect(self, at_s: float, machine: str, effect: MemberEffect) -> None:
        """A member asks for this."""
        if isinstance(effect, Send):
            self.note(at_s, machine, f"send {effect.link} {effect.bulk}")
            self._hash.update(effect.data)
        elif isinstance(effect, Persist):
            self.note(at_s, machine, f"persist {effect.token}")
            for envelope in effect.envelopes:
                self._hash.update(envelope.hash)
        elif isinstance(effect, Answer):
            # A reading holds sets, whose order no two processes share; what it says, the logs say.
            self.note(at_s, machine, f"answer {effect.token} {type(effect.answer).__name__}")
        else:
            self.note(at_s, machine, repr(effect))

    def digest(self) -> str:
        """The hash up to now, in hexadecimal digits."""
        return self._hash.hexdigest()
