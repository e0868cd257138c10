"""The attempt's core, event by event."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.attempt import (
    KILL_GRACE_S,
    MAX_MESSAGE_BYTES,
    MAX_TAIL_BYTES,
    AdoptProgram,
    AttemptCore,
    AttemptEffect,
    CleanUp,
    DeadlinePassed,
    EngineEnded,
    EngineStarted,
    InputsFailed,
    InputsReady,
    NothingToAdopt,
    PrepareInputs,
    Report,
    ResultsFailed,
    ResultsStored,
    RunEngine,
    StopAsked,
    StopEngine,
    StoreResults,
    WakeAt,
    bounded_text,
    tail_text,
)
from scheduler.ids import Digest
from scheduler.jobs import AttemptState, Input, Observation, ResultPath, Source
from tests.runtime.orders import at, order

DIGEST = Digest("ab" * 32)
STORED = ResultsStored(DIGEST, 99)


def ended(exit_code=0, failure="", message="", stdout="", stderr="") -> EngineEnded:
    return EngineEnded(exit_code, failure, message, stdout, stderr, len(stdout), len(stderr))


def observed(effect: AttemptEffect) -> Observation:
    assert isinstance(effect, Report)
    return effect.observation


def kinds(effects) -> list[type]:
    return [type(effect) for effect in effects]


def running(core: AttemptCore, *, since_s: float = 10.0) -> AttemptCore:
    core.start(at(since_s))
    core.handle(InputsReady(), at(since_s))
    core.handle(EngineStarted(), at(since_s))
    return core


def test_a_good_run_step_by_step():
    core = AttemptCore(order())
    assert core.observation.state is AttemptState.ASSIGNED
    started = core.start(at(10))
    assert kinds(started) == [Report, PrepareInputs]
    assert observed(started[0]).state is AttemptState.ACCEPTED
    assert core.handle(InputsReady(), at(10)) == [RunEngine(core.order)]
    (report,) = core.handle(EngineStarted(), at(11))
    assert observed(report).state is AttemptState.RUNNING
    outcome = ended(stdout="hello\n")
    assert core.handle(outcome, at(12.5)) == [StoreResults(core.order, outcome)]
    report, clean_up = core.handle(STORED, at(13))
    assert clean_up == CleanUp()
    assert observed(report) == core.observation
    seen = core.observation
    assert (seen.state, seen.exit_code, seen.result) == (AttemptState.SUCCEEDED, 0, DIGEST)
    assert (seen.stdout_tail, seen.stdout_bytes, seen.result_bytes) == ("hello\n", 6, 99)
    assert seen.elapsed_ms == 1500
    assert seen.message == "Exited with code 0 after 1.5 s."
    assert core.terminal


@pytest.mark.parametrize(
    ("kind", "told"),
    [("inline", False), ("local", False), ("localdirectory", False), ("mesh", True), ("s3", True)],
)
def test_preparing_is_told_where_something_is_fetched(kind, told):
    core = AttemptCore(order(inputs=(Input(Source(kind), "/inputs"),)))
    effects = core.start(at(0))
    states = [one.observation.state for one in effects if isinstance(one, Report)]
    expected = [AttemptState.ACCEPTED] + ([AttemptState.PREPARING] if told else [])
    assert states == expected
    assert kinds(effects)[-1] is PrepareInputs


@pytest.mark.parametrize(("here", "told"), [((DIGEST,), False), ((), True)])
def test_preparing_is_not_told_of_a_blob_that_is_here(here, told):
    source = Source("mesh", {"Digest": DIGEST})
    wanted = replace(order(inputs=(Input(source, "/m.wasm"),)), here=frozenset(here))
    reports = [one for one in AttemptCore(wanted).start(at(0)) if isinstance(one, Report)]
    assert [one.observation.state for one in reports][1:] == [AttemptState.PREPARING] * told


def test_publishing_is_told_where_there_are_result_paths():
    core = running(AttemptCore(order(result_paths=(ResultPath("out", "/outputs"),))))
    store, report = core.handle(ended(), at(11))
    assert isinstance(store, StoreResults)
    assert observed(report).state is AttemptState.PUBLISHING


@pytest.mark.parametrize(
    ("outcome", "success_codes", "state", "reason"),
    [
        (ended(0), (0,), AttemptState.SUCCEEDED, ""),
        (ended(3), (0,), AttemptState.FAILED, "exit_code"),
        (ended(3), (0, 3), AttemptState.SUCCEEDED, ""),
        (ended(0), (3,), AttemptState.FAILED, "exit_code"),
        (ended(None, "trap", "It trapped."), (0,), AttemptState.FAILED, "trap"),
        (ended(None, "out_of_memory", "No memory."), (0,), AttemptState.FAILED, "out_of_memory"),
        (ended(None), (0,), AttemptState.FAILED, "engine"),
    ],
)
def test_ends_of_programs(outcome, success_codes, state, reason):
    core = running(AttemptCore(order(success_codes=success_codes)))
    core.handle(outcome, at(11))
    core.handle(STORED, at(11))
    assert (core.observation.state, core.observation.reason) == (state, reason)
    assert core.observation.message.endswith(".")
    assert core.observation.result == DIGEST, "what a failed program left is kept too"


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("input_missing", AttemptState.REFUSED),
        ("policy", AttemptState.REFUSED),
        ("input", AttemptState.FAILED),
    ],
)
def test_inputs_that_cannot_be_had(reason, state):
    core = AttemptCore(order())
    core.start(at(0))
    effects = core.handle(InputsFailed(reason, "It is not here."), at(1))
    assert kinds(effects) == [Report, CleanUp]
    assert core.observation.state is state
    assert (core.observation.reason, core.observation.message) == (reason, "It is not here.")


def test_stop_before_start():
    core = AttemptCore(order())
    effects = core.handle(StopAsked("the job was stopped"), at(0))
    assert kinds(effects) == [Report, CleanUp]
    assert core.observation.state is AttemptState.CANCELLED
    assert core.observation.message == "Stopped: the job was stopped."


def test_stop_while_inputs_come():
    core = AttemptCore(order())
    core.start(at(0))
    assert kinds(core.handle(StopAsked("enough"), at(1))) == [Report, CleanUp]
    assert core.handle(InputsReady(), at(2)) == []
    assert core.observation.state is AttemptState.CANCELLED


@pytest.mark.parametrize("begun", [True, False])
def test_stop_while_it_runs_waits_for_the_end(begun):
    core = AttemptCore(order())
    core.start(at(0))
    core.handle(InputsReady(), at(0))
    if begun:
        core.handle(EngineStarted(), at(0))
    assert kinds(core.handle(StopAsked("enough"), at(5))) == [StopEngine]
    assert core.handle(StopAsked("enough, I said"), at(5)) == []
    assert not core.terminal
    core.handle(ended(None, stdout="so far\n"), at(6))
    core.handle(STORED, at(6))
    assert core.observation.state is AttemptState.CANCELLED
    assert core.observation.reason == "enough"
    assert core.observation.stdout_tail == "so far\n"
    assert core.observation.result == DIGEST


def test_a_program_that_ended_well_as_it_was_stopped_has_succeeded():
    core = running(AttemptCore(order()))
    core.handle(StopAsked("enough"), at(11))
    core.handle(ended(0), at(11))
    core.handle(STORED, at(11))
    assert core.observation.state is AttemptState.SUCCEEDED


def test_stop_while_the_result_is_stored_comes_too_late():
    core = running(AttemptCore(order()))
    core.handle(ended(0), at(11))
    assert core.handle(StopAsked("enough"), at(11)) == []
    core.handle(STORED, at(12))
    assert core.observation.state is AttemptState.SUCCEEDED


def test_execution_deadline_counts_from_the_start_of_the_program():
    core = AttemptCore(order(execution_s=30))
    assert WakeAt not in kinds(core.start(at(0)))
    core.handle(InputsReady(), at(100))
    assert core.handle(EngineStarted(), at(100))[0] == WakeAt(130)
    assert core.handle(DeadlinePassed(), at(129)) == [WakeAt(130)], "woken too early"
    assert kinds(core.handle(DeadlinePassed(), at(130))) == [StopEngine]
    core.handle(ended(None), at(131))
    core.handle(STORED, at(131))
    assert (core.observation.state, core.observation.reason) == (AttemptState.FAILED, "deadline")
    assert core.observation.message == "Ended because its ExecutionTimeout of 30 s had passed."


def test_the_nearer_of_two_deadlines_is_waited_for():
    core = AttemptCore(order(execution_s=30, total_s=60))
    assert core.start(at(0))[-1] == WakeAt(60)
    core.handle(InputsReady(), at(1))
    assert core.handle(EngineStarted(), at(1))[0] == WakeAt(31)


def test_total_deadline_ends_a_fetch():
    core = AttemptCore(order(total_s=60))
    core.start(at(0))
    assert kinds(core.handle(DeadlinePassed(), at(60))) == [Report, CleanUp]
    assert core.observation.reason == "deadline"
    assert "TotalTimeout of 60 s" in core.observation.message


@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        (ended(0), AttemptState.FAILED, "results"),
        (ended(3), AttemptState.FAILED, "exit_code"),
    ],
)
def test_results_that_cannot_be_kept(outcome, state, reason):
    core = running(AttemptCore(order()))
    core.handle(outcome, at(11))
    core.handle(ResultsFailed("The disk is full."), at(12))
    assert (core.observation.state, core.observation.reason) == (state, reason)
    assert core.observation.message.endswith("The disk is full.")
    assert core.observation.message.startswith("Exited with code 3") == (reason == "exit_code")
    assert core.observation.result is None


EVENTS = st.sampled_from(
    [
        InputsReady(),
        InputsFailed("input", "No."),
        EngineStarted(),
        ended(0),
        ended(None),
        STORED,
        ResultsFailed("No."),
        StopAsked("enough"),
        DeadlinePassed(),
    ]
)


@given(st.lists(EVENTS, max_size=12), st.booleans())
def test_any_events_in_any_order(events, begin):
    """States only go forward, the terminal record is written once, and nothing runs after it."""
    core = AttemptCore(order(total_s=5, result_paths=(ResultPath("out", "/outputs"),)))
    effects = core.start(at(0)) if begin else []
    for number, event in enumerate(events):
        effects += core.handle(event, at(number))
    states = [effect.observation.state for effect in effects if isinstance(effect, Report)]
    assert states == sorted(set(states))
    assert [state.terminal for state in states].count(True) == kinds(effects).count(CleanUp)
    assert kinds(effects).count(RunEngine) <= 1
    assert kinds(effects).count(StoreResults) <= 1
    if core.terminal:
        assert isinstance(effects[-1], CleanUp)
        assert core.handle(StopAsked("again"), at(99)) == []


def test_texts_are_bounded():
    core = running(AttemptCore(order()))
    core.handle(ended(None, "trap", "x" * 9999, stdout="ü" * 5000, stderr="y" * 5000), at(11))
    core.handle(STORED, at(11))
    seen = core.observation
    assert len(seen.message) == MAX_MESSAGE_BYTES
    assert len(seen.stderr_tail) == MAX_TAIL_BYTES
    assert len(seen.stdout_tail.encode()) == MAX_TAIL_BYTES
    assert seen.stdout_bytes == 5000


@given(st.text(), st.integers(0, 20), st.booleans())
def test_bounded_text_cuts_whole_characters(text, limit, end):
    cut = bounded_text(text, limit, end=end)
    assert len(cut.encode()) <= limit
    assert text.endswith(cut) if end else text.startswith(cut)


@given(st.binary(max_size=5000))
def test_tail_text_takes_any_bytes(raw):
    assert len(tail_text(raw).encode()) <= MAX_TAIL_BYTES


def test_tail_text_is_the_end():
    assert tail_text(b"a" * 5000 + b"\xff last") == "a" * 2040 + "\N{REPLACEMENT CHARACTER} last"


@pytest.mark.parametrize("state", [AttemptState.RUNNING, AttemptState.PUBLISHING])
def test_what_ran_before_a_restart_goes_on_and_its_deadline_counts_from_its_own_start(state):
    core = AttemptCore(order(execution_s=60))
    assert core.resume(state, at(100)) == [AdoptProgram(core.order)]
    wake, again = core.handle(EngineStarted(ran_s=45.0), at(101))
    assert wake == WakeAt(101 - 45 + 60)
    assert observed(again).state is state, "said again: until then nobody knows that it went on"
    core.handle(ended(), at(110))
    report, _ = core.handle(STORED, at(110))
    assert observed(report).elapsed_ms == 54_000


def test_what_was_accepted_and_never_begun_begins_now():
    core = AttemptCore(order())
    core.resume(AttemptState.ACCEPTED, at(5))
    assert core.handle(NothingToAdopt(), at(6)) == [PrepareInputs(core.order)]
    assert core.handle(InputsReady(), at(7)) == [RunEngine(core.order)]


def test_what_ran_and_is_gone_has_failed_with_its_node():
    core = AttemptCore(order())
    core.resume(AttemptState.RUNNING, at(5), lost="Lost when the disk failed.")
    report, _ = core.handle(NothingToAdopt(), at(6))
    assert observed(report).reason == "node_restart"
    assert observed(report).message == "Lost when the disk failed."


def test_a_stop_that_came_meanwhile_is_obeyed():
    core = AttemptCore(order())
    core.resume(AttemptState.ACCEPTED, at(5))
    assert core.handle(StopAsked("enough"), at(5)) == [StopEngine(KILL_GRACE_S)]
    report, _ = core.handle(NothingToAdopt(), at(6))
    assert observed(report).state is AttemptState.CANCELLED


def test_nothing_to_adopt_means_nothing_to_an_attempt_that_began_here():
    core = running(AttemptCore(order()))
    assert core.handle(NothingToAdopt(), at(20)) == []


def test_what_this_node_lacks_is_a_refusal_and_leaves_no_result():
    core = AttemptCore(order())
    core.start(at(0))
    core.handle(InputsReady(), at(1))
    report, clean_up = core.handle(ended(None, "image_unavailable", "No such image."), at(2))
    assert (observed(report).state, observed(report).reason) == (
        AttemptState.REFUSED,
        "image_unavailable",
    )
    assert observed(report).message == "No such image."
    assert clean_up == CleanUp()


def test_a_stop_that_came_while_an_image_was_sought_is_no_refusal():
    core = AttemptCore(order())
    core.start(at(0))
    core.handle(InputsReady(), at(1))
    core.handle(StopAsked("enough"), at(2))
    report, _ = core.handle(ended(None, "image_unavailable", "No such image."), at(2))
    assert observed(report).state is AttemptState.CANCELLED
