"""Bugs put in on purpose, to see that the judges see: each is found within 20 seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from mesh.member.compute import Compute
from mesh.member.events import Persist
from mesh.member.member import Member
from mesh.member.outbox import Outbox
from scheduler.ids import random_attempt_id
from scheduler.instant import Instant
from scheduler.records import Kind
from scheduler.slots import SlotTable
from sim.faults import Fault, draw
from sim.trial import Outcome, Trial

REQUIRED = (Fault.LOSS, Fault.SPLIT, Fault.CRASH, Fault.TWINS)

pytestmark = pytest.mark.slow


class SendsBeforeTheFlush(Member):
    """Tells peers what it has only asked to be written."""

    def end_tick(self, now):
        effects = super().end_tick(now)
        early = []
        for one in effects:
            if isinstance(one, Persist):
                own = [stored.data for stored in one.envelopes if stored.author == self.node]
                early += self.gossip.broadcast(own, (), now)
        return early + effects


class _HoldsNothing(Outbox):
    def hold(self, *effects):
        self.send(*effects)


class AnswersBeforeTheFlush(Member):
    """Lets everything out that should wait for the disk."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.outbox = self.compute._outbox = _HoldsNothing()


class TellsHeadsBeforeTheFlush(Member):
    """Believes that what has come is held."""

    def _received(self, link, received, now):
        super()._received(link, received, now)
        for one in received.appended:
            self.gossip.context_changed(one.author, one.epoch, one.last_seq, one.hash)


class ForgetsAtRestart(Member):
    """Leaves out the last thing that its disk holds."""

    def __init__(self, *, restored, **others):
        super().__init__(restored=replace(restored, envelopes=restored.envelopes[:-1]), **others)


class KeepsNoOldLogs(Member):
    """Restores only what it wrote itself."""

    def __init__(self, *, restored, trust, **others):
        own = tuple(one for one in restored.envelopes if one.author == trust.own.node)
        super().__init__(restored=replace(restored, envelopes=own), trust=trust, **others)


class NeverPulls(Member):
    """Takes what is sent to it and asks for nothing."""

    def _route(self, effects, now):
        kept = [one for one in effects if type(one).__name__ != "PullAsked"]
        super()._route(kept, now)


@pytest.mark.parametrize(
    ("member", "outcome", "invariant"),
    [
        (SendsBeforeTheFlush, Outcome.WRONG, "I3"),
        (AnswersBeforeTheFlush, Outcome.WRONG, "I3"),
        (TellsHeadsBeforeTheFlush, Outcome.WRONG, "I3"),
        (ForgetsAtRestart, Outcome.WRONG, "I4"),
        (KeepsNoOldLogs, Outcome.WRONG, "I4"),
        (NeverPulls, Outcome.STUCK, ""),
    ],
)
def test_a_planted_bug_is_found(
    member: Callable[..., Member], outcome: Outcome, invariant: str
) -> None:
    _find(outcome, invariant, member)


class PlacesTwice(Member):
    """Places every slot once more, elsewhere, as an owner may that doubts the first: no bug."""

    def end_tick(self, now):
        for attempt in list(self.facts.view.attempts.values()):
            job = self.facts.view.jobs[attempt.job]
            alone = len(job.slot_attempts(attempt.version, attempt.index)) == 1
            others = [
                one.node
                for one in self.facts.readings.values()
                if one.reachable and one.node != attempt.node
            ]
            if attempt.owner == self.node and alone and others and not job.stopped():
                self._place_again(attempt, min(others), now)
        return super().end_tick(now)

    def _place_again(self, attempt, node, now):
        body = {
            "job": attempt.job,
            "birth": self.facts.view.jobs[attempt.job].birth,
            "attempt": random_attempt_id(self.facts.random),
            "version": attempt.version,
            "index": attempt.index,
            "number": 2,
            "term": attempt.term,
            "node": node,
            "score": 0,
            "next_best": (),
            "refusals": {},
            "reasons": {},
        }
        self.facts.write(Kind.ATTEMPT_PLACED, body, now)


@pytest.mark.parametrize("seed", range(1, 6))
def test_of_two_results_the_same_one_is_accepted_everywhere(seed: int) -> None:
    trial = Trial(draw(seed, require=REQUIRED), PlacesTwice)
    verdict = trial.run()
    assert verdict.outcome is Outcome.RIGHT, verdict.sentence
    placed = trial.oracle.placed
    slots = Counter(
        (placed[attempt].version, placed[attempt].index) for attempt, _ in trial.oracle.succeeded
    )
    assert max(slots.values()) > 1, "no slot had two results: nothing was shown"


def test_accepting_by_arrival_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_heard(table: SlotTable, index: int) -> object:
        done = [one for one in table._attempts.get(index, ()) if one.completed_hlc]
        return done[0] if done else None

    monkeypatch.setattr(SlotTable, "accepted", first_heard)
    _find(Outcome.WRONG, "I", PlacesTwice)


def test_forgetting_what_a_crash_cut_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(compute: Compute, now: Instant) -> None:
        """Says nothing about what an earlier boot ran."""

    monkeypatch.setattr(Compute, "restart", silent)
    _find(Outcome.WRONG, "I16")


def _find(outcome: Outcome, invariant: str, member: Callable[..., Member] = Member) -> None:
    for seed in range(1, 21):
        plan = draw(seed, require=REQUIRED)
        verdict = Trial(plan, member).run()
        if verdict.outcome is not Outcome.RIGHT:
            assert verdict.outcome is outcome, verdict.sentence
            assert verdict.sentence.startswith(invariant), verdict.sentence
            return
    pytest.fail("20 seeds saw nothing")
