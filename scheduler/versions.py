"""One version of a job, as far as folding and deciding need it: all but its spec."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.ids import Digest, Dot, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import Expiry
from scheduler.records import Record


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of a job: all that the fold and the decision read of it but the spec."""

    dot: Dot
    number: int
    type: str
    count: int
    priority: int
    spec: Digest
    retry_attempts: int
    retry_program: bool
    seen_stops: frozenset[Dot]
    queue_timeout_s: int
    """0 for none, as the next."""
    total_timeout_s: int
    hlc: Hlc
    author: NodeId

    @classmethod
    def of_record(cls, dot: Dot, record: Record) -> VersionView:
        """The version that a `version_added` makes."""
        body = record.body
        return cls(
            dot=dot,
            number=body["number"],
            type=body["type"],
            count=body["count"],
            priority=body["priority"],
            spec=body["spec"],
            retry_attempts=body["retry_attempts"],
            retry_program=bool(body["retry_program"]),
            seen_stops=frozenset(body["seen_stops"]),
            queue_timeout_s=body["queue_timeout_s"],
            total_timeout_s=body["total_timeout_s"],
            hlc=record.hlc,
            author=dot.author,
        )

    def order(self) -> tuple[int, Hlc, Dot]:
        """The winning version is the one of the greatest."""
        return (self.number, self.hlc, self.dot)

    def limit_s(self, expiry: Expiry) -> int:
        """The seconds of this timeout; 0 for none."""
        in_queue = expiry is Expiry.QUEUE_TIMEOUT
        return self.queue_timeout_s if in_queue else self.total_timeout_s
