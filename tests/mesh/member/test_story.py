"""Every record about a job, in sentences."""

from __future__ import annotations

from mesh.member.commands import Problem, StopJob, Story, SubmitJob, Submitted, TellStory
from runtime.attempt import EngineEnded
from tests.mesh.member.stage import Stage, scripted_job


def told(stage: Stage, at: str, job: str = "one") -> list[tuple[int, str, str]]:
    stage.advance(0.1)
    story = stage.ask(at, TellStory(job))
    assert isinstance(story, Story)
    assert [one.seq for one in story.items] == list(range(1, len(story.items) + 1))
    attempts = dict.fromkeys(one.attempt[:10] for one in story.items if one.attempt)
    short = {full: f"e-{number}" for number, full in enumerate(attempts, start=1)}
    lines = []
    for one in story.items:
        sentence, because = one.sentence, one.because
        for full, name in short.items():
            sentence, because = sentence.replace(full, name), because.replace(full, name)
        lines.append((one.depth, sentence, because))
    return lines


def submit(stage: Stage, at: str, **fields: object) -> None:
    answer = stage.ask(at, SubmitJob(scripted_job(**{"Name": "one", **fields})))
    assert isinstance(answer, Submitted), answer


def test_a_job_from_its_submission_to_its_accepted_result() -> None:
    stage = Stage("a")
    submit(stage, "a")
    lines = told(stage, "a")
    assert [(depth, sentence) for depth, sentence, _ in lines] == [
        (0, "a took the job one"),
        (0, "version 1: a batch job in 1 part"),
        (0, "a decides about the job"),
        (1, "e-1 goes to a"),
        (2, "a accepts e-1"),
        (2, "a starts e-1"),
        (2, lines[-1][1]),
    ]
    assert lines[2][2] == "it took the job"
    assert lines[-1][1].startswith("a finished e-1")
    assert lines[-1][1].endswith("with exit code 0; its result is accepted")


def test_what_follows_from_what() -> None:
    stage = Stage("a")
    submit(stage, "a")
    story = stage.ask("a", TellStory("one"))
    assert isinstance(story, Story)
    causes = {one.kind: story.items[one.cause_seq - 1].kind for one in story.items if one.cause_seq}
    assert causes["attempt_placed"] == "version_added"
    assert causes["attempt_observed"] == "attempt_placed"


def test_a_stop_says_who_asked_and_what_became_of_it() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    submit(stage, "a")
    stage.ask("a", StopJob("one", reason="The wrong data."))
    lines = told(stage, "a")
    assert (0, "a was asked to stop the job: The wrong data", "") in lines
    assert (2, "a stopped e-1", "the job was stopped") in lines


def test_a_failure_is_told_with_its_message_and_the_next_attempt_says_after_what() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    submit(stage, "a")
    stage.finish(
        "a", next(iter(stage.running["a"])), EngineEnded(None, "engine", "It broke.", "", "", 0, 0)
    )
    lines = told(stage, "a")
    assert (2, "e-1 failed on a: It broke", "") in lines
    (again,) = [why for _, sentence, why in lines if sentence.startswith("e-2 (attempt 2)")]
    assert again.startswith("e-1 on a failed; a can ")


def test_an_attempt_that_goes_on_out_of_reach_had_not_ended_when_it_was_replaced() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.settle()
    stage.hold_runs = True
    submit(stage, "a", Count=2)
    stage.advance(1.0)
    (there,) = stage.running["b"]
    (here,) = stage.running["a"]
    stage.cut(["a"], ["b"])
    stage.advance(30.0)
    (replacement,) = stage.running["a"] - {here}
    for at, attempt in (("b", there), ("a", replacement), ("a", here)):
        stage.finish(at, attempt)
    stage.heal()
    stage.advance(30.0)
    lines = told(stage, "a")
    assert lines == told(stage, "b")
    whys = [why for _, sentence, why in lines if "attempt 2" in sentence]
    assert whys
    assert all(" was out of reach; " in why for why in whys)


def test_every_node_tells_the_same_story() -> None:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.settle()
    submit(stage, "a", Count=3)
    assert told(stage, "a") == told(stage, "b")


def test_no_story_of_a_job_that_nobody_knows() -> None:
    answer = Stage("a").ask("a", TellStory("j-nothing"))
    assert isinstance(answer, Problem)
    assert answer.status == 404
