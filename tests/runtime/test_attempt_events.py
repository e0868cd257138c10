"""The values between an attempt's core and its executor."""

from __future__ import annotations

from typing import get_args

from runtime.attempt_events import AttemptEffect, AttemptEvent, EngineStarted, ResultsStored
from scheduler.ids import Digest


def test_every_event_and_effect_is_frozen():
    for one in (*get_args(AttemptEvent), *get_args(AttemptEffect)):
        assert one.__dataclass_params__.frozen, one


def test_defaults_are_those_of_a_program_begun_here():
    assert EngineStarted().ran_s == 0.0
    assert ResultsStored(Digest("ab" * 32), 5).small == ()
