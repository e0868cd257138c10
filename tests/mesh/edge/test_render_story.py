from __future__ import annotations

from typing import Any

import pytest

from mesh.edge.render_story import since_text, story_text


def story(*items: dict[str, Any], state: str = "Completed") -> dict[str, Any]:
    return {
        "JobID": "j-0123456789abcdef",
        "Name": "copy",
        "State": {"StateType": state},
        "Settled": False,
        "CreateTime": 1_800_000_000_000_000_000,
        "Items": list(items),
    }


def item(sentence: str, because: str = "", *, after_ms: int = 0, depth: int = 0) -> dict[str, Any]:
    return {
        "Time": 1_800_000_000_000_000_000 + after_ms * 1_000_000,
        "NodeName": "north",
        "Sentence": sentence,
        "Because": because,
        "Depth": depth,
    }


def test_a_line_for_each_record_below_what_it_follows_from() -> None:
    text = story_text(
        story(
            item("north took the job copy"),
            item("e-1 goes to east", "It is near.", after_ms=14, depth=1),
            item("east runs e-1", after_ms=125_000, depth=2),
        ),
        200,
    )
    assert text.splitlines() == [
        "j-01234567 (copy) is Completed, provisional.",
        "   +0.000 s  north  took the job copy.",
        "   +0.014 s  north    e-1 goes to east, because it is near.",
        "+2 min 05 s  north      east runs e-1.",
    ]


def test_long_sentences_go_on_below_themselves_and_control_characters_never_reach_a_terminal() -> (
    None
):
    text = story_text(story(item("said \x1b[31m" + "word " * 20), state="Running"), 60)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0] == "j-01234567 (copy) is Running."
    assert len(lines) > 2
    assert max(map(len, lines)) <= 60
    assert lines[2].startswith(" " * 17)


def test_the_name_of_a_node_keeps_its_capital() -> None:
    text = story_text(story(item("e-1 goes to East", "East can start it at once.")), 200)
    assert text.endswith("e-1 goes to East, because East can start it at once.")


def test_why_it_waits_now_is_the_last_line() -> None:
    waits = story(item("north took the job copy"), state="Queued")
    waits["State"]["Message"] = "1 part waits: east has no room now."
    assert story_text(waits, 80).splitlines()[-1] == "Now 1 part waits: east has no room now."


def test_where_there_is_little_room_the_text_stands_below_its_time() -> None:
    text = story_text(
        story(item("north took the job copy"), item("e-1 goes to the east", "word " * 9, depth=1)),
        40,
    )
    assert text.splitlines()[1:] == [
        "+0.000 s  north",
        "  took the job copy.",
        "+0.000 s  north",
        "    e-1 goes to the east, because word",
        "      word word word word word word word",
        "      word.",
    ]


def test_exact_times_and_whole_ids() -> None:
    text = story_text(story(item("north took it", after_ms=7)), 200, wide=True)
    assert text.splitlines()[0].startswith("j-0123456789abcdef (copy)")
    assert text.splitlines()[1] == "2027-01-15 08:00:00.007  north  took it."


def test_a_job_of_which_nothing_is_on_record() -> None:
    assert story_text(story(state="Pending"), 80) == "j-01234567 (copy) is Pending."


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (0, "+0.000 s"),
        (59_999, "+59.999 s"),
        (125_000, "+2 min 05 s"),
        (11_520_000, "+3 h 12 min"),
        (-20, "-0.020 s"),
    ],
)
def test_since(span_ms: int, text: str) -> None:
    assert since_text(span_ms) == text
