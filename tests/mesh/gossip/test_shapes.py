from __future__ import annotations

import pytest

from mesh.gossip.shapes import MessageError, Shape, flag, group, many, number, octets

PAIR = group(lambda *values: values, number(9), octets(1, 2))


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        (number(9), [0, 9], [-1, 10, True, None, "1", b"1"]),
        (octets(1, 2), [b"a", b"ab"], [b"", b"abc", "a", [97]]),
        (flag(), [True, False], [0, 1, None]),
    ],
)
def test_a_shape_reads_what_it_writes_and_nothing_else(
    shape: Shape, good: list[object], bad: list[object]
) -> None:
    for value in good:
        assert shape.read_untrusted(shape.write(value)) == value
    for value in bad:
        with pytest.raises(MessageError):
            shape.read_untrusted(value)


def test_lists_are_bounded_and_each_entry_is_read() -> None:
    shape = many(PAIR, 2)
    assert shape.write(((1, b"a"),)) == [[1, b"a"]]
    assert shape.read_untrusted([[1, b"a"], [2, b"b"]]) == ((1, b"a"), (2, b"b"))
    for bad in ([[1, b"a"]] * 3, [[1]], [[1, b"a", 2]], [[1, "a"]], ((1, b"a"),), {}):
        with pytest.raises(MessageError):
            shape.read_untrusted(bad)
