"""Types of the fields of records: how each travels, and what no reader takes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scheduler.ids import (
    Dot,
    attempt_id_from_bytes,
    job_id_from_bytes,
    node_id_from_bytes,
    node_id_to_bytes,
    uuid_bytes,
)

MAX_RECORD_BYTES = 8 * 1024
"""Half an envelope: a placement is 2 KiB at most, two output tails are 4 KiB."""
MAX_TEXT_BYTES = 4 * 1024
MAX_LIST_ITEMS = 4096
MAX_COUNTER = (1 << 53) - 1
"""Terms, versions, seqs: beyond any history, and exact in every reader's numbers."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """How one field travels: `dump` to a CBOR value, `load_untrusted` back.

    Both raise ValueError for what no reader takes: what is checked while it is written need not be
    read back to be sure of it.
    """

    name: str
    dump: Callable[[Any], Any]
    load_untrusted: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a kind: number on the wire, name in `body`, type, and if it must be there."""

    number: int
    name: str
    type: FieldType
    required: bool = True


def unsigned(maximum: int, name: str) -> FieldType:
    """A whole number from 0 on."""

    def load(value: Any) -> int:
        if type(value) is not int or not 0 <= value <= maximum:
            raise ValueError(f"not an integer from 0 to {maximum}")
        return value

    return FieldType(name, load, load)


def _text_untrusted(value: Any) -> str:
    if type(value) is not str or _size_bytes(value) > MAX_TEXT_BYTES:
        raise ValueError(f"not a text of at most {MAX_TEXT_BYTES} bytes")
    return value


def _size_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def _bytes(
    length: int, name: str, load: Callable[[bytes], Any], dump: Callable[[Any], bytes]
) -> FieldType:
    def checked(value: Any) -> Any:
        if type(value) is not bytes or len(value) != length:
            raise ValueError(f"not {length} bytes")
        return load(value)

    return FieldType(name, dump, checked)


def list_of(item: FieldType) -> FieldType:
    """Any number of one type."""

    def load(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) > MAX_LIST_ITEMS:
            raise ValueError(f"not a list of at most {MAX_LIST_ITEMS}")
        return tuple([item.load_untrusted(one) for one in value])

    def dump(items: Any) -> list[Any]:
        if len(items) > MAX_LIST_ITEMS:
            raise ValueError(f"not a list of at most {MAX_LIST_ITEMS}")
        return [item.dump(one) for one in items]

    return FieldType(f"list of {item.name}", dump, load)


def tuple_of(name: str, *items: FieldType) -> FieldType:
    """One of each of these types, in order."""

    def load(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(items):
            raise ValueError(f"not a list of {len(items)}")
        return tuple([item.load_untrusted(one) for item, one in zip(items, value, strict=True)])

    return FieldType(
        name, lambda value: [item.dump(one) for item, one in zip(items, value, strict=True)], load
    )


def text_map(item: FieldType) -> FieldType:
    """Values of one type by name."""

    def load(value: Any) -> dict[str, Any]:
        if type(value) is not dict or len(value) > MAX_LIST_ITEMS:
            raise ValueError(f"not a map of at most {MAX_LIST_ITEMS} entries")
        return {_text_untrusted(key): item.load_untrusted(one) for key, one in value.items()}

    def dump(entries: Any) -> dict[str, Any]:
        if len(entries) > MAX_LIST_ITEMS:
            raise ValueError(f"not a map of at most {MAX_LIST_ITEMS} entries")
        return {_text_untrusted(key): item.dump(one) for key, one in entries.items()}

    return FieldType(f"map of text to {item.name}", dump, load)


def _signed_untrusted(value: Any) -> int:
    if type(value) is not int or not -MAX_COUNTER <= value <= MAX_COUNTER:
        raise ValueError("not an integer within 53 bits")
    return value


def dot_untrusted(value: Any) -> Dot:
    """A dot that came; written out, not put together from fields: a record has up to three."""
    if type(value) is not list or len(value) != 3:
        raise ValueError("not a list of 3")
    author, epoch, seq = value
    if type(author) is not bytes or len(author) != 16:
        raise ValueError("not 16 bytes")
    _check_place(epoch, seq)
    return Dot(node_id_from_bytes(author), epoch, seq)


def dot_fields(dot: Dot) -> list[Any]:
    """A dot as it travels; ValueError for one that no reader takes."""
    author, epoch, seq = dot
    _check_place(epoch, seq)
    return [node_id_to_bytes(author), epoch, seq]


def _check_place(epoch: Any, seq: Any) -> None:
    if type(epoch) is not int or not 0 <= epoch < 1 << 64:
        raise ValueError("not an epoch")
    if type(seq) is not int or not 0 <= seq <= MAX_COUNTER:
        raise ValueError(f"not an integer from 0 to {MAX_COUNTER}")


def _digest_bytes(digest: str) -> bytes:
    raw = bytes.fromhex(digest)
    if len(raw) != 32:
        raise ValueError("not 32 bytes")
    return raw


def _blob_untrusted(value: Any) -> bytes:
    if type(value) is not bytes or len(value) > MAX_RECORD_BYTES:
        raise ValueError(f"not at most {MAX_RECORD_BYTES} bytes")
    return value


COUNTER = unsigned(MAX_COUNTER, "counter")
EPOCH = unsigned((1 << 64) - 1, "epoch")
SMALL = unsigned(0xFFFF, "small counter")
SIGNED = FieldType("signed integer", _signed_untrusted, _signed_untrusted)
TEXT = FieldType("text", _text_untrusted, _text_untrusted)
NODE = _bytes(16, "node id", node_id_from_bytes, node_id_to_bytes)
JOB = _bytes(16, "job id", job_id_from_bytes, uuid_bytes)
ATTEMPT = _bytes(16, "attempt id", attempt_id_from_bytes, uuid_bytes)
DIGEST = _bytes(32, "digest", lambda raw: raw.hex(), _digest_bytes)
DOT = FieldType("dot", dot_fields, dot_untrusted)
DOTS = list_of(DOT)
BLOB = FieldType("bytes", _blob_untrusted, _blob_untrusted)
CUT_OFF = list_of(tuple_of("epoch and seq", EPOCH, COUNTER))
BUILT_ON = list_of(tuple_of("epoch, seq, head hash", EPOCH, COUNTER, DIGEST))
