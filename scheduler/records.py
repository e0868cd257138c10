"""The facts of the ledger: kinds, bodies, and their one table.

A record on the wire is `[kind, hlc, cause, body]`: a small integer, a hybrid clock reading, the dot
of the record that caused it (or null), and a map from small integers to values. The table `KINDS`
below is the only place that says which fields a kind has; encoding, validation and
`docs/protocol.md` follow it. Kinds and fields that this release does not know are kept and passed
on byte for byte, and folded by nobody (P38).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from scheduler import cbor
from scheduler.ids import (
    Dot,
    attempt_id_from_bytes,
    job_id_from_bytes,
    node_id_from_bytes,
    node_id_to_bytes,
    uuid_bytes,
)
from scheduler.instant import Hlc

MAX_RECORD_BYTES = 8 * 1024
"""Half an envelope: a placement is 2 KiB at most, two output tails are 4 KiB."""
MAX_TEXT_BYTES = 4 * 1024
MAX_LIST_ITEMS = 4096
MAX_HLC = 253_402_300_800_000 << 16
"""The end of year 9999: a clock beyond it is nonsense, the same nonsense on every node."""
MAX_COUNTER = (1 << 53) - 1
"""Terms, versions, seqs: beyond any history, and exact in every reader's numbers."""


class Kind(IntEnum):
    """Record kinds as they stand on the wire. Numbers are never reused."""

    EPOCH_OPENED = 1
    JOB_CREATED = 2
    VERSION_ADDED = 3
    STOP_REQUESTED = 4
    OWNER_CLAIMED = 5
    ATTEMPT_PLACED = 6
    ATTEMPT_STOP_REQUESTED = 7
    ATTEMPT_OBSERVED = 8
    PURGED = 9
    CHECKPOINT_BEGUN = 10
    CHECKPOINT_ENDED = 11
    CERTIFICATE_ISSUED = 12
    MEMBER_REVOKED = 13
    MEMBER_RETIRED = 14
    NODE_INTENT = 15
    JOB_EXPIRED = 16


class RecordError(ValueError):
    """A record that no rule allows; the sentence says which field and why."""


class Record(NamedTuple):
    """One fact. `body` holds Python nouns by field name; unknown kinds have an empty one."""

    kind: int
    hlc: Hlc
    cause: Dot | None
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldType:
    """How one field travels: `dump` to a CBOR value, `load_untrusted` back (ValueError inside)."""

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


def _unsigned(maximum: int, name: str) -> FieldType:
    def load(value: Any) -> int:
        if type(value) is not int or not 0 <= value <= maximum:
            raise ValueError(f"not an integer from 0 to {maximum}")
        return value

    return FieldType(name, lambda value: value, load)


def _text_untrusted(value: Any) -> str:
    if type(value) is not str or len(value.encode("utf-8")) > MAX_TEXT_BYTES:
        raise ValueError(f"not a text of at most {MAX_TEXT_BYTES} bytes")
    return value


def _bytes(
    length: int, name: str, load: Callable[[bytes], Any], dump: Callable[[Any], bytes]
) -> FieldType:
    def checked(value: Any) -> Any:
        if type(value) is not bytes or len(value) != length:
            raise ValueError(f"not {length} bytes")
        return load(value)

    return FieldType(name, dump, checked)


def _list_of(item: FieldType) -> FieldType:
    def load(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) > MAX_LIST_ITEMS:
            raise ValueError(f"not a list of at most {MAX_LIST_ITEMS}")
        return tuple(item.load_untrusted(one) for one in value)

    return FieldType(f"list of {item.name}", lambda items: [item.dump(one) for one in items], load)


def _tuple_of(
    name: str, *items: FieldType, make: Callable[..., Any] = lambda *one: one
) -> FieldType:
    def load(value: Any) -> Any:
        if type(value) is not list or len(value) != len(items):
            raise ValueError(f"not a list of {len(items)}")
        return make(*(item.load_untrusted(one) for item, one in zip(items, value, strict=True)))

    return FieldType(
        name, lambda value: [item.dump(one) for item, one in zip(items, value, strict=True)], load
    )


