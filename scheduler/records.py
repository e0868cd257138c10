"""The facts of the ledger: kinds, bodies, and their one table.

A record on the wire is `[kind, hlc, cause, body]`: a small integer, a hybrid clock reading, the dot
of the record that caused it (or null), and a map from small integers to values. The table `KINDS`
below is the only place that says which fields a kind has; encoding, validation and
`docs/protocol.md` follow it. Kinds and fields that this release does not know are kept and passed
on byte for byte, and folded by nobody (P38).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from scheduler import cbor
from scheduler.ids import Dot
from scheduler.instant import Hlc
from scheduler.record_fields import (
    ATTEMPT,
    BLOB,
    BUILT_ON,
    COUNTER,
    CUT_OFF,
    DIGEST,
    DOT,
    DOTS,
    EPOCH,
    JOB,
    MAX_COUNTER,
    MAX_RECORD_BYTES,
    NODE,
    SIGNED,
    SMALL,
    TEXT,
    Field,
    dot_fields,
    dot_untrusted,
    list_of,
    text_map,
    tuple_of,
    unsigned,
)

__all__ = [
    "KINDS",
    "MAX_COUNTER",
    "MAX_HLC",
    "MAX_RECORD_BYTES",
    "Kind",
    "Record",
    "RecordError",
    "decode_record_untrusted",
    "encode_record",
]

MAX_HLC = 253_402_300_800_000 << 16
"""The end of year 9999: a clock beyond it is nonsense, the same nonsense on every node."""


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
        Field(9, "retry_program", unsigned(1, "0 or 1")),
        Field(10, "execution_timeout_s", COUNTER),
        Field(11, "queue_timeout_s", COUNTER),
        Field(12, "total_timeout_s", COUNTER),
        Field(13, "disconnect", text_map(TEXT)),
        Field(14, "members", list_of(NODE), required=False),
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
        Field(9, "next_best", list_of(tuple_of("node and score", NODE, SIGNED))),
        Field(10, "refusals", text_map(COUNTER)),
        Field(11, "reasons", text_map(SIGNED)),
    ),
    Kind.ATTEMPT_STOP_REQUESTED: (
        *_ABOUT_JOB,
        Field(2, "attempt", ATTEMPT),
        Field(3, "reason", TEXT),
    ),
    Kind.ATTEMPT_OBSERVED: (
        *_ABOUT_JOB,
        Field(2, "attempt", ATTEMPT),
        Field(3, "state", unsigned(8, "attempt state")),
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
        Field(2, "births", list_of(tuple_of("first and last seq", COUNTER, COUNTER))),
        Field(3, "erase", unsigned(1, "0 or 1"), required=False),
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

_DUMPS: Mapping[int, Mapping[str, tuple[int, Callable[[Any], Any]]]] = {
    kind: {field.name: (field.number, field.type.dump) for field in fields}
    for kind, fields in KINDS.items()
}
_LOADS: Mapping[int, Mapping[int, tuple[str, Callable[[Any], Any]]]] = {
    kind: {field.number: (field.name, field.type.load_untrusted) for field in fields}
    for kind, fields in KINDS.items()
}
_REQUIRED_NAMES: Mapping[int, frozenset[str]] = {
    kind: frozenset(field.name for field in fields if field.required)
    for kind, fields in KINDS.items()
}
_REQUIRED_NUMBERS: Mapping[int, frozenset[int]] = {
    kind: frozenset(field.number for field in fields if field.required)
    for kind, fields in KINDS.items()
}


def encode_record(record: Record) -> bytes:
    """The wire form of a record of a known kind.

    RecordError for a missing or misnamed field, and for whatever readers would refuse: every field
    is checked by the same rules as there.
    """
    kind, hlc, cause, body = record
    wire = _wire_body(kind, body)
    _check_header(kind, hlc, wire)
    try:
        caused = None if cause is None else dot_fields(cause)
    except ValueError as error:
        raise RecordError(f"cause: {error}") from error
    data = cbor.encode([int(kind), hlc, caused, wire])
    if len(data) > MAX_RECORD_BYTES:
        raise RecordError(f"{len(data)} bytes where {MAX_RECORD_BYTES} are allowed")
    return data


def _wire_body(kind: int, body: Mapping[str, Any]) -> dict[int, Any]:
    dumps = _DUMPS.get(kind)
    if dumps is None:
        raise RecordError(f"kind {kind} is none of this release")
    wire: dict[int, Any] = {}
    name = ""
    try:
        for name, value in body.items():
            if value is not None:
                number, dump = dumps[name]
                wire[number] = dump(value)
    except KeyError as error:
        raise RecordError(f"{Kind(kind).name} has no field {error}") from error
    except ValueError as error:
        raise RecordError(f"{Kind(kind).name} {name}: {error}") from error
    if not _REQUIRED_NUMBERS[kind] <= wire.keys():
        raise _lacking(kind, {name for name, value in body.items() if value is not None})
    return wire


def decode_record_untrusted(data: bytes) -> Record:
    """The record that these bytes hold; RecordError, and nothing else, when no rule allows them."""
    try:
        value = cbor.decode_untrusted(data, max_bytes=MAX_RECORD_BYTES)
    except cbor.CborError as error:
        raise RecordError(str(error)) from error
    if type(value) is not list or len(value) != 4:
        raise RecordError("a record is a list of four")
    kind, hlc, cause, body = value
    _check_header(kind, hlc, body)
    try:
        caused = None if cause is None else dot_untrusted(cause)
    except ValueError as error:
        raise RecordError(f"cause: {error}") from error
    return Record(kind, Hlc(hlc), caused, _load_body_untrusted(kind, body))


def _check_header(kind: Any, hlc: Any, body: Any) -> None:
    if not isinstance(kind, int) or type(kind) is bool or not 0 < kind <= 0xFFFF:
        raise RecordError("kind is not an integer from 1 to 65535")
    if type(hlc) is not int or not 0 <= hlc <= MAX_HLC:
        raise RecordError("hlc is outside the years 1970 to 9999")
    if type(body) is not dict:
        raise RecordError("body is not a map")


def _load_body_untrusted(kind: int, body: dict[Any, Any]) -> dict[str, Any]:
    loads = _LOADS.get(kind)
    if loads is None:
        return {}
    loaded: dict[str, Any] = {}
    name = ""
    try:
        for number, value in body.items():
            if number in loads:
                name, load = loads[number]
                loaded[name] = load(value)
    except ValueError as error:
        raise RecordError(f"{Kind(kind).name} {name}: {error}") from error
    if not _REQUIRED_NAMES[kind] <= loaded.keys():
        raise _lacking(kind, loaded.keys())
    return loaded


def _lacking(kind: int, names: Collection[str]) -> RecordError:
    missing = next(one.name for one in KINDS[Kind(kind)] if one.required and one.name not in names)
    return RecordError(f"{Kind(kind).name} lacks {missing}")
