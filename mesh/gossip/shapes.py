"""Shapes of message fields: what one may be, how it is written, how it is read from a stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

MAX_LIST = 4096
"""Entries in any list: above every cluster this frame limit could describe at once."""


class MessageError(ValueError):
    """Bytes that are no message of this protocol; the sentence says why."""


class Shape(NamedTuple):
    """How one field stands on the wire; `read_untrusted` raises MessageError for anything else."""

    write: Callable[[Any], Any]
    read_untrusted: Callable[[Any], Any]


def same(value: Any) -> Any:
    """For fields that stand on the wire as they are."""
    return value


def number(max_value: int) -> Shape:
    """An integer from 0 on."""

    def read_untrusted(raw: Any) -> int:
        if type(raw) is not int or not 0 <= raw <= max_value:
            raise MessageError(f"not a number from 0 to {max_value}")
        return raw

    return Shape(same, read_untrusted)


def octets(min_bytes: int, max_bytes: int) -> Shape:
    """A byte string of bounded length."""

    def read_untrusted(raw: Any) -> bytes:
        if type(raw) is not bytes or not min_bytes <= len(raw) <= max_bytes:
            raise MessageError(f"not {min_bytes} to {max_bytes} bytes")
        return raw

    return Shape(same, read_untrusted)


def many(shape: Shape, max_count: int = MAX_LIST) -> Shape:
    """A list of one shape that becomes a tuple."""

    def write(values: Any) -> list[Any]:
        return [shape.write(value) for value in values]

    def read_untrusted(raw: Any) -> tuple[Any, ...]:
        if type(raw) is not list or len(raw) > max_count:
            raise MessageError(f"not a list of at most {max_count}")
        return tuple(shape.read_untrusted(item) for item in raw)

    return Shape(write, read_untrusted)


def group(make: Callable[..., Any], *shapes: Shape) -> Shape:
    """A fixed list of fields that becomes one tuple; `write` takes any iterable of as many."""

    def write(values: Any) -> list[Any]:
        return [shape.write(value) for shape, value in zip(shapes, values, strict=True)]

    def read_untrusted(raw: Any) -> Any:
        if type(raw) is not list or len(raw) != len(shapes):
            raise MessageError(f"not a list of {len(shapes)}")
        return make(*(one.read_untrusted(item) for one, item in zip(shapes, raw, strict=True)))

    return Shape(write, read_untrusted)


def flag() -> Shape:
    """True or false."""

    def read_untrusted(raw: Any) -> bool:
        if type(raw) is not bool:
            raise MessageError("not true or false")
        return raw

    return Shape(same, read_untrusted)
