"""Readings for the live feed are of one moment: what comes later does not show in them."""

from __future__ import annotations

import copy

from mesh.member.commands import SubmitJob
from mesh.member.watched import ReadOutline, ReadWatched
from tests.mesh.member.stage import Stage, scripted_job


def test_a_reading_stays_as_it_was_when_the_member_goes_on() -> None:
    stage = Stage("a")
    stage.hold_runs = True
    stage.ask("a", SubmitJob(scripted_job(Name="one")))
    stage.advance(0.1)
    outline = stage.ask("a", ReadOutline())
    wanted = ReadWatched(outline.jobs, outline.attempts, None, happenings_after=0)
    before = stage.ask("a", wanted)
    kept = copy.deepcopy(before)
    (attempt,) = outline.attempts
    stage.finish("a", attempt)
    stage.ask("a", SubmitJob(scripted_job(Name="two")))
    stage.advance(1.0)
    assert before == kept
    after = stage.ask("a", wanted)
    assert after != before
    assert after.tally.jobs != before.tally.jobs
