from __future__ import annotations

from typing import Any

import pytest

from mesh.gossip.events import Dial, LinkId, MessageReceived, Send, TimerFired
from mesh.ledger.ledger import StoredEnvelope
from mesh.member.commands import StopTaken
from mesh.member.events import Answer, Flushed, Persist
from scheduler.ids import JobId, NodeId
from sim.trace import Trace


def _stored(digest: bytes) -> StoredEnvelope:
    return StoredEnvelope(NodeId("n"), 1, 1, 1, digest, b"")


EVENTS = [
    MessageReceived(LinkId(1), b"a"),
    MessageReceived(LinkId(1), b"b"),
    MessageReceived(LinkId(2), b"b"),
    TimerFired(("t",), 1.0),
    TimerFired(("t",), 2.0),
    Flushed(1),
]
EFFECTS = [
    Send(LinkId(1), b"a"),
    Send(LinkId(1), b"b"),
    Send(LinkId(1), b"b", bulk=True),
    Dial("here"),
    Persist(1, (_stored(b"1"),)),
    Persist(1, (_stored(b"2"),)),
    Answer(1, StopTaken(JobId("j"))),
]


def _digest(*, at_s: float = 1.0, machine: str = "a", event: Any = None) -> str:
    trace = Trace()
    take = trace.event if event in EVENTS else trace.effect
    take(at_s, machine, event)
    return trace.digest()


def test_every_difference_shows() -> None:
    digests = {_digest(event=one) for one in [*EVENTS, *EFFECTS]}
    digests |= {_digest(event=EVENTS[0], at_s=1.000001), _digest(event=EVENTS[0], machine="b")}
    assert len(digests) == len(EVENTS) + len(EFFECTS) + 2


@pytest.mark.parametrize("event", [*EVENTS, *EFFECTS], ids=lambda one: type(one).__name__)
def test_the_same_is_the_same(event: object) -> None:
    assert _digest(event=event) == _digest(event=event)


def test_order_shows_and_is_counted() -> None:
    one, other = Trace(), Trace()
    one.note(1.0, "a", "x")
    one.note(1.0, "a", "y")
    other.note(1.0, "a", "y")
    other.note(1.0, "a", "x")
    assert one.digest() != other.digest()
    assert one.events == 2