def _text_map(item: FieldType) -> FieldType:
    def load(value: Any) -> dict[str, Any]:
        if type(value) is not dict or len(value) > MAX_LIST_ITEMS:
            raise ValueError(f"not a map of at most {MAX_LIST_ITEMS} entries")
        return {_text_untrusted(key): item.load_untrusted(one) for key, one in value.items()}

    return FieldType(
        f"map of text to {item.name}",
        lambda entries: {key: item.dump(one) for key, one in entries.items()},
        load,
    )


def _signed_untrusted(value: Any) -> int:
    if type(value) is not int or not -MAX_COUNTER <= value <= MAX_COUNTER:
        raise ValueError("not an integer within 53 bits")
    return value


COUNTER = _unsigned(MAX_COUNTER, "counter")
EPOCH = _unsigned((1 << 64) - 1, "epoch")
SMALL = _unsigned(0xFFFF, "small counter")
SIGNED = FieldType("signed integer", lambda value: value, _signed_untrusted)
TEXT = FieldType("text", lambda value: value, _text_untrusted)
NODE = _bytes(16, "node id", node_id_from_bytes, node_id_to_bytes)
JOB = _bytes(16, "job id", job_id_from_bytes, uuid_bytes)
ATTEMPT = _bytes(16, "attempt id", attempt_id_from_bytes, uuid_bytes)
DIGEST = _bytes(32, "digest", lambda raw: raw.hex(), bytes.fromhex)
DOT = FieldType(
    "dot",
    lambda dot: [node_id_to_bytes(dot[0]), dot[1], dot[2]],
    lambda value: _dot_untrusted(value),
)
DOTS = _list_of(DOT)
BLOB = FieldType("bytes", lambda value: value, lambda value: _blob_untrusted(value))
CUT_OFF = _list_of(_tuple_of("epoch and seq", EPOCH, COUNTER))
BUILT_ON = _list_of(_tuple_of("epoch, seq, head hash", EPOCH, COUNTER, DIGEST))


def _dot_untrusted(value: Any) -> Dot:
    """Written out, not put together from its three fields: a record holds up to three of these."""
    if type(value) is not list or len(value) != 3:
        raise ValueError("not a list of 3")
    author, epoch, seq = value
    if type(author) is not bytes or len(author) != 16:
        raise ValueError("not 16 bytes")
    if type(epoch) is not int or not 0 <= epoch < 1 << 64:
        raise ValueError("not an epoch")
    if type(seq) is not int or not 0 <= seq <= MAX_COUNTER:
        raise ValueError(f"not an integer from 0 to {MAX_COUNTER}")
    return Dot(node_id_from_bytes(author), epoch, seq)


def _blob_untrusted(value: Any) -> bytes:
    if type(value) is not bytes or len(value) > MAX_RECORD_BYTES:
        raise ValueError(f"not at most {MAX_RECORD_BYTES} bytes")
    return value


_ABOUT_JOB = (Field(0, "job", JOB), Field(1, "birth", DOT))

