"""What happens in a mesh, as one of its members learns of it."""

from __future__ import annotations

from mesh.member.chronicle import KEPT
from mesh.member.commands import SetIntent, StopJob, SubmitJob
from mesh.member.watched import Happening, ReadWatched, Watched
from tests.mesh.member.stage import Stage, scripted_job


def read(stage: Stage, at: str, after: int = 0) -> Watched:
    answer = stage.ask(at, ReadWatched(happenings_after=after))
    assert isinstance(answer, Watched)
    return answer


def happened(stage: Stage, at: str, after: int = 0) -> list[str]:
    """Sentences, with the short id of each job and execution taken out."""
    return [without_ids(one) for one in read(stage, at, after).happenings]


def without_ids(one: Happening) -> str:
    sentence = one.sentence.replace(f"{one.attempt[:10]} of ", "") if one.attempt else one.sentence
    return sentence.replace(f"{one.job[:10]} (one)", "one") if one.job else sentence


def submit(stage: Stage, at: str, **fields: object) -> None:
    stage.ask(at, SubmitJob(scripted_job(**{"Name": "one", **fields})))


def pair() -> Stage:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.advance(1.0)
    return stage


def test_a_job_from_its_submission_to_its_end() -> None:
    stage = Stage("a")
    submit(stage, "a")
    stage.advance(0.1)
    told = happened(stage, "a")
    assert told == [
        "a started.",
        "Job one was submitted to a.",
        "Execution one was placed on a.",
        "Execution one runs on a.",
        "Execution one ended on a with exit code 0; its result is accepted.",
        told[-1],
    ]
    assert told[-1].startswith("Job one completed after ")
    assert read(stage, "a").tally.jobs == {"Completed": 1}


def test_seqs_count_from_one_and_are_asked_for_from_any() -> None:
    stage = Stage("a")
    submit(stage, "a")
    stage.advance(0.1)
    everything = read(stage, "a").happenings
    assert [one.seq for one in everything] == list(range(1, len(everything) + 1))
    assert read(stage, "a", after=3).happenings == everything[3:]
    assert read(stage, "a", after=len(everything)).happenings == ()
    assert read(stage, "a", after=10_000).happenings == ()


def test_a_program_that_fails_and_a_stop() -> None:
    stage = Stage("a")
    stage.exit_code = 3
    submit(stage, "a")
    stage.advance(0.1)
    told = read(stage, "a").happenings
    failed = [one for one in told if one.level == "error"]
    assert failed
    assert "failed on a: Exited with code 3 after " in failed[0].sentence
    stage.exit_code, stage.hold_runs = 0, True
    submit(stage, "a", Name="two")
    stage.advance(0.1)
    after = read(stage, "a").seq
    stage.ask("a", StopJob("two", reason="enough"))
    stage.advance(1.0)
    sentences = " ".join(happened(stage, "a", after))
    assert "is asked to stop: enough." in sentences
    assert "stopped after" in sentences


def test_a_job_that_waits_says_why_once() -> None:
    stage = Stage("a")
    task = {"Name": "main", "Engine": {"Type": "scripted", "Params": {}}}
    submit(stage, "a", Tasks=[{**task, "Resources": {"CPU": "900"}}])
    stage.advance(5.0)
    waits = [one for one in happened(stage, "a") if " waits: " in one]
    assert len(waits) == 1
    assert "a is too small for the job" in waits[0]


def test_a_peer_comes_goes_and_comes_back_and_the_split_with_it() -> None:
    stage = pair()
    assert happened(stage, "a") == ["a started.", "b is heard."]
    seq = read(stage, "a").seq
    stage.cut(["a"], ["b"])
    stage.advance(30.0)
    told = happened(stage, "a", seq)
    assert told == [
        "b does not answer; others are asked about it.",
        "b cannot be reached: nothing is heard of it.",
        "The mesh is split: 1 of 2 members are heard here, b is not. Work goes on here with what "
        "is here.",
    ]
    seq = read(stage, "a").seq
    stage.heal()
    stage.advance(30.0)
    told = happened(stage, "a", seq)
    assert told[0].startswith("b is heard again after ")
    assert told[1].startswith("The split has ended after ")
    assert told[1].endswith(": all 2 members are heard.")


