from __future__ import annotations

import pytest

from mesh.ledger.envelope import StoredEnvelope
from mesh.member.commands import IntentTaken, ListJobs
from mesh.member.events import Persist
from scheduler.ids import AttemptId, Dot, NodeId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState
from scheduler.records import Kind, Record
from sim.judges.intents import DRAINED_S, Intents
from sim.watcher import Wrong
from sim.world import Ask, script
from tests.sim.judges.judged import Judged

CORDONED, DRAINED = "cordoned", "draining"


class Rig(Judged[Intents]):
    """Two machines that have met, and the judge; then words put in their mouths."""

    def __init__(self) -> None:
        super().__init__(Intents)
        self._seq = 900

    def node(self, name: str) -> NodeId:
        return self.machine(name).node

    def wanted(self, of: str, intent: str, *, at: str = "a", deadline_s: int = 0) -> None:
        self.world.wait(self.world.intend(at, of, intent, deadline_s=deadline_s), 5.0)
        self.world.advance(1.0)

    def writes(self, name: str, *told: tuple[str, Kind, dict[str, object]]) -> None:
        """This machine's disk takes records of these authors, in one write."""
        envelopes = []
        for author, kind, body in told:
            self._seq += 1
            machine = self.machine(author)
            digest = f"{self._seq}".encode()
            epoch = machine.running.boot
            envelope = StoredEnvelope(machine.node, epoch, self._seq, 1, digest, b"")
            record = Record(kind, Hlc(1), None, body)
            self.oracle._read[digest] = ((Dot(machine.node, epoch, self._seq), record),)
            envelopes.append(envelope)
        self.judge.written(self.machine(name), Persist(1, tuple(envelopes)))

    def places(self, author: str, on: str, attempt: str = "e-1") -> tuple[str, Kind, dict]:
        return author, Kind.ATTEMPT_PLACED, {"attempt": attempt, "node": self.node(on)}

    def accepts(self, author: str, attempt: str = "e-1") -> tuple[str, Kind, dict]:
        state = int(AttemptState.ACCEPTED)
        return author, Kind.ATTEMPT_OBSERVED, {"attempt": AttemptId(attempt), "state": state}

    def says(self, author: str, of: str, intent: str, number: int) -> tuple[str, Kind, dict]:
        body = {"node": self.node(of), "number": number, "intent": intent}
        return author, Kind.NODE_INTENT, body


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("intent", [CORDONED, DRAINED])
def test_a_placement_on_a_machine_that_is_known_to_be_closed(rig: Rig, intent: str) -> None:
    rig.writes("a", rig.places("a", "b"))
    rig.wanted("b", intent)
    with pytest.raises(Wrong, match=f"I21: a places e-1 on .*, and knew that it was {intent}"):
        rig.writes("a", rig.places("a", "b"))
    rig.writes("a", rig.places("a", "a"))
    rig.writes("a", rig.places("b", "b"))  # another's word: it may not have heard


def test_a_word_that_comes_with_the_placement_may_have_been_heard_or_not(rig: Rig) -> None:
    rig.writes("a", rig.says("b", "b", "cordon", 1), rig.places("a", "b"))
    rig.writes("a", rig.says("b", "b", "none", 2), rig.places("a", "b"))
    rig.writes("a", rig.places("a", "b"))


def test_what_came_to_a_cordoned_machine_is_not_begun_and_what_waited_is(rig: Rig) -> None:
    rig.writes("b", rig.places("a", "b", "e-early"))
    rig.wanted("b", CORDONED)
    rig.writes("b", rig.accepts("b", "e-early"))
    rig.writes("b", rig.places("a", "b", "e-late"))
    with pytest.raises(Wrong, match="I21: b accepts e-late, and knew that it was cordoned"):
        rig.writes("b", rig.accepts("b", "e-late"))
    rig.wanted("b", "")
    rig.wanted("b", CORDONED)
    rig.writes("b", rig.accepts("b", "e-late"))  # it may have waited since it was open


def test_a_drained_machine_begins_nothing(rig: Rig) -> None:
    rig.writes("b", rig.places("a", "b"))
    rig.wanted("b", DRAINED)
    with pytest.raises(Wrong, match="I21: b accepts e-1, and knew that it was draining"):
        rig.writes("b", rig.accepts("b"))


def test_a_drained_machine_that_is_not_empty_in_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.member.compute.Compute._watch_drain", lambda *_: None)
    rig.world.wait(rig.world.submit("a", script("one", duration_ms=90_000, count=4)), 5.0)
    rig.world.advance(1.0)
    rig.wanted("b", DRAINED, deadline_s=3)
    rig.judge.looked(rig.world)
    rig.world.advance(3.0 + DRAINED_S)
    rig.judge.looked(rig.world)
    rig.world.advance(1.0)
    with pytest.raises(Wrong, match="I21: b was to be empty within 3 s and has 2 attempts 9 s"):
        rig.judge.looked(rig.world)


def test_a_halted_machine_has_its_time_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.member.compute.Compute._watch_drain", lambda *_: None)
    rig.world.wait(rig.world.submit("a", script("one", duration_ms=90_000, count=4)), 5.0)
    rig.wanted("b", DRAINED)
    rig.judge.looked(rig.world)
    rig.world.stall("b")
    rig.world.advance(2 * DRAINED_S)
    rig.judge.looked(rig.world)
    rig.world.resume("b")
    rig.judge.looked(rig.world)


def test_a_yes_that_is_not_on_the_disk(rig: Rig) -> None:
    rig.wanted("b", CORDONED)
    taken = IntentTaken(rig.node("b"), CORDONED)
    rig.judge.answered(rig.machine("a"), Ask("a", ListJobs(), 0.0, taken))
    for answer in (IntentTaken(rig.node("b"), DRAINED), IntentTaken(rig.node("a"), CORDONED)):
        with pytest.raises(Wrong, match=r"I3: a took a word about .*, not on its disk"):
            rig.judge.answered(rig.machine("a"), Ask("a", ListJobs(), 0.0, answer))


def test_the_last_word_is_held_by_all_in_the_end(rig: Rig) -> None:
    rig.wanted("b", CORDONED)
    rig.judge.at_rest(rig.world)
    rig.writes("b", rig.says("b", "b", "none", 2))
    with pytest.raises(Wrong, match=r"I21: a lacks the last word about .*: none"):
        rig.judge.at_rest(rig.world)


def test_an_old_disk_knows_what_it_knew(rig: Rig) -> None:
    rig.wanted("b", CORDONED)
    writes = len(rig.machine("a").drive.disk.written())
    assert rig.judge.standing(rig.machine("a"), rig.node("b")) == CORDONED
    rig.world.crash("a")
    rig.judge.rolled_back(rig.machine("a"))
    assert rig.judge.standing(rig.machine("a"), rig.node("b")) == CORDONED
    rig.world.roll_back("a", writes)
    assert rig.judge.standing(rig.machine("a"), rig.node("b")) == ""