KINDS: Mapping[Kind, tuple[Field, ...]] = {
    Kind.EPOCH_OPENED: (Field(0, "builds_on", BUILT_ON), Field(1, "version", TEXT)),
    Kind.JOB_CREATED: (
        Field(0, "job", JOB),
        Field(1, "namespace", TEXT),
        Field(2, "name", TEXT),
        Field(3, "submitter", TEXT),
        Field(4, "key", TEXT, required=False),
        Field(5, "spec", DIGEST),
        Field(6, "fold", SMALL),
    ),
    Kind.VERSION_ADDED: (
        *_ABOUT_JOB,
        Field(2, "number", COUNTER),
        Field(3, "type", TEXT),
        Field(4, "count", COUNTER),
        Field(5, "priority", SIGNED),
        Field(6, "spec", DIGEST),
        Field(7, "seen_stops", DOTS),
        Field(8, "retry_attempts", SMALL),
        Field(9, "retry_program", _unsigned(1, "0 or 1")),
        Field(10, "execution_timeout_s", COUNTER),
        Field(11, "queue_timeout_s", COUNTER),
        Field(12, "total_timeout_s", COUNTER),
        Field(13, "disconnect", _text_map(TEXT)),
        Field(14, "members", _list_of(NODE), required=False),
        Field(15, "reason", TEXT, required=False),
        Field(16, "key", TEXT, required=False),
    ),
    Kind.STOP_REQUESTED: (*_ABOUT_JOB, Field(2, "reason", TEXT)),
    Kind.OWNER_CLAIMED: (*_ABOUT_JOB, Field(2, "term", COUNTER)),
    Kind.ATTEMPT_PLACED: (
        *_ABOUT_JOB,
        Field(2, "attempt", ATTEMPT),
        Field(3, "version", DOT),
        Field(4, "index", COUNTER),
        Field(5, "number", COUNTER),
        Field(6, "term", COUNTER),
        Field(7, "node", NODE),
        Field(8, "score", SIGNED),
        Field(9, "next_best", _list_of(_tuple_of("node and score", NODE, SIGNED))),
        Field(10, "refusals", _text_map(COUNTER)),
        Field(11, "reasons", _text_map(SIGNED)),
    ),
    Kind.ATTEMPT_STOP_REQUESTED: (
        *_ABOUT_JOB,
        Field(2, "attempt", ATTEMPT),
        Field(3, "reason", TEXT),
    ),
    Kind.ATTEMPT_OBSERVED: (
        *_ABOUT_JOB,
        Field(2, "attempt", ATTEMPT),
        Field(3, "state", _unsigned(8, "attempt state")),
        Field(4, "reason", TEXT, required=False),
        Field(5, "message", TEXT, required=False),
        Field(6, "exit_code", SIGNED, required=False),
        Field(7, "result", DIGEST, required=False),
        Field(8, "result_bytes", COUNTER, required=False),
        Field(9, "stdout_tail", TEXT, required=False),
        Field(10, "stderr_tail", TEXT, required=False),
        Field(11, "stdout_bytes", COUNTER, required=False),
        Field(12, "stderr_bytes", COUNTER, required=False),
        Field(13, "elapsed_ms", COUNTER, required=False),
    ),
    Kind.PURGED: (
        Field(0, "author", NODE),
        Field(1, "epoch", EPOCH),
        Field(2, "births", _list_of(_tuple_of("first and last seq", COUNTER, COUNTER))),
        Field(3, "erase", _unsigned(1, "0 or 1"), required=False),
    ),
    Kind.CHECKPOINT_BEGUN: (Field(0, "supersedes", CUT_OFF),),
    Kind.CHECKPOINT_ENDED: (Field(0, "count", COUNTER), Field(1, "digest", DIGEST)),
    Kind.CERTIFICATE_ISSUED: (Field(0, "certificate", BLOB),),
    Kind.MEMBER_REVOKED: (
        Field(0, "node", NODE),
        Field(1, "cut_off", CUT_OFF),
        Field(2, "reason", TEXT),
    ),
    Kind.MEMBER_RETIRED: (
        Field(0, "node", NODE),
        Field(1, "cut_off", CUT_OFF),
        Field(2, "reason", TEXT),
    ),
    Kind.NODE_INTENT: (
        Field(0, "node", NODE),
        Field(1, "number", COUNTER),
        Field(2, "intent", TEXT),
        Field(3, "reason", TEXT, required=False),
        Field(4, "deadline_s", COUNTER, required=False),
    ),
    Kind.JOB_EXPIRED: (
        *_ABOUT_JOB,
        Field(2, "version", DOT),
        Field(3, "reason", TEXT),
        Field(4, "elapsed_ms", COUNTER),
    ),
}

