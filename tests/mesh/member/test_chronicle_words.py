"""What happens, in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.member.chronicle_words import Word, sentence_of, span
from scheduler.ids import Dot, NodeId
from scheduler.jobs import JobState
from tests.mesh.member.stage import Stage

JOB, ATTEMPT = "j-0123456789", "e-0123456789"
DOT = Dot(NodeId("n-x"), 1, 1)
ENOUGH: dict[Word, Any] = {
    Word.BACK: (50_000, False),
    Word.LOST: (0, True),
    Word.INTENT: ("draining", "a new fan.", "n-x"),
    Word.WORKS_AGAIN: ("", "", "n-x"),
    Word.SPLIT: (3, tuple("abcdefg")),
    Word.HEALED: (5, 61_000),
    Word.SUBMITTED: DOT,
    Word.UPDATED: 2,
    Word.RERUN: 2,
    Word.STOP_ASKED: "enough",
    Word.ENDED: (JobState.FAILED, 20_000, "It broke"),
    Word.DUPLICATE: 2,
    Word.SETTLED: (JobState.STOPPED, 3, DOT),
    Word.PLACED: 1,
    Word.ATTEMPT_STOP_ASKED: "withdrawn",
    Word.SUCCEEDED: (0, "", ""),
    Word.FAILED: (2, "exit_code", ""),
    Word.REFUSED: (None, "capacity", "It is busy."),
    Word.CANCELLED: (None, "drained", "Stopped: drained."),
}


def told(word: Word) -> str:
    stage = Stage("a")
    noted = (word, 5, stage.id("a"), JOB, ATTEMPT, ENOUGH.get(word, ()))
    return sentence_of(stage.members["a"].facts, noted, 9).sentence


@pytest.mark.parametrize("word", [one for one in Word if one is not Word.WAITS])
def test_each_word_makes_one_whole_sentence(word: Word) -> None:
    sentence = told(word)
    assert sentence.endswith(".")
    assert not sentence.endswith("..")
    assert "  " not in sentence


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (Word.LOST, "a cannot be reached: its process is gone."),
        (Word.BACK, "a is heard again after 50 s."),
        (
            Word.SPLIT,
            "The mesh is split: 3 of 10 members are heard here, a, b, c, d, e and 2 more are not. "
            "Work goes on here with what is here.",
        ),
        (Word.ENDED, "Job j-01234567 failed after 20 s: It broke."),
        (
            Word.CANCELLED,
            "Execution e-01234567 of j-01234567 stopped on a: Its node was drained; the work is "
            "placed elsewhere.",
        ),
        (
            Word.SETTLED,
            "Job j-01234567 is settled: all 3 members have confirmed that it stopped.",
        ),
        (
            Word.FAILED,
            "Execution e-01234567 of j-01234567 failed on a with exit code 2: exit code.",
        ),
        (Word.REFUSED, "a refused execution e-01234567 of j-01234567: It is busy."),
        (
            Word.INTENT,
            "a is being drained, its work moves to other nodes, said at n-x (a new fan).",
        ),
    ],
)
def test_sentences(word: Word, sentence: str) -> None:
    assert told(word) == sentence


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (-5, "0 ms"),
        (46, "46 ms"),
        (2_440, "2.4 s"),
        (20_000, "20 s"),
        (480_000, "8 min"),
        (10_800_000, "3 h"),
        (180_000_000, "2 days"),
    ],
)
def test_spans(duration_ms: int, text: str) -> None:
    assert span(duration_ms) == text
