from __future__ import annotations

from mesh.gossip import messages
from mesh.gossip.events import Dial, LinkId, Send, StartTimer
from mesh.gossip.outbox import Outbox

NACK = messages.encode(messages.Nack(1))


def test_effects_come_out_once_and_in_order() -> None:
    outbox = Outbox()
    outbox.send(LinkId(1), messages.Nack(1), bulk=True)
    outbox.tell(Dial("x:1"))
    outbox.wake(5.0, "probe", "3")
    assert outbox.take() == [
        Send(LinkId(1), NACK, bulk=True),
        Dial("x:1"),
        StartTimer(("gossip", "probe", "3"), 5.0),
    ]
    assert outbox.take() == []


def test_everything_sent_is_counted() -> None:
    outbox = Outbox()
    outbox.send_all([LinkId(1), LinkId(2)], messages.Nack(1))
    outbox.count("refused")
    outbox.count("refused")
    assert outbox.counters == {"messages_sent": 2, "bytes_sent": 2 * len(NACK), "refused": 2}
