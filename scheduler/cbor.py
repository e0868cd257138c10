"""Deterministic CBOR (RFC 8949, section 4.2.1): one value, one encoding, nothing else accepted.

Only maps, lists, byte and text strings, integers within 64 bits, booleans and null. No floats, no
tags, no indefinite lengths, no repeated keys. Map keys stand in the bytewise order of their own
encodings, which is RFC 8949's rule; cbor2's `canonical` sorts by length first (RFC 7049) and is
not used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cbor2

MAX_DEPTH = 16
"""Nesting allowed to strangers; our own records need 4."""


class CborError(ValueError):
    """Bytes that are not one deterministic value of the allowed types."""


def encode(value: Any) -> bytes:
    """The one encoding of a value; TypeError when it holds a type that is not allowed."""
    return cbor2.dumps(value if _is_ordered((value,)) else _ordered(value))


def decode_untrusted(data: bytes, *, max_bytes: int) -> Any:
    """The value that these bytes encode.

    Raises CborError, and nothing else, for anything that `encode` would not have produced.
    """
    if len(data) > max_bytes:
        raise CborError(f"{len(data)} bytes where {max_bytes} are allowed")
    try:
        value = cbor2.loads(
            data,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=_NO_TAGS,
            tag_hook=_refuse_tag,
        )
        # Maps keep the order in which they were read, so that their keys are looked at apart.
        if not _is_ordered((value,)) or cbor2.dumps(value) != data:
            raise CborError("not the deterministic encoding of its value")
    except CborError:
        raise
    except Exception as error:  # cbor2 raises a family of its own, and TypeError for odd keys
        raise CborError(f"not CBOR: {error}") from error
    return value


def _is_ordered(items: Iterable[Any]) -> bool:
    """Whether these are of allowed types throughout and every map in them is in order already.

    Most are: this look costs a third of building them anew.
    """
    for item in items:
        kind = type(item)
        if kind is int:
            if not -(1 << 63) <= item < 1 << 64:
                return False
        elif kind is list or kind is tuple:
            if not _is_ordered(item):
                return False
        elif kind is dict:
            if not _has_ordered_keys(item) or not _is_ordered(item.values()):
                return False
        elif kind not in _LEAVES:
            return False
    return True


def _has_ordered_keys(value: dict[Any, Any]) -> bool:
    last = -1
    for key in value:
        if type(key) is not int or key <= last:
            break
        last = key
    else:  # as in every record's body
        return last < 1 << 64
    keys = list(value)
    return set(map(type, keys)) <= _KEYS and keys == _ordered_keys(value) and _is_ordered(keys)


def _ordered(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is bytes or kind is bool or value is None:
        return value
    if kind is dict:
        return {key: _ordered(value[key]) for key in _ordered_keys(value)}
    if kind is list or kind is tuple:
        return [_ordered(item) for item in value]
    if kind is int:
        return _within_64_bits(value)
    raise TypeError(f"{kind.__name__} has no place in a record")


def _ordered_keys(value: dict[Any, Any]) -> list[Any]:
    keys = list(value)
    kinds = set(map(type, keys))
    if not kinds <= _KEYS:
        raise TypeError(f"one of {sorted(kind.__name__ for kind in kinds)} cannot be a map key")
    # Shorter encodings come first: a bigger number is never shorter, nor is a longer text.
    if kinds == {str} and "".join(keys).isascii():
        keys.sort()
        keys.sort(key=len)
        return keys
    if int in kinds:
        for key in keys:
            _ordered(key)
        if kinds == {int} and min(keys) >= 0:
            return sorted(keys)
    return sorted(keys, key=cbor2.dumps)


def _within_64_bits(value: int) -> int:
    if not -(1 << 63) <= value < 1 << 64:
        raise TypeError("integer beyond 64 bits")
    return value


_KEYS = {int, str, bytes}
_LEAVES = {bytes, str, bool, type(None)}


def _refuse_tag(*_: Any) -> Any:
    raise CborError("tags are not allowed")


_BUILT_IN_TAGS = (
    *(0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54),
    *(100, 256, 258, 260, 261, 1004, 43000, 55799),
)
"""Tags that cbor2 would make objects of; every other one reaches the hook."""
_NO_TAGS = dict.fromkeys(_BUILT_IN_TAGS, _refuse_tag)
