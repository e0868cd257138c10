"""The cores put together: what spreads, what waits for a flush, what a restart keeps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest

from mesh.gossip.events import PeerState, Send
from mesh.gossip.messages import Blobs, Envelopes, decode_untrusted
from mesh.gossip.telling import TELL_WAIT_S
from mesh.member.commands import GetJob, JobReading, ListJobs, ListNodes, SubmitJob, Submitted
from mesh.member.events import Changed, CommandReceived, Flushed, Persist
from scheduler.jobs import JobState
from tests.mesh.member.stage import Stage, scripted_job


def ring(*names: str) -> Stage:
    stage = Stage(*names)
    for one, other in pairwise(names):
        stage.connect(one, other)
    stage.advance(3)
    return stage


def reading(stage: Stage, at: str, job: str) -> JobReading:
    answer = stage.ask(at, GetJob(job))
    assert isinstance(answer, JobReading), answer
    return answer


def test_every_member_folds_the_same_from_what_one_was_told() -> None:
    stage = ring("a", "b", "c")
    for name in ("a", "b", "c"):
        assert isinstance(
            stage.ask(name, SubmitJob(scripted_job(Name=f"at-{name}", Count=5))), Submitted
        )
    stage.advance(2)
    for job in ("at-a", "at-b", "at-c"):
        assert {reading(stage, at, job).state for at in ("a", "b", "c")} == {JobState.COMPLETED}
    assert len({member.facts.view.digest() for member in stage.members.values()}) == 1


def test_a_reading_takes_no_turn_unless_it_would_tell_what_is_not_on_disk() -> None:
    stage = ring("a", "b")
    job = stage.ask("a", SubmitJob(scripted_job())).job
    stage.advance(2)
    member = stage.members["a"]
    assert member.read_now(GetJob(job), stage.now) == stage.ask("a", GetJob(job))
    assert member.read_now(ListJobs(), stage.now) == stage.ask("a", ListJobs())
    assert member.read_now(SubmitJob(scripted_job()), stage.now) is None
    member.handle(CommandReceived(1, SubmitJob(scripted_job())), stage.now)
    assert member.read_now(GetJob(job), stage.now) is None
    asked = [one for one in member.end_tick(stage.now) if isinstance(one, Persist)]
    assert member.read_now(GetJob(job), stage.now) is None
    while asked:
        member.handle(Flushed(asked[0].token), stage.now)
        asked = [one for one in member.end_tick(stage.now) if isinstance(one, Persist)]
    assert member.read_now(GetJob(job), stage.now) is not None


def test_nodes_hear_of_each_others_capacity() -> None:
    stage = ring("a", "b", "c")
    details = stage.ask("a", ListNodes())
    assert isinstance(details, tuple)
    assert [one.reading.name for one in details if one.is_self] == ["a"]
    assert {one.state for one in details} == {PeerState.ALIVE}
    assert {one.reading.capacity.cpu_milli for one in details} == {2000}
    assert {one.reading.engines for one in details} == {("scripted", "wasm")}


def test_an_acknowledged_job_survives_a_kill_and_spreads_after_the_restart() -> None:
    stage = Stage("a", "b")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    stage.kill("a")
    stage.hold_runs = False
    stage.boot("a")
    stage.connect("a", "b")
    stage.advance(3)
    assert reading(stage, "a", "one").state is JobState.COMPLETED
    assert reading(stage, "b", "one").state is JobState.COMPLETED


def test_a_late_joiner_pulls_the_whole_history_and_the_specs() -> None:
    stage = Stage("a", "b")
    for number in range(30):
        stage.ask("a", SubmitJob(scripted_job(Name=f"job-{number}")))
    stage.connect("b", "a")
    stage.advance(5)
    late = reading(stage, "b", "job-29")
    assert late.state is JobState.COMPLETED
    assert late.spec is not None
    assert stage.members["a"].facts.view.digest() == stage.members["b"].facts.view.digest()


def test_a_restart_opens_a_new_epoch_and_folds_the_same() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(scripted_job(Name="one", Count=3)))
    before, boot = stage.members["a"].facts.view.digest(), stage.members["a"].boot
    stage.kill("a")
    stage.boot("a")
    stage.settle()
    assert stage.members["a"].facts.view.digest() == before
    assert stage.members["a"].boot > boot


def test_at_most_one_flush_is_out_and_the_next_takes_all_that_gathered() -> None:
    stage = Stage("a")
    stage.settle()
    stage.flushing = False
    from mesh.member.events import CommandReceived

    for token in range(1000, 1020):
        stage.tell("a", CommandReceived(token, SubmitJob(scripted_job(Priority=token))))
    stage.settle()
    flushes = [one for _, one in stage.performed if isinstance(one, Persist)]
    assert not stage.answers
    from mesh.member.events import Flushed

    stage.flushing = True
    stage.disks["a"].write(flushes[-1])
    stage.tell("a", Flushed(flushes[-1].token))
    stage.settle()
    assert sorted(stage.answers) == list(range(1000, 1020))
    submissions = [one for _, one in stage.performed if isinstance(one, Persist) and one.blobs]
    assert len(submissions) == 2, "one for the first submission, one for the nineteen that waited"


def test_a_job_that_ends_at_once_costs_two_flushes() -> None:
    stage = Stage("a")
    stage.settle()
    before = len([one for _, one in stage.performed if isinstance(one, Persist)])
    stage.ask("a", SubmitJob(scripted_job()))
    assert len([one for _, one in stage.performed if isinstance(one, Persist)]) == before + 2


def owner_elsewhere(*watchers: str) -> Stage:
    """`b` takes jobs and runs none, nor do those who watch: `a` runs them all."""
    takers = ("b", *watchers)
    roles: dict[str, Sequence[str]] = dict.fromkeys(takers, ("submit", "orchestrate"))
    stage = Stage("a", *takers, roles=roles)
    for one, other in combinations(("a", *takers), 2):
        stage.connect(one, other)
    stage.ask("b", SubmitJob(scripted_job()))
    stage.performed.clear()
    return stage


def test_a_job_that_ends_at_once_is_told_to_its_owner_in_one_message() -> None:
    stage = owner_elsewhere()
    stage.ask("b", SubmitJob(scripted_job()))
    sent = [one.data for name, one in stage.performed if name == "a" and isinstance(one, Send)]
    assert [type(decode_untrusted(data)) for data in sent].count(Envelopes) == 1


def test_that_an_attempt_was_accepted_is_told_in_a_moment_if_nothing_follows() -> None:
    stage = owner_elsewhere()
    stage.hold_runs = True
    stage.ask("b", SubmitJob(scripted_job(Name="one")))
    (attempt,) = reading(stage, "b", "one").attempts
    assert attempt.observation.state.name == "ASSIGNED"
    stage.advance(TELL_WAIT_S)
    (attempt,) = reading(stage, "b", "one").attempts
    assert attempt.observation.state.name == "RUNNING"


def test_the_end_of_an_attempt_is_told_first_to_who_waits_for_it() -> None:
    stage = owner_elsewhere("c")
    stage.ask("b", SubmitJob(scripted_job(Name="one")))
    assert reading(stage, "b", "one").state is JobState.COMPLETED
    assert reading(stage, "c", "one").state is not JobState.COMPLETED
    stage.advance(TELL_WAIT_S)
    assert reading(stage, "c", "one").state is JobState.COMPLETED


def test_a_spec_that_was_pushed_is_not_pushed_with_the_next_job_of_it() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")

    def pushed() -> list[Blobs]:
        stage.performed.clear()
        stage.ask("a", SubmitJob(scripted_job()))
        sent = [decode_untrusted(one.data) for _, one in stage.performed if isinstance(one, Send)]
        return [one for one in sent if isinstance(one, Blobs)]

    assert pushed()
    assert not pushed()
    assert len(stage.ask("b", ListJobs()).jobs) == 2


def test_steps_of_a_longer_job_are_on_disk_soon() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    stage.advance(0.1)
    stage.kill("a")
    stage.hold_runs = False
    stage.boot("a")
    stage.settle()
    states = [one.observation.state.name for one in reading(stage, "a", "one").attempts]
    assert states == ["FAILED", "SUCCEEDED"]


def test_readers_are_told_what_changed_once_it_is_on_disk() -> None:
    stage = Stage("a")
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    job = reading(stage, "a", "one").id
    told = [one for _, one in stage.performed if isinstance(one, Changed) and job in one.jobs]
    assert told


@pytest.mark.parametrize("seed", range(3))
def test_a_member_that_may_not_orchestrate_has_its_job_claimed_by_another(seed: int) -> None:
    stage = Stage("a", "b", "c", roles={"a": ("submit",)})
    stage.connect("a", "b")
    stage.connect("b", "c")
    stage.advance(3)
    stage.ask("a", SubmitJob(scripted_job(Name=f"job-{seed}")))
    stage.advance(2)
    found = reading(stage, "a", f"job-{seed}")
    assert found.state is JobState.COMPLETED
    assert found.owner in (stage.id("b"), stage.id("c"))


def test_counters_tell_what_was_sent_taken_and_refused() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.ask("a", SubmitJob(scripted_job()))
    stage.advance(1)
    told = stage.members["b"].statistics()
    assert told["gossip_messages_sent"] > 0
    assert told["ledger_appended"] > 0
    assert told.get("ledger_refused_signature", 0) == 0
