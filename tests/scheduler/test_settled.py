"""What an answer rests on, and when it can change no more."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import settled
from scheduler.ids import AttemptId, Dot, NodeId
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, Expiry, JobState
from scheduler.settled import is_settled, rests_on
from tests.scheduler.histories import (
    ANN,
    BEN,
    CAT,
    JOB,
    Fact,
    Ledger,
    attempt_id,
    fold,
    random_history,
)

A = AttemptState
Context = dict[tuple[NodeId, int], int]


def context_of(facts: list[Fact]) -> Context:
    """How far each log is held by who holds these."""
    held: Context = {}
    for dot, _ in facts:
        held[dot.author, dot.epoch] = max(dot.seq, held.get((dot.author, dot.epoch), 0))
    return held


def settled_for(ledger: Ledger, *others: Context) -> bool:
    """Settled for ANN, who holds everything, with BEN and CAT saying so."""
    held = context_of(ledger.facts)
    seen = dict(zip((BEN, CAT), others, strict=False)) | {ANN: held}
    return is_settled(ledger.view().jobs[JOB], seen, [ANN, BEN, CAT], held=held)


def one_success() -> tuple[Ledger, Dot, Dot]:
    """A job of one slot that BEN has finished: its birth, and the record of the success."""
    ledger = Ledger()
    birth, version = ledger.started()
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.RUNNING)
    return ledger, birth, ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)


def test_a_success_is_what_a_done_slot_rests_on_and_the_earliest_of_them() -> None:
    ledger, birth, success = one_success()
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    assert rests_on(ledger.view().jobs[JOB]) == (success,)


def test_other_slots_rest_on_the_stop_else_the_expired_record_else_what_used_up_the_retries() -> (
    None
):
    ledger = Ledger()
    birth, version = ledger.started(count=3, retry_attempts=2)
    for number, index in ((1, 0), (2, 1), (3, 1), (4, 1)):
        ledger.place(birth, version, attempt_id(number), BEN, index=index, number=number)
    success = ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    ledger.observe(birth, attempt_id(2), BEN, A.REFUSED, reason="capacity")
    failures = [
        ledger.observe(birth, attempt_id(number), BEN, A.FAILED, reason="engine")
        for number in (3, 4)
    ]
    job = ledger.view().jobs[JOB]
    assert (job.state(), rests_on(job)) == (JobState.FAILED, (success, *failures))
    expired = ledger.expire(birth, version)
    assert rests_on(ledger.view().jobs[JOB]) == tuple(sorted((success, expired)))
    stop = ledger.stop(birth)
    ledger.stop(birth)
    assert rests_on(ledger.view().jobs[JOB]) == tuple(sorted((success, stop)))


def test_p6_p15_a_completed_job_rests_on_no_stop_and_no_timeout() -> None:
    ledger, birth, success = one_success()
    ledger.stop(birth)
    ledger.expire(birth, Dot(ANN, 1, 2), Expiry.QUEUE_TIMEOUT)
    job = ledger.view().jobs[JOB]
    assert (job.state(), rests_on(job)) == (JobState.COMPLETED, (success,))


def test_it_is_settled_once_every_member_covers_what_it_rests_on() -> None:
    ledger, _, success = one_success()
    told = context_of(ledger.facts)
    assert settled_for(ledger, told, told)
    assert not settled_for(ledger, told)
    assert not settled_for(ledger, told, told | {(BEN, 1): success.seq - 1})
    elsewhere = {(ANN, 1): told[ANN, 1], (BEN, 2): success.seq, (CAT, 1): success.seq}
    assert not settled_for(ledger, told, elsewhere)


@pytest.mark.parametrize("lacks", ["birth", "version", "placement"])
def test_a_member_that_lacks_the_job_may_begin_it_anew_though_it_holds_the_result(
    lacks: str,
) -> None:
    ledger, birth, _ = one_success()
    (attempt,) = ledger.view().jobs[JOB].attempts.values()
    dots = {"birth": birth, "version": attempt.version, "placement": attempt.placed}
    told = context_of(ledger.facts)
    assert settled_for(ledger, told, told)
    assert not settled_for(ledger, told, told | {(ANN, 1): dots[lacks].seq - 1})


@pytest.mark.parametrize("state", [None, A.ASSIGNED, A.ACCEPTED, A.RUNNING, A.PUBLISHING])
def test_it_is_not_settled_while_any_attempt_is_known_not_to_have_ended(state: A | None) -> None:
    ledger, birth, _ = one_success()
    ledger.place(birth, Dot(ANN, 1, 2), attempt_id(2), CAT, number=2)
    told = context_of(ledger.facts)
    if state is not None:
        ledger.observe(birth, attempt_id(2), CAT, state)
    assert not settled_for(ledger, told, told)
    ledger.observe(birth, attempt_id(2), CAT, A.CANCELLED)
    assert settled_for(ledger, told, told)


@pytest.mark.parametrize(
    ("state", "settles"),
    [(A.RUNNING, False), (A.SUCCEEDED, False), (A.FAILED, True), (A.REFUSED, True)],
)
def test_it_is_not_settled_while_a_node_was_heard_of_an_attempt_nobody_knows(
    state: A, settles: bool
) -> None:
    ledger, birth, _ = one_success()
    told = context_of(ledger.facts)
    ledger.observe(birth, attempt_id(7), CAT, state)
    assert settled_for(ledger, told, told) is settles


def test_a_job_that_goes_on_is_never_settled() -> None:
    ledger = Ledger()
    birth, version = ledger.started(count=2)
    ledger.place(birth, version, attempt_id(1), BEN)
    ledger.observe(birth, attempt_id(1), BEN, A.SUCCEEDED)
    everything = context_of(ledger.facts)
    assert not settled_for(ledger, everything, everything)


def test_i6_a_member_that_told_more_of_its_own_than_is_held_may_have_finished_first() -> None:
    """CAT heard of BEN's success, but had one of its own, with an earlier time, not known here."""
    ledger, _, _ = one_success()
    told = context_of(ledger.facts)
    assert not settled_for(ledger, told, told | {(CAT, 1): 1})
    ledger.stop(Dot(ANN, 1, 99), author=CAT)
    assert settled_for(ledger, told, told | {(CAT, 1): 1})


