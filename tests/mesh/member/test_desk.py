"""Every command, its answer and its named no."""

from __future__ import annotations

import pytest

from mesh.member.commands import (
    ExplainJob,
    Explanation,
    GetJob,
    JobReading,
    JobsPage,
    ListJobs,
    Problem,
    StopJob,
    StopTaken,
    SubmitJob,
    Submitted,
)
from scheduler.jobs import JobState
from tests.mesh.member.stage import Stage, scripted_job


def submitted(stage: Stage, **fields: object) -> Submitted:
    key = str(fields.pop("key", ""))
    answer = stage.ask("a", SubmitJob(scripted_job(**fields), key=key))
    assert isinstance(answer, Submitted), answer
    return answer


def problem(answer: object) -> Problem:
    assert isinstance(answer, Problem), answer
    return answer


def test_every_problem_of_a_spec_is_in_one_answer_and_nothing_is_written() -> None:
    stage = Stage("a")
    stage.settle()
    before = len(stage.disks["a"].envelopes)
    answer = problem(stage.ask("a", SubmitJob({"Type": "bach", "Count": -1, "Tasks": []})))
    assert answer.status == 400
    assert len(answer.message.splitlines()) == 3
    assert len(stage.disks["a"].envelopes) == before


def test_the_same_key_is_the_same_job() -> None:
    stage = Stage("a")
    first = submitted(stage, key="k1")
    again = submitted(stage, key="k1")
    assert (again.job, again.created) == (first.job, False)
    other = problem(stage.ask("a", SubmitJob(scripted_job(Count=2), key="k1")))
    assert (other.status, other.code) == (409, "ResourceInUse")
    assert submitted(stage, key="k2").job != first.job


def test_a_name_is_taken_but_for_the_same_submission() -> None:
    stage = Stage("a")
    first = submitted(stage, Name="one", key="k1")
    assert submitted(stage, Name="one", key="k1").job == first.job
    assert problem(stage.ask("a", SubmitJob(scripted_job(Name="one"), key="k2"))).status == 409
    assert problem(stage.ask("a", SubmitJob(scripted_job(Name="one")))).status == 409
    elsewhere = submitted(stage, Name="one", Namespace="other")
    assert elsewhere.job != first.job


def test_jobs_without_a_name_or_key_are_different_jobs() -> None:
    stage = Stage("a")
    assert submitted(stage).job != submitted(stage).job


def test_a_job_is_found_by_name_id_and_prefix() -> None:
    stage = Stage("a")
    job = submitted(stage, Name="one").job
    for text in ("one", job, job[:10], job[2:10]):
        reading = stage.ask("a", GetJob(text))
        assert isinstance(reading, JobReading)
        assert reading.id == job
    assert problem(stage.ask("a", GetJob("j-nope"))).status == 404
    assert problem(stage.ask("a", GetJob("one", namespace="other"))).status == 404


def test_an_ambiguous_prefix_is_said() -> None:
    stage = Stage("a")
    jobs = [submitted(stage).job for _ in range(40)]
    first = [job[2] for job in jobs]
    twice = next(one for one in first if first.count(one) > 1)
    answer = problem(stage.ask("a", GetJob(f"j-{twice}")))
    assert (answer.code, answer.status) == ("MultipleJobsFound", 409)


def test_long_texts_from_callers_never_reach_a_record_whole() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    assert problem(stage.ask("a", SubmitJob(scripted_job(), key="k" * 300))).status == 400
    submitted(stage, Name="one")
    stage.ask("a", StopJob("one", reason="\U0001f6a2" * 5000))
    reading = stage.ask("a", GetJob("one"))
    assert isinstance(reading, JobReading)
    assert len(reading.message) == 1000


def test_a_stop_is_taken_once_and_refused_for_what_has_ended() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    submitted(stage, Name="one")
    assert stage.ask("a", StopJob("one")) == StopTaken(stage.ask("a", GetJob("one")).id)
    taken = stage.ask("a", StopJob("one"))
    assert isinstance(taken, StopTaken)
    assert taken.already
    stage.hold_runs = False
    submitted(stage, Name="two")
    answer = problem(stage.ask("a", StopJob("two")))
    assert (answer.status, answer.message) == (409, "cannot stop job in state Completed")


def test_lists_page_through_every_job_once_in_order() -> None:
    stage = Stage("a")
    jobs = [submitted(stage).job for _ in range(7)]
    seen: list[str] = []
    token = ""
    for _ in range(4):
        page = stage.ask("a", ListJobs(limit=2, next_token=token))
        assert isinstance(page, JobsPage)
        seen += [job.id for job in page.jobs]
        token = page.next_token
    assert seen == jobs
    assert token == ""
    newest = stage.ask("a", ListJobs(limit=1, reverse=True))
    assert isinstance(newest, JobsPage)
    assert newest.jobs[0].id == jobs[-1]


@pytest.mark.parametrize(
    "command",
    [
        ListJobs(order_by="colour"),
        ListJobs(limit=-1),
        ListJobs(next_token="!!"),
        ListJobs(next_token="Y29sb3VyOlk6MTox"),
        ListJobs(next_token="é"),
    ],
)
def test_a_bad_list_is_the_callers_mistake(command: ListJobs) -> None:
    assert problem(Stage("a").ask("a", command)).status == 400


def test_lists_select_by_label_and_namespace() -> None:
    stage = Stage("a")
    red = submitted(stage, Labels={"colour": "red"}).job
    submitted(stage, Labels={"colour": "blue"}, Namespace="other")
    page = stage.ask("a", ListJobs(labels=(("colour", "=", ("red",)),)))
    assert isinstance(page, JobsPage)
    assert [job.id for job in page.jobs] == [red]
    page = stage.ask("a", ListJobs(namespace="other"))
    assert isinstance(page, JobsPage)
    assert len(page.jobs) == 1


def test_a_node_whose_certificate_does_not_allow_it_takes_no_job() -> None:
    stage = Stage("a", roles={"a": ("compute",)})
    assert problem(stage.ask("a", SubmitJob(scripted_job()))).status == 403


def test_explain_says_what_each_node_would_answer() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    submitted(stage, Name="big", Tasks=[_big_task()])
    explanation = stage.ask("a", ExplainJob("big"))
    assert isinstance(explanation, Explanation)
    assert explanation.job.state is JobState.QUEUED
    assert [one.refusal.value for one in explanation.verdicts if one.refusal] == ["too_large"]
    assert explanation.node_names == {stage.id("a"): "a"}


def _big_task() -> dict[str, object]:
    return {
        "Name": "main",
        "Engine": {"Type": "scripted", "Params": {}},
        "Resources": {"CPU": "64"},
    }


def test_a_job_that_waits_is_told_its_place_in_the_queue() -> None:
    """No engine for them: they wait, the earlier first."""
    stage = Stage("a")
    task = {"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "busybox"}}}
    for name in ("one", "two"):
        submitted(stage, Name=name, Tasks=[task])
    places = []
    for name in ("one", "two"):
        reading = stage.ask("a", GetJob(name))
        assert isinstance(reading, JobReading)
        assert reading.waiting is not None
        places.append(reading.waiting.position)
    assert places == [1, 2]