_BY_NAME = {kind: {field.name: field for field in fields} for kind, fields in KINDS.items()}
_BY_NUMBER = {kind: {field.number: field for field in fields} for kind, fields in KINDS.items()}
_REQUIRED = {
    kind: tuple(field.name for field in fields if field.required) for kind, fields in KINDS.items()
}


def encode_record(record: Record) -> bytes:
    """The wire form of a record of a known kind; RecordError for a missing or misnamed field."""
    return _encode(record, _wire_body(record))


def encode_own_record(record: Record) -> bytes:
    """As `encode_record`; RecordError also for what readers would refuse.

    The same as reading it back, at a third of the price: what was just encoded is CBOR.
    """
    body = _wire_body(record)
    data = _encode(record, body)
    if len(data) > MAX_RECORD_BYTES:
        raise RecordError(f"{len(data)} bytes where {MAX_RECORD_BYTES} are allowed")
    _header_untrusted(int(record.kind), record.hlc, body)
    _cause_untrusted(None if record.cause is None else DOT.dump(record.cause))
    _load_body(Kind(record.kind), body)
    return data


def _encode(record: Record, body: dict[int, Any]) -> bytes:
    cause = None if record.cause is None else DOT.dump(record.cause)
    return cbor.encode([int(record.kind), record.hlc, cause, body])


def _wire_body(record: Record) -> dict[int, Any]:
    fields = _BY_NAME.get(Kind(record.kind), {})
    try:
        body = {
            fields[name].number: fields[name].type.dump(value)
            for name, value in record.body.items()
            if value is not None
        }
    except KeyError as error:
        raise RecordError(f"{Kind(record.kind).name} has no field {error}") from error
    for field in fields.values():
        if field.required and field.number not in body:
            raise RecordError(f"{Kind(record.kind).name} lacks {field.name}")
    return body


def decode_record_untrusted(data: bytes) -> Record:
    """The record that these bytes hold; RecordError, and nothing else, when no rule allows them."""
    try:
        value = cbor.decode_untrusted(data, max_bytes=MAX_RECORD_BYTES)
    except cbor.CborError as error:
        raise RecordError(str(error)) from error
    if type(value) is not list or len(value) != 4:
        raise RecordError("a record is a list of four")
    kind, hlc, cause, body = value
    _header_untrusted(kind, hlc, body)
    cause_dot = _cause_untrusted(cause)
    if kind not in Kind._value2member_map_:
        return Record(kind, Hlc(hlc), cause_dot, {})
    return Record(kind, Hlc(hlc), cause_dot, _load_body(Kind(kind), body))


def _header_untrusted(kind: Any, hlc: Any, body: Any) -> None:
    if type(kind) is not int or not 0 < kind <= 0xFFFF:
        raise RecordError("kind is not an integer from 1 to 65535")
    if type(hlc) is not int or not 0 <= hlc <= MAX_HLC:
        raise RecordError("hlc is outside the years 1970 to 9999")
    if type(body) is not dict:
        raise RecordError("body is not a map")


def _cause_untrusted(cause: Any) -> Dot | None:
    try:
        return None if cause is None else DOT.load_untrusted(cause)
    except ValueError as error:
        raise RecordError(f"cause: {error}") from error


def _load_body(kind: Kind, body: dict[Any, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = {}
    fields = _BY_NUMBER[kind]
    for number, value in body.items():
        field = fields.get(number)
        if field is None:
            continue
        try:
            loaded[field.name] = field.type.load_untrusted(value)
        except ValueError as error:
            raise RecordError(f"{kind.name} {field.name}: {error}") from error
    for name in _REQUIRED[kind]:
        if name not in loaded:
            raise RecordError(f"{kind.name} lacks {name}")
    return loaded
