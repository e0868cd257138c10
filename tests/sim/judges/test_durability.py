from __future__ import annotations

from dataclasses import replace

import pytest

from mesh.gossip.events import LinkId, Send
from mesh.gossip.messages import Blobs, Envelopes, Head, Heads, Message, encode
from mesh.member.commands import JobReading, JobsPage, ListJobs, Reply, StopTaken, Submitted
from scheduler.ids import JobId
from sim.judges.durability import Durability
from sim.watcher import Wrong
from sim.world import Ask
from tests.sim.judges.judged import Judged

JOB = JobId("j-00000000-0000-0000-0000-000000000000")


class Rig(Judged[Durability]):
    """Two machines at rest after one job, and the judge that saw it."""

    def __init__(self) -> None:
        super().__init__(Durability)
        self.run_one()
        self.a = self.machine("a")

    def send(self, message: Message) -> None:
        self.judge.sent(self.a, Send(LinkId(1), encode(message)))

    def answer(self, reply: Reply) -> None:
        self.judge.answered(self.a, Ask("a", ListJobs(), 0.0, reply))

    def reading(self) -> JobReading:
        ask = self.world.read("a", "one")
        self.world.wait(ask, 5.0)
        assert isinstance(ask.answer, JobReading)
        return ask.answer

    def head(self) -> Head:
        (author, epoch), (seq, head) = next(iter(self.a.running.ledger.context().items()))
        return Head(author, epoch, seq, head)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_what_is_on_the_disk_may_be_told(rig: Rig) -> None:
    head = rig.head()
    rig.send(Heads((head,)))
    window = rig.a.running.ledger.window(head.author, head.epoch, 1)
    rig.send(Envelopes(tuple(window), True))
    rig.answer(rig.reading())
    rig.judge.at_rest(rig.world)
    assert len(rig.judge.acknowledged) == 1


def test_a_head_beyond_the_disk(rig: Rig) -> None:
    head = rig.head()
    for told in (head._replace(seq=head.seq + 1), head._replace(head=bytes(32))):
        with pytest.raises(Wrong, match="I3: a tells a head"):
            rig.send(Heads((told,)))


def test_an_envelope_that_is_not_on_the_disk(rig: Rig) -> None:
    head = rig.head()
    rig.oracle.on(rig.a).ends.clear()
    window = rig.a.running.ledger.window(head.author, head.epoch, 1)
    with pytest.raises(Wrong, match="I3: a sends an envelope"):
        rig.send(Envelopes(tuple(window), False))


def test_a_blob_that_is_not_on_the_disk(rig: Rig) -> None:
    with pytest.raises(Wrong, match="I3: a sends a blob"):
        rig.send(Blobs((b"unheard of",)))


@pytest.mark.parametrize("reply", [Submitted(JOB), StopTaken(JOB)], ids=["submit", "stop"])
def test_a_yes_that_is_not_on_the_disk(rig: Rig, reply: Reply) -> None:
    with pytest.raises(Wrong, match=r"I3: a .* not on its disk"):
        rig.answer(reply)


def test_a_reading_of_more_than_the_disk_holds(rig: Rig) -> None:
    ahead = replace(rig.reading(), revision=99)
    for reply in (ahead, JobsPage((ahead,), "")):
        with pytest.raises(Wrong, match="I3: a answers from 99 records"):
            rig.answer(reply)


def test_a_start_without_what_the_disk_holds(rig: Rig) -> None:
    rig.judge.started(rig.a)
    seqs = rig.oracle.on(rig.a).seqs
    seqs[next(iter(seqs))] += 1
    with pytest.raises(Wrong, match="I4: a started with"):
        rig.judge.started(rig.a)


def test_what_was_acknowledged_and_is_gone(rig: Rig) -> None:
    rig.judge.acknowledged[JOB] = "b"
    rig.judge.at_rest(rig.world)  # Nobody who is up holds it: that is excused.
    rig.oracle.held["b"].births[JOB] = None
    with pytest.raises(Wrong, match=r"I4: b acknowledged .* a does not know it"):
        rig.judge.at_rest(rig.world)


def test_a_stop_that_was_taken_and_is_gone(rig: Rig) -> None:
    rig.judge.stopped[rig.reading().id] = "b"
    rig.judge.at_rest(rig.world)
    rig.oracle.held["b"].stops[rig.reading().id] = None
    with pytest.raises(Wrong, match="I4: b took a stop"):
        rig.judge.at_rest(rig.world)