def test_it_is_worked_out_once_per_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(job: JobView) -> tuple[Dot, ...]:
        asked.append(job.revision)
        return rests_on(job)

    monkeypatch.setattr(settled, "rests_on", counted)
    ledger, birth, _ = one_success()
    view, told = ledger.view(), context_of(ledger.facts)
    for _ in range(3):
        assert is_settled(view.jobs[JOB], {BEN: told}, [BEN], held=told)
    view.apply(*fact_of(ledger, ledger.stop(birth)))
    assert is_settled(view.jobs[JOB], {BEN: told}, [BEN], held=told)
    assert len(asked) == 2


def fact_of(ledger: Ledger, dot: Dot) -> Fact:
    return next(fact for fact in ledger.facts if fact[0] == dot)


@given(seed=st.integers(0, 10**9), order=st.randoms(use_true_random=False))
def test_what_it_rests_on_alone_gives_the_same_state_of_every_slot_it_settles(
    seed: int, order: Random
) -> None:
    """Without any other word on attempts and without other stops the ended job ends the same."""
    facts = random_history(seed)
    for job in fold(facts).jobs.values():
        if not job.state().terminal or job.live_count:
            continue
        kept = set(rests_on(job))
        less = [
            (dot, record)
            for dot, record in facts
            if dot in kept or record.kind in (2, 3, 5, 6) or dot not in job.dots
        ]
        order.shuffle(less)
        again = fold(less).jobs[job.id]
        version = job.version
        assert version is not None
        for index in range(version.count):
            one, other = job.accepted(index), again.accepted(index)
            assert (one and one.id) == (other and other.id)
        if job.state() is not JobState.FAILED:
            assert again.state() is job.state()


class Members:
    """Three members of a cut mesh: each holds a prefix of each log, and runs what it was told to.

    Clocks are off, so that a result heard of later may rank first. The rule that makes answers
    settle is kept by all of them: whoever knows a result of the slot begins nothing for it.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ledger = Ledger()
        self.birth, self.version = self.ledger.started()
        self.members = (ANN, BEN, CAT)
        self.held: dict[NodeId, Context] = {one: {(ANN, 1): 3} for one in self.members}
        self.seen: dict[NodeId, dict[NodeId, Context]] = {one: {} for one in self.members}
        self.answers: list[AttemptId | None] = []

    def view(self, member: NodeId) -> JobView:
        held = self.held[member]
        facts = [one for one in self.ledger.facts if one[0].seq <= held.get(one[0][:2], 0)]
        return fold(facts).jobs[JOB]

    def step(self) -> None:
        one, other = self.random.sample(self.members, 2)
        what = self.random.random()
        if what < 0.5:
            author = self.random.choice(self.members)
            reach = self.held[other].get((author, 1), 0)
            self.held[one][author, 1] = max(reach, self.held[one].get((author, 1), 0))
        elif what < 0.8:
            self.seen[one][other] = dict(self.held[other])
        elif what < 0.83:
            self.place(one)
        else:
            self.run(one)
        held = self.held[one]
        job = self.view(one)
        if is_settled(job, self.seen[one] | {one: held}, self.members, held=held):
            accepted = job.accepted(0)
            self.answers.append(None if accepted is None else accepted.id)

    def place(self, owner: NodeId) -> None:
        job = self.view(owner)
        if not job.state().terminal and len(job.attempts) < 4:
            name = attempt_id(len(self.ledger.facts))
            self.ledger.claim(self.birth, owner)
            node = self.random.choice((owner, *self.members))
            self.ledger.place(self.birth, self.version, name, node, author=owner)
        self.wrote(owner)

    def run(self, node: NodeId) -> None:
        job = self.view(node)
        for one in job.live_attempts():
            if one.node == node:
                begun = one.state is not A.ASSIGNED
                state = A.SUCCEEDED if begun else A.ACCEPTED
                if not begun and job.accepted(0) is not None:
                    state = A.CANCELLED
                hlc = self.random.randrange(1, 9000)
                self.ledger.observe(self.birth, one.id, node, state, hlc=hlc)
        self.wrote(node)

    def wrote(self, author: NodeId) -> None:
        everything = context_of(self.ledger.facts)
        self.held[author][author, 1] = everything.get((author, 1), 0)


@pytest.mark.parametrize("first_seed", range(0, 60, 20))
def test_i6_i20_a_settled_answer_stays_whatever_comes_later(first_seed: int) -> None:
    settled_runs = 0
    for seed in range(first_seed, first_seed + 20):
        members = Members(seed)
        for one in members.members * 2:
            members.random.choice((members.place, members.run))(one)
        for _ in range(120):
            members.step()
        accepted = members.ledger.view().jobs[JOB].accepted(0)
        final = None if accepted is None else accepted.id
        assert set(members.answers) <= {final}, seed
        settled_runs += bool(members.answers)
    assert settled_runs > 5, "a model in which nothing settles shows nothing"
