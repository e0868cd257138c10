"""Bugs put in on purpose, to see that the judges see: each is found within 20 seeds, or 200."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

import pytest

import mesh.member.absence
import mesh.member.compute
import mesh.member.seen
import scheduler.attempts
import scheduler.feasibility
import scheduler.lifecycle
import scheduler.reconcile
import scheduler.slots
from mesh.member.absence import Absence
from mesh.member.compute import Compute
from mesh.member.events import Persist
from mesh.member.facts import Facts
from mesh.member.member import Member
from mesh.member.outbox import Outbox
from scheduler.ids import AttemptId, Dot, NodeId
from scheduler.instant import Instant
from scheduler.intents import NONE, Intents
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, Failure, Observation, Refusal
from scheduler.lifecycle import SlotState, Tried, slot_state
from scheduler.records import Record
from scheduler.settled import is_settled
from scheduler.slots import SlotTable
from sim.drawing import draw
from sim.faults import Fault, Intend, Plan, Split, Submit
from sim.sometimes import Path
from sim.trial import Outcome, Trial
from sim.world import WorldSettings, script

REQUIRED = (Fault.LOSS, Fault.SPLIT, Fault.CRASH, Fault.TWINS)
OPERATED = (*REQUIRED, Fault.CORDONS, Fault.DRAINS)
TWO_RESULTS = Plan(
    WorldSettings(1, ("a", "b", "c")),
    30.0,
    (Fault.SPLIT,),
    (
        Submit(1.0, "a", script("one", duration_ms=12_000, count=3)),
        Split(3.0, (("a",), ("b",), ("c",)), 25.0),
    ),
)
"""Each part of a split replaces what it cannot reach, and finishes it."""
DRAINED_OFTEN = Plan(
    WorldSettings(1, ("a", "b")),
    20.0,
    (Fault.DRAINS,),
    (
        Submit(1.0, "a", script("one", duration_ms=10_000)),
        *(
            Intend(2.0 * time + (0.0 if intent else 1.0), "a", node, intent)
            for time in range(1, 6)
            for intent in ("draining", "")
            for node in ("a", "b")
        ),
    ),
)
"""What runs is moved five times, and has three attempts."""

Claim = tuple[int, NodeId]

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
        (NeverPulls, Outcome.WRONG, "I13"),
    ],
)
def test_a_planted_bug_is_found(
    member: Callable[..., Member], outcome: Outcome, invariant: str
) -> None:
    _find(outcome, invariant, member)


def test_of_two_results_the_same_one_is_accepted_everywhere() -> None:
    """Both sides of a split finish one slot; I5 is judged against the first success on any disk."""
    verdict = Trial(TWO_RESULTS).run()
    assert verdict.outcome is Outcome.RIGHT, verdict.sentence
    assert verdict.sometimes[Path.DUPLICATE.name], "no slot had two results: nothing was shown"


def test_accepting_by_arrival_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_heard(table: SlotTable, index: int) -> object:
        done = [one for one in table._attempts.get(index, ()) if one.completed_hlc]
        return done[0] if done else None

    monkeypatch.setattr(SlotTable, "accepted", first_heard)
    verdict = Trial(TWO_RESULTS).run()
    assert verdict.outcome is Outcome.WRONG
    assert verdict.sentence.startswith(("I1:", "I2:", "I5:", "I6:", "I20:")), verdict.sentence


def test_a_fence_compared_by_term_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_term(claim: Claim, greatest: Claim | None) -> bool:
        return greatest is not None and claim[0] < greatest[0]

    monkeypatch.setattr(mesh.member.compute, "is_stale", by_term)
    _find(Outcome.WRONG, "I12", seeds=200)


def test_a_fence_that_is_not_checked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh.member.compute, "is_stale", lambda claim, greatest: False)
    _find(Outcome.WRONG, "I12")


def test_an_owner_that_does_not_yield_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def while_we_rank_first(absence: Absence, job: JobView, now: Instant) -> bool:
        return job.owner is None or job.owner[1] != absence._facts.node

    monkeypatch.setattr(Absence, "owner_is_gone", while_we_rank_first)
    _find(Outcome.WRONG, "I13")


def test_a_stop_that_loses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobView, "stopped", lambda job: False)
    _find(Outcome.WRONG, "I11", seeds=200, require=(*REQUIRED, Fault.STOPS))


def test_an_end_that_does_not_stick_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.attempts, "join_key", lambda state, epoch, seq: (0, epoch, seq))
    _find(Outcome.WRONG, "I", seeds=200, require=(*REQUIRED, Fault.OLD_DISK))


def test_a_slot_replaced_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = scheduler.reconcile._is_lost

    def any_is_late(job: JobView, index: int, overdue: frozenset[AttemptId]) -> bool:
        assert job.version is not None
        live = [one for one in job.slot_attempts(job.version.dot, index) if one.live]
        late = [one for one in live if one.id in overdue]
        return lost(job, index, overdue) or 0 < len(late) < len(live) < 4

    monkeypatch.setattr(scheduler.reconcile, "_is_lost", any_is_late)
    _find(Outcome.WRONG, "I14")


def test_settled_without_one_member_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_the_last(job, contexts, members, *, held):
        return is_settled(job, contexts, list(members)[:-1], held=held)

    monkeypatch.setattr(mesh.member.seen, "is_settled", without_the_last)
    _find(Outcome.WRONG, "I20")


def test_a_takeover_without_waiting_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh.member.absence, "takeover_wait_s", lambda base_s, term: 0.0)
    _find(Outcome.WRONG, "I13")


def test_refusals_that_cost_a_retry_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    derive = slot_state

    def costly(attempts: Iterable[Tried], **retry: Any) -> SlotState:
        def failed(one: Tried) -> Tried:
            refused = one.observation.state is AttemptState.REFUSED
            told = Observation(AttemptState.FAILED, Failure.NODE_RESTART.value)
            return one._replace(observation=told) if refused else one

        return derive([failed(one) for one in attempts], **retry)

    monkeypatch.setattr(scheduler.slots, "slot_state", costly)
    _find(Outcome.WRONG, "I16", seeds=200)


def test_forgetting_what_a_crash_cut_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(compute: Compute, now: Instant) -> None:
        """Says nothing about what an earlier boot ran."""

    monkeypatch.setattr(Compute, "restart", silent)
    _find(Outcome.WRONG, "I16")


def test_work_for_a_machine_that_is_known_to_be_closed_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = (Refusal.CORDONED, Refusal.DRAINING)
    blind = tuple(one for one in scheduler.feasibility.CHECKS if one.refusal not in closed)
    monkeypatch.setattr(scheduler.feasibility, "CHECKS", blind)
    _find(Outcome.WRONG, "I21", require=OPERATED)


def test_a_machine_that_takes_work_while_it_is_closed_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admit = Compute._admit

    def blind(*told: Any) -> None:
        with monkeypatch.context() as inner:
            inner.setattr(Facts, "intent_of", lambda facts, node: "")
            admit(*told)

    monkeypatch.setattr(Compute, "_admit", blind)
    _find(Outcome.WRONG, "I21", require=OPERATED)


def test_a_drain_that_waits_for_ever_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Compute._watch_drain

    def patient(compute: Compute, dot: Dot, allowed_s: float, now: Instant) -> None:
        watch(compute, dot, 3600.0, now)

    monkeypatch.setattr(Compute, "_watch_drain", patient)
    _find(Outcome.WRONG, "I21", seeds=200, require=OPERATED)


def test_a_machine_that_stays_closed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Intents.add

    def but_opened(intents: Intents, dot: Dot, record: Record) -> None:
        if record.body["intent"] != NONE:
            add(intents, dot, record)

    monkeypatch.setattr(Intents, "add", but_opened)
    _find(Outcome.WRONG, "I21", require=OPERATED)


def test_a_drain_that_costs_a_retry_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Trial(DRAINED_OFTEN).run().outcome is Outcome.RIGHT
    monkeypatch.setattr(scheduler.lifecycle, "_NOT_ITS_FAULT", frozenset())
    verdict = Trial(DRAINED_OFTEN).run()
    assert (verdict.outcome, verdict.sentence[:4]) == (Outcome.WRONG, "I16:"), verdict.sentence


def _find(
    outcome: Outcome,
    invariant: str,
    member: Callable[..., Member] = Member,
    *,
    seeds: int = 20,
    require: Collection[Fault] = REQUIRED,
) -> None:
    for seed in range(1, seeds + 1):
        verdict = Trial(draw(seed, require=require), member).run()
        if verdict.outcome is not Outcome.RIGHT:
            assert verdict.outcome is outcome, verdict.sentence
            assert verdict.sentence.startswith(invariant), verdict.sentence
            print(f"found by seed {seed}: {verdict.sentence}")
            return
    pytest.fail(f"{seeds} seeds saw nothing")