def test_both_sides_of_a_split_finish_a_part_and_one_result_is_a_duplicate() -> None:
    stage = pair()
    stage.hold_runs = True
    submit(stage, "a", Count=2)
    stage.advance(1.0)
    (cut_off,) = stage.running["b"]
    (here,) = stage.running["a"]
    stage.cut(["a"], ["b"])
    stage.advance(30.0)
    stage.finish("a", here)
    stage.finish("b", cut_off)
    (replacement,) = stage.running["a"] - {here}
    stage.finish("a", replacement)
    stage.advance(1.0)
    assert any("as attempt 2 of its part" in one for one in happened(stage, "a"))
    stage.heal()
    stage.advance(30.0)
    for at in ("a", "b"):
        told = happened(stage, at)
        assert any("has a duplicate result" in one for one in told), told
        assert sum("its result is accepted" in one for one in told) == 2, told
        assert any("it is a duplicate, the result of" in one for one in told), told
        assert read(stage, at).tally.duplicates == 1
        (settled,) = [one for one in told if " is settled: " in one]
        assert settled == (
            "Job one is settled: both members have confirmed that it completed; one result of each "
            "of its 2 parts is accepted, one more is a duplicate."
        )


def test_a_job_settles_once_and_says_what_counts() -> None:
    stage = pair()
    submit(stage, "a")
    stage.advance(20.0)
    for at in ("a", "b"):
        (settled,) = [one for one in happened(stage, at) if " is settled: " in one]
        assert settled.startswith(
            "Job one is settled: both members have confirmed that it completed; the result of e-"
        )
        assert settled.endswith(" is accepted.")


def test_a_member_alone_settles_by_itself() -> None:
    stage = Stage("a")
    submit(stage, "a")
    stage.advance(6.0)
    told = happened(stage, "a")[-1]
    assert told.startswith("Job one is settled: this node is the only member; the result of e-")


def test_what_settles_only_after_a_start_is_news() -> None:
    stage = pair()
    submit(stage, "a")
    stage.advance(20.0)
    stage.cut(["a"], ["b"])
    stage.advance(20.0)
    stage.ask("a", SubmitJob(scripted_job(Name="alone")))
    stage.advance(6.0)
    stage.kill("a")
    # What is written meanwhile is not known at first: nothing is settled without it.
    stage.ask("b", SubmitJob(scripted_job(Name="meanwhile")))
    stage.advance(6.0)
    stage.boot("a")
    stage.advance(6.0)
    assert not any(" is settled: " in one for one in happened(stage, "a"))
    stage.heal()
    stage.advance(30.0)
    (settled,) = [one for one in happened(stage, "a") if " is settled: " in one]
    assert "(alone) is settled: both members have confirmed that it completed" in settled


def test_what_settles_again_after_a_start_is_no_news() -> None:
    stage = Stage("a")
    submit(stage, "a")
    stage.advance(6.0)
    stage.kill("a")
    stage.boot("a")
    stage.advance(6.0)
    assert happened(stage, "a") == ["a started."]


def test_one_name_submitted_on_two_sides() -> None:
    stage = pair()
    stage.cut(["a"], ["b"])
    stage.advance(30.0)
    submit(stage, "a")
    submit(stage, "b")
    stage.heal()
    stage.advance(30.0)
    for at in ("a", "b"):
        told = happened(stage, at)
        assert any("Job one was submitted on another side too" in one for one in told), told


def test_an_operators_word_is_told_everywhere() -> None:
    stage = pair()
    stage.ask("a", SetIntent(stage.id("b"), "cordoned", "a new fan"))
    stage.advance(1.0)
    for at in ("a", "b"):
        assert happened(stage, at)[-1] == (
            "b is cordoned, it takes no new work, said at a (a new fan)."
        )


def test_what_was_before_this_start_is_no_news() -> None:
    stage = Stage("a")
    submit(stage, "a")
    stage.advance(1.0)
    stage.kill("a")
    stage.boot("a")
    stage.settle()
    assert happened(stage, "a") == ["a started."]
    assert read(stage, "a").tally.jobs == {"Completed": 1}


def test_the_oldest_give_way() -> None:
    stage = Stage("a")
    chronicle = stage.members["a"].chronicle
    for _ in range(KEPT + 10):
        chronicle.started(stage.now)
    told = chronicle.happenings(0)
    assert len(told) == KEPT
    assert (told[0].seq, told[-1].seq) == (chronicle.seq - KEPT + 1, chronicle.seq)
