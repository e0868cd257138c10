"""What a node says of itself in its registers: capacity and local data, to and from CBOR.

A register is the node's latest word, signed by it and never kept in a log. Unknown keys are passed
over, so that a later release may say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler import cbor
from scheduler.ids import ID_BYTES, Digest, NodeId, node_id_from_bytes, node_id_to_bytes
from scheduler.jobs import FOLD_VERSION, DataEntry, Resources

CAPACITY = 1
LOCAL_DATA = 2
SEEN = 3

MAX_REGISTER_BYTES = 32 * 1024
"""Half a frame; 64 offered entries of 255-byte paths are 18 KiB."""
MAX_BLOBS = 64
"""Cached modules that a node names; a ranking needs no more."""
MAX_ENTRIES = 64
MAX_IMAGES = 64
MAX_IMAGE_CHARS = 255
"""Longer references are left out: together with the rest they must fit into the register."""


class RegisterError(ValueError):
    """A payload that is not a register of its kind."""


@dataclass(frozen=True, slots=True)
class CapacityRegister:
    """What a node can do."""

    capacity: Resources = Resources()
    engines: Mapping[str, str] = field(default_factory=dict)
    """Name to version."""
    sources: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    blobs: tuple[Digest, ...] = ()
    images: tuple[str, ...] = ()
    """Of containers, the newest first."""
    version: str = ""
    fold: int = FOLD_VERSION
    load_tenths: int | None = None
    """Tenths of the load average of a minute, by processor; None where that is not known."""


@dataclass(frozen=True, slots=True)
class DataRegister:
    """What a node's allowed folders hold."""

    entries: tuple[DataEntry, ...] = ()
    writable: tuple[str, ...] = ()


def encode_capacity(register: CapacityRegister) -> bytes:
    """Wire form of a capacity register."""
    load = {} if register.load_tenths is None else {9: register.load_tenths}
    return cbor.encode(
        {
            0: list(register.capacity),
            1: dict(register.engines),
            2: list(register.sources),
            3: list(register.publishers),
            4: dict(register.labels),
            5: list(register.roles),
            6: [bytes.fromhex(digest) for digest in register.blobs[:MAX_BLOBS]],
            7: register.version,
            8: register.fold,
            **load,
            10: [one for one in register.images if len(one) <= MAX_IMAGE_CHARS][:MAX_IMAGES],
        }
    )


def decode_capacity_untrusted(payload: bytes) -> CapacityRegister:
    """The register in these bytes; RegisterError for anything else."""
    body = _body_untrusted(payload)
    try:
        return CapacityRegister(
            capacity=Resources(*(_amount_untrusted(one) for one in body[0])),
            engines=_texts_untrusted(body[1]),
            sources=_list_untrusted(body[2]),
            publishers=_list_untrusted(body[3]),
            labels=_texts_untrusted(body[4]),
            roles=_list_untrusted(body[5]),
            blobs=tuple(Digest(raw.hex()) for raw in body[6][:MAX_BLOBS]),
            version=str(body[7]),
            fold=int(body[8]),
            load_tenths=_amount_untrusted(body[9]) if 9 in body else None,
            images=_list_untrusted(body.get(10, []))[:MAX_IMAGES],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegisterError(f"not a capacity register: {error}") from error


def encode_data(register: DataRegister) -> bytes:
    """Wire form of a local-data register."""
    entries = [[one.path, one.size_bytes, one.newest_ms] for one in register.entries[:MAX_ENTRIES]]
    return cbor.encode({0: entries, 1: list(register.writable)})


def decode_data_untrusted(payload: bytes) -> DataRegister:
    """The register in these bytes; RegisterError for anything else."""
    body = _body_untrusted(payload)
    try:
        entries = tuple(
            DataEntry(str(path), _amount_untrusted(size), _amount_untrusted(newest))
            for path, size, newest in body[0][:MAX_ENTRIES]
        )
        return DataRegister(entries, _list_untrusted(body[1]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegisterError(f"not a local-data register: {error}") from error


def encode_seen(context: Mapping[tuple[NodeId, int], int]) -> bytes:
    """Wire form of a `seen` register: seqs by author and epoch."""
    return cbor.encode(
        {
            0: [
                [node_id_to_bytes(author), epoch, context[author, epoch]]
                for author, epoch in sorted(context)
            ]
        }
    )


def decode_seen_untrusted(payload: bytes) -> dict[tuple[NodeId, int], int]:
    """The context in these bytes; RegisterError for anything else."""
    body = _body_untrusted(payload)
    try:
        return {
            (
                node_id_from_bytes(_sixteen_untrusted(author)),
                _amount_untrusted(epoch),
            ): _amount_untrusted(seq)
            for author, epoch, seq in body[0]
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegisterError(f"not a seen register: {error}") from error


def _sixteen_untrusted(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != ID_BYTES:
        raise ValueError("not a node id")
    return value


def _body_untrusted(payload: bytes) -> dict[Any, Any]:
    try:
        body = cbor.decode_untrusted(payload, max_bytes=MAX_REGISTER_BYTES)
    except cbor.CborError as error:
        raise RegisterError(str(error)) from error
    if type(body) is not dict:
        raise RegisterError("a register is a map")
    return body


def _amount_untrusted(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not an amount")
    return value


def _list_untrusted(value: Any) -> tuple[str, ...]:
    if type(value) is not list or any(type(one) is not str for one in value):
        raise ValueError("not a list of texts")
    return tuple(value)


def _texts_untrusted(value: Any) -> dict[str, str]:
    if type(value) is not dict or any(
        type(one) is not str for pair in value.items() for one in pair
    ):
        raise ValueError("not a map of texts")
    return dict(value)
