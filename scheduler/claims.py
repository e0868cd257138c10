"""What owners said of one job: claims, stops of attempts, timeouts that ran out.

An owner's word counts once its claim on the job is known, whichever of the two comes first.
"""

from __future__ import annotations

from scheduler.ids import AttemptId, Dot, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import Expiry, StopReason

ONLY_BEFORE_IT_BEGINS = frozenset({StopReason.WITHDRAWN.value, StopReason.LOST.value})
"""Stops that mean nothing to an attempt whose node has taken it."""

_Said = tuple[Hlc, Dot, str, Dot | None]
"""When, by which record, for which reason, and the record that caused it."""


class Claims:
    """The owners of one job, present and past, and what they asked for."""

    __slots__ = ("_claims", "_expiries", "_stops", "greatest")

    def __init__(self) -> None:
        self.greatest: tuple[int, NodeId] | None = None
        """The greatest (term, owner id): the fence."""
        self._claims: tuple[tuple[int, NodeId], ...] = ()
        """Nearly always one, and kept for every job there is: a set takes four times the room."""
        self._stops: dict[AttemptId, list[_Said]] = {}
        self._expiries: dict[Dot, list[_Said]] = {}

    def add(self, claim: tuple[int, NodeId]) -> list[AttemptId]:
        """A node claimed a term; the attempts that it had asked to stop."""
        if claim not in self._claims:
            self._claims += (claim,)
        self.greatest = claim if self.greatest is None else max(self.greatest, claim)
        return [
            attempt
            for attempt, asked in self._stops.items()
            if any(dot.author == claim[1] for _, dot, _, _ in asked)
        ]

    def __contains__(self, claim: tuple[int, NodeId]) -> bool:
        return claim in self._claims

    def ask_stop(
        self, attempt: AttemptId, hlc: Hlc, dot: Dot, reason: str, *, cause: Dot | None = None
    ) -> None:
        """The author of this record wants an attempt to stop, because of what `cause` says."""
        self._stops.setdefault(attempt, []).append((hlc, dot, reason, cause))

    def stop_reason(self, attempt: AttemptId) -> str:
        """Why an attempt is to stop, "" when it is not: the earliest stop that counts.

        One that ends only what has not begun gives way to any other reason.
        """
        asked = self._counted(self._stops.get(attempt, []))
        first = min(asked, key=lambda said: (said[2] in ONLY_BEFORE_IT_BEGINS, said), default=None)
        return "" if first is None else first[2] or "asked"

    def given_up(self, attempt: AttemptId) -> frozenset[Dot]:
        """Which records of an attempt were the last known when an owner gave it up for lost."""
        asked = self._counted(self._stops.get(attempt, []))
        return frozenset(one for *_, reason, one in asked if reason == StopReason.LOST and one)

    def expire(self, version: Dot, hlc: Hlc, dot: Dot, reason: str) -> None:
        """The author of this record found that a version is over: out of time, or out of hope."""
        self._expiries.setdefault(version, []).append((hlc, dot, reason, None))

    def expired(self, version: Dot) -> tuple[Dot, Expiry] | None:
        """The record that ends a version, and the reason it names.

        A total timeout goes before any other, then the earliest. What a later release may name
        counts as a timeout in the queue.
        """
        if version not in self._expiries:
            return None
        written = self._counted(self._expiries[version])
        total = Expiry.TOTAL_TIMEOUT.value
        first = min(written, key=lambda said: (said[2] != total, said), default=None)
        if first is None:
            return None
        known = first[2] in Expiry._value2member_map_
        return first[1], Expiry(first[2]) if known else Expiry.QUEUE_TIMEOUT

    def _counted(self, said: list[_Said]) -> list[_Said]:
        claimants = {node for _, node in self._claims}
        return [one for one in said if one[1].author in claimants]
