"""Deterministic CBOR (RFC 8949, section 4.2.1): one value, one encoding, nothing else accepted.

Only maps, lists, byte and text strings, integers within 64 bits, booleans and null. No floats, no
tags, no indefinite lengths, no repeated keys. Map keys stand in the bytewise order of their own
encodings, which is RFC 8949's rule; cbor2's `canonical` sorts by length first (RFC 7049) and is
not used.
"""

from __future__ import annotations

from typing import Any

import cbor2

MAX_DEPTH = 16
"""Nesting allowed to strangers; our own records need 4."""


class CborError(ValueError):
    """Bytes that are not one deterministic value of the allowed types."""


def encode(value: Any) -> bytes:
    """The one encoding of a value; TypeError when it holds a type that is not allowed."""
    return cbor2.dumps(_ordered(value))


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
        if encode(value) != data:
            raise CborError("not the deterministic encoding of its value")
    except CborError:
        raise
    except Exception as error:  # cbor2 raises a family of its own, and TypeError for odd keys
        raise CborError(f"not CBOR: {error}") from error
    return value


def _ordered(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        if len(value) > 1:
            keys = sorted(value, key=cbor2.dumps)
            return {key: _ordered(value[key]) for key in keys if _is_key(key)}
        return {key: _ordered(item) for key, item in value.items() if _is_key(key)}
    if kind is list or kind is tuple:
        return [_ordered(item) for item in value]
    if kind is int:
        if not -(1 << 63) <= value < 1 << 64:
            raise TypeError("integer beyond 64 bits")
        return value
    if kind is bytes or kind is str or kind is bool or value is None:
        return value
    raise TypeError(f"{kind.__name__} has no place in a record")


def _is_key(key: Any) -> bool:
    if type(key) not in (int, str, bytes):
        raise TypeError(f"{type(key).__name__} cannot be a map key")
    return True


def _refuse_tag(*_: Any) -> Any:
    raise CborError("tags are not allowed")


_NO_TAGS = {
    tag: _refuse_tag
    for tag in (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004)
} | {43000: _refuse_tag, 55799: _refuse_tag}
