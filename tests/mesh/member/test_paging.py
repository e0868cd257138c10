from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.member.commands import JobsPage, ListJobs, SubmitJob, Submitted
from mesh.member.paging import ORDERS, Paging, read_token_untrusted
from tests.mesh.member.stage import Stage, scripted_job


def submit(stage: Stage, count: int) -> list[str]:
    answers = [stage.ask("a", SubmitJob(scripted_job())) for _ in range(count)]
    return [one.job for one in answers if isinstance(one, Submitted)]


def page_of(stage: Stage, **question: object) -> JobsPage:
    answer = stage.ask("a", ListJobs(**question))  # type: ignore[arg-type]
    assert isinstance(answer, JobsPage), answer
    return answer


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("order_by", ORDERS)
def test_pages_hold_every_job_once_in_order(order_by: str, reverse: bool) -> None:
    stage = Stage("a")
    submit(stage, 7)
    whole = [one.id for one in page_of(stage, order_by=order_by, reverse=reverse).jobs]
    first = page_of(stage, order_by=order_by, reverse=reverse, limit=3)
    seen, token = [one.id for one in first.jobs], first.next_token
    for _ in range(2):
        page = page_of(stage, next_token=token)
        seen += [one.id for one in page.jobs]
        token = page.next_token
    assert (seen, token) == (whole, "")
    assert len(set(seen)) == 7


def test_jobs_that_come_in_between_move_no_other() -> None:
    stage = Stage("a")
    jobs = submit(stage, 6)
    first = page_of(stage, limit=3, reverse=True)
    submit(stage, 4)
    second = page_of(stage, next_token=first.next_token)
    assert [one.id for one in (*first.jobs, *second.jobs)] == jobs[::-1]


def test_a_full_last_page_has_no_token() -> None:
    stage = Stage("a")
    submit(stage, 3)
    assert page_of(stage, limit=3).next_token == ""


@given(st.sampled_from(list(ORDERS)), st.booleans(), st.integers(1, 1000), st.integers(0, 1 << 62))
def test_a_token_is_read_as_it_was_written(
    order_by: str, reverse: bool, limit: int, hlc: int
) -> None:
    paging = Paging(order_by, reverse, limit, (hlc, "j-1"))
    assert read_token_untrusted(paging.token()) == paging


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "colour:Y:1:1:j",
        "id:X:1:1:j",
        "id:Y:0:1:j",
        "id:Y:1:-1:j",
        "id:Y:x:1:j",
        "id:Y:1:1",
    ],
)
def test_other_tokens_are_none(text: str) -> None:
    assert read_token_untrusted(base64.urlsafe_b64encode(text.encode()).decode()) is None


@given(st.text())
def test_strangers_text_is_none_or_a_page(text: str) -> None:
    read_token_untrusted(text)
