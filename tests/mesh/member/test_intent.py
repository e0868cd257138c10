"""Cordon and drain: said anywhere, obeyed by every owner and by the node itself."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import pytest

from mesh.member.commands import (
    ExplainJob,
    Explanation,
    IntentTaken,
    JobReading,
    ListNodes,
    NodeDetail,
    Problem,
    SetIntent,
    SubmitJob,
    Submitted,
)
from scheduler.jobs import AttemptState, JobState, Refusal
from tests.mesh.member.stage import Stage, read_job, scripted_job


def joined(*names: str, **options: dict[str, Sequence[str]]) -> Stage:
    stage = Stage(*names, **options)
    for one, other in itertools.combinations(names, 2):
        stage.connect(one, other)
    stage.settle()
    return stage


def submit(stage: Stage, at: str, **fields: object) -> None:
    answer = stage.ask(at, SubmitJob(scripted_job(**{"Name": "one", **fields})))
    assert isinstance(answer, Submitted), answer


def say(stage: Stage, at: str, node: str, intent: str, deadline_s: int = 0) -> object:
    return stage.ask(at, SetIntent(stage.id(node), intent, "the fan", deadline_s))


def detail(stage: Stage, at: str, node: str) -> NodeDetail:
    nodes = stage.ask(at, ListNodes())
    assert isinstance(nodes, tuple)
    return next(one for one in nodes if one.reading.node == stage.id(node))


def places(reading: JobReading) -> Counter[tuple[str, str]]:
    return Counter(
        (one.node_name, one.observation.reason or one.observation.state.name)
        for one in reading.attempts
    )


def test_nothing_is_placed_on_a_cordoned_node_and_everybody_shows_why() -> None:
    stage = joined("a", "b", "c")
    stage.hold_runs = True
    assert say(stage, "c", "b", "cordoned") == IntentTaken(stage.id("b"), "cordoned")
    for at in "abc":
        found = detail(stage, at, "b")
        assert (found.intent, found.intent_reason, found.intent_by) == ("cordoned", "the fan", "c")
        assert (found.intent_until_ms, detail(stage, at, "a").intent) == (0, "")
    submit(stage, "a", Count=12)
    assert "b" not in {node for node, _ in places(read_job(stage, "a"))}
    explained = stage.ask("a", ExplainJob("one"))
    assert isinstance(explained, Explanation)
    refusals = {explained.node_names[one.node]: one.refusal for one in explained.verdicts}
    assert refusals["b"] is Refusal.CORDONED
    assert say(stage, "a", "b", "") == IntentTaken(stage.id("b"), "")
    submit(stage, "a", Name="two", Count=12)
    assert "b" in {node for node, _ in places(read_job(stage, "a", "two"))}


def test_a_node_that_does_not_own_a_job_says_why_it_waits_too() -> None:
    stage = joined("a", "b")
    for node in "ab":
        say(stage, "a", node, "cordoned")
    submit(stage, "a")
    for at in "ab":
        waiting = read_job(stage, at).waiting
        assert waiting is not None
        assert {one.refusal for one in waiting.verdicts} == {Refusal.CORDONED}
        assert (waiting.slots, waiting.possible) == (1, True)
    say(stage, "b", "b", "")
    assert all(read_job(stage, at).waiting is None for at in "ab")


def test_what_runs_on_a_cordoned_node_goes_on() -> None:
    stage = joined("a")
    stage.hold_runs = True
    submit(stage, "a", Count=6)
    say(stage, "a", "a", "cordoned")
    states = Counter(one.observation.state for one in read_job(stage, "a").attempts)
    assert states == {AttemptState.RUNNING: 4, AttemptState.ASSIGNED: 2}
    submit(stage, "a", Name="two")
    two = read_job(stage, "a", "two")
    assert two.state is JobState.QUEUED
    assert two.waiting is not None
    assert [one.refusal for one in two.waiting.verdicts] == [Refusal.CORDONED]
    say(stage, "a", "a", "")
    assert places(read_job(stage, "a", "two"))["a", "ASSIGNED"] == 1


def test_an_owner_that_has_not_heard_is_refused_by_the_node_itself() -> None:
    stage = joined("a", "b", "c")
    stage.hold_runs = True
    stage.cut(["a"], ["b", "c"])
    say(stage, "b", "b", "cordoned")
    # a owns the job and has heard nothing when the sides meet.
    stage.heal()
    submit(stage, "a", Count=9)
    found = places(read_job(stage, "a"))
    assert not found["b", "RUNNING"]
    assert read_job(stage, "a").state is JobState.RUNNING


def test_a_drain_sends_back_what_waits_and_moves_what_runs_when_its_time_is_over() -> None:
    stage = joined("a", "b")
    stage.hold_runs = True
    say(stage, "a", "b", "cordoned")
    submit(stage, "a", Count=6)
    assert places(read_job(stage, "a")) == {("a", "RUNNING"): 4, ("a", "ASSIGNED"): 2}
    say(stage, "a", "b", "")
    assert isinstance(say(stage, "b", "a", "draining", 60), IntentTaken)
    stage.advance(0.1)
    found = places(read_job(stage, "a"))
    assert found == {("a", "RUNNING"): 4, ("a", "draining"): 2, ("b", "RUNNING"): 2}
    shown = detail(stage, "b", "a")
    assert shown.intent_until_ms == shown.intent_since_ms + 60_000
    stage.advance(59.0)
    assert places(read_job(stage, "a"))["a", "RUNNING"] == 4
    stage.advance(2.0)
    found = places(read_job(stage, "b"))
    assert found["a", "drained"] == 4
    assert found["b", "RUNNING"] == 4
    assert sum(found[node, "RUNNING"] for node in "ab") + found["b", "ASSIGNED"] == 6
    assert detail(stage, "b", "a").running == 0


def test_a_drain_costs_no_retry() -> None:
    stage = joined("a", "b")
    stage.hold_runs = True
    submit(stage, "a", Retry={"Attempts": 1})
    here = read_job(stage, "a").attempts[-1].node_name
    for _ in range(3):
        other = "b" if here == "a" else "a"
        say(stage, "a", here, "draining")
        stage.advance(0.1)
        assert read_job(stage, "a").attempts[-1].node_name == other
        assert read_job(stage, "a").state is JobState.RUNNING
        say(stage, "a", here, "")
        here = other
    assert [one.observation.reason for one in read_job(stage, "b").attempts] == ["drained"] * 3 + [
        ""
    ]


def test_a_drain_goes_on_after_a_restart_and_its_time_is_not_begun_anew() -> None:
    stage = joined("a", "b")
    say(stage, "b", "a", "draining", 60)
    stage.advance(50.0)
    stage.kill("a")
    stage.boot("a")
    stage.settle()
    submit(stage, "b", Count=3)
    assert {node for node, _ in places(read_job(stage, "b"))} == {"b"}
    drain = stage.members["a"].compute._drain
    assert drain is not None
    assert drain[1] - stage.now.monotonic_s < 10.1


@pytest.mark.parametrize("intent", ["drained", "cordon", "DRAINING"])
def test_other_words_are_refused(intent: str) -> None:
    answer = say(joined("a"), "a", "a", intent)
    assert isinstance(answer, Problem)
    assert answer.status == 400


def test_the_same_word_twice_is_written_once() -> None:
    stage = joined("a", "b")
    assert say(stage, "a", "b", "") == IntentTaken(stage.id("b"), "", already=True)
    say(stage, "a", "b", "draining", 60)
    assert say(stage, "b", "b", "draining", 60) == IntentTaken(
        stage.id("b"), "draining", already=True
    )
    assert say(stage, "b", "b", "draining") == IntentTaken(stage.id("b"), "draining")


def test_who_may_not_say_it_is_told_who_may() -> None:
    stage = joined("a", "b", roles={"a": ("compute", "orchestrate", "submit")})
    answer = say(stage, "a", "b", "cordoned")
    assert isinstance(answer, Problem)
    assert (answer.status, "role" in answer.message) == (403, True)
    assert say(stage, "a", "a", "cordoned") == IntentTaken(stage.id("a"), "cordoned")
