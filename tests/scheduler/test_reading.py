from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import reading
from scheduler.reading import MAX_ITEMS, MAX_PROBLEMS, Problems, Table, read_map, shown

TABLE = Table(
    "a thing",
    {"Image": reading.text, "Count": reading.whole(0, 9), "ID": reading.ignored},
    required=("Image",),
)


def _read(value, table=TABLE):
    problems = Problems()
    read = read_map(problems, "Thing", value, table)
    return read, {problem.path: problem.message for problem in problems.found()}


def test_keys_are_matched_in_any_case_and_null_is_absent():
    assert _read({"iMAGE": "a", "count": None, "id": object()}) == ({"Image": "a"}, {})


def test_unknown_keys_are_refused_with_the_nearest_name():
    _, problems = _read({"Image": "a", "Imgae": "b", "Colour": 1, "Z" * 10_000: 1})
    assert problems["Thing.Imgae"] == "is not a field of a thing; did you mean Image?"
    assert problems["Thing.Colour"].endswith("it has Image, Count")
    assert len(problems) == 3
    assert all(len(path) < 100 for path in problems)


def test_a_key_written_twice_is_refused():
    assert "twice" in _read({"Image": "a", "image": "b"})[1]["Thing.Image"]


def test_keys_that_are_no_texts_are_refused():
    assert "keys are texts" in _read({"Image": "a", 1: 2})[1]["Thing"]


@pytest.mark.parametrize("value", [None, [], "x", 3, b""])
def test_what_is_no_map_is_refused(value):
    assert "must be a map (a thing)" in _read(value)[1]["Thing"]


def test_required_keys_are_missed():
    assert _read({"Image": None})[1] == {"Thing.Image": "is required"}


def test_many_problems_are_counted_not_listed():
    problems = Problems()
    read_map(problems, "", {f"key{index}": 1 for index in range(5000)}, TABLE)
    found = problems.found()
    assert len(found) <= MAX_PROBLEMS + 1
    problems.add("", "one more")
    assert "more problems" in problems.found()[-1].message


READERS: list[tuple[reading.Reader, list, list]] = [
    (
        reading.text,
        ["", "a\nb", "é", "1"],
        [1, 1.5, True, None, [], {}, b"x", "a\0", "\ud800", "x" * (2**20 + 1)],
    ),
    (
        reading.word,
        ["a", "a b", "😀", "👩\u200d🚀", "x" * 255],
        ["", "x" * 256, "a\n", "\x1b[31m", "\u202e", "\u2028"],
    ),
    (reading.flag, [True, False], [1, "true", None]),
    (reading.whole(1, 3), [1, 3], [0, 4, True, 1.0, "1", 10**400]),
    (reading.pattern("a+", "is no a"), ["a", "aa"], ["", "ab", "a\n"]),
    (reading.choice("Host", "None"), ["Host", "host"], ["", "Hosts", None, 1, ["Host"]]),
    (reading.later("moons"), [], ["x", 1]),
    (
        reading.list_of(reading.flag, minimum=1),
        [[True]],
        [[], [1], "x", None, [True] * (MAX_ITEMS + 1)],
    ),
    (
        reading.map_of(reading.word, reading.text),
        [{}, {"a": "b"}],
        [{"a": 1}, {1: "a"}, {"\0": "a"}, [], {str(n): "" for n in range(MAX_ITEMS + 1)}],
    ),
    (reading.nested(TABLE), [{"Image": "a"}], [{}, 1]),
]
RIGHT = [(reader, value) for reader, right, _ in READERS for value in right]
WRONG = [(reader, value) for reader, _, wrong in READERS for value in wrong]


@pytest.mark.parametrize(("reader", "value"), RIGHT, ids=shown)
def test_reader_takes(reader, value):
    problems = Problems()
    assert reader(problems, "P", value) is not None
    assert problems.found() == ()


@pytest.mark.parametrize(("reader", "value"), WRONG, ids=shown)
def test_reader_refuses_at_the_place_in_few_words(reader, value):
    problems = Problems()
    reader(problems, "P", value)
    assert problems.found()
    for problem in problems.found():
        assert problem.path.startswith("P")
        assert len(problem.message) < 300
        assert problem.message.isprintable()


def test_choice_gives_its_own_spelling_and_the_nearest_word():
    problems = Problems()
    assert reading.choice("Host", "None")(problems, "P", "hOST") == "Host"
    reading.choice("Host", "None")(problems, "P", "hots")
    assert "did you mean Host?" in problems.found()[0].message


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200)


@given(SCALARS | st.lists(SCALARS, max_size=2))
def test_what_is_shown_is_short_and_harmless(value):
    assert len(shown(value)) < 700
    assert shown(value).isprintable()


def test_a_list_in_itself_is_shown():
    endless: list = []
    endless.append(endless)
    assert shown(endless) == "a list"
