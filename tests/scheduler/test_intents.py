from __future__ import annotations

import itertools

import pytest

from scheduler.ids import Dot, NodeId
from scheduler.instant import Hlc
from scheduler.intents import Intents
from scheduler.records import Kind, Record

NODE, NORTH, SOUTH = (NodeId("n-" + one * 26) for one in "abc")


def told(number: int, intent: str, hlc: int = 7) -> Record:
    return Record(
        Kind.NODE_INTENT, Hlc(hlc), None, {"node": NODE, "number": number, "intent": intent}
    )


@pytest.mark.parametrize(
    ("word", "standing"),
    [("none", ""), ("cordon", "cordoned"), ("drain", "draining"), ("hibernate", "cordoned")],
)
def test_what_a_word_means(word: str, standing: str) -> None:
    intents = Intents()
    assert intents.of(NODE) is None
    intents.add(Dot(NORTH, 1, 2), told(1, word))
    found = intents.of(NODE)
    assert found is not None
    assert (found.standing, found.reason, found.deadline_s) == (standing, "", 0)
    assert intents.of(NORTH) is None


def test_the_greatest_number_then_time_then_dot_holds_in_any_order() -> None:
    words = [
        (Dot(NORTH, 1, 5), told(2, "drain")),
        (Dot(SOUTH, 1, 2), told(1, "cordon", hlc=900)),
        (Dot(SOUTH, 1, 3), told(2, "none", hlc=6)),
        (Dot(SOUTH, 1, 4), told(2, "cordon")),
    ]
    pages = set()
    for order in itertools.permutations(words):
        intents = Intents()
        for dot, record in order:
            intents.add(dot, record)
        pages.add(str(intents.canonical()))
        found = intents.of(NODE)
        assert found is not None
        assert (found.dot, found.standing) == (Dot(SOUTH, 1, 4), "cordoned")
    assert len(pages) == 1
