"""Registers: a member's signed latest value of one kind; the greatest (boot, seq) wins.

For what changes often and whose past nobody needs: free capacity, local data, what was seen. They
are never in a log. Relays pass them on as their owner made them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mesh.gossip.messages import MAX_REGISTER_BYTES, RegisterVersion
from mesh.gossip.signed import Proof, SignedError, Statement, open_untrusted, prove, sign
from mesh.trust import CertificateBook, Trust
from scheduler.ids import ID_BYTES, NodeId, node_id_from_bytes, node_id_to_bytes

DOMAIN = b"bacalhau-mesh register 1\0"
FORMAT_VERSION = 1

CAPACITY, LOCAL_DATA, SEEN = 1, 2, 3
"""Kinds in use; others are kept and passed on, up to `MAX_KINDS`."""
MAX_KINDS = 16
"""Kinds kept of one member: room for later ones, a bound for a member that makes them up."""


@dataclass(frozen=True, slots=True)
class Register:
    """One value; `data` is how its owner signed it."""

    node: NodeId
    boot: int
    seq: int
    kind: int
    payload: bytes
    serial: bytes
    data: bytes

    @property
    def version(self) -> RegisterVersion:
        """Which value this is."""
        return RegisterVersion(self.node, self.kind, self.boot, self.seq)


@dataclass(frozen=True, slots=True)
class UnprovedRegister:
    """A well-formed register whose signature nobody has checked yet."""

    register: Register
    statement: Statement

    def prove(self, book: CertificateBook) -> Proof:
        """Whether its owner signed it."""
        register = self.register
        return prove(book, DOMAIN, self.statement, serial=register.serial, node=register.node)


def sign_register(trust: Trust, *, boot: int, seq: int, kind: int, payload: bytes) -> Register:
    """A register of our own."""
    own = trust.own
    fields = [FORMAT_VERSION, node_id_to_bytes(own.node), boot, seq, kind, payload, own.serial]
    data = sign(trust, DOMAIN, fields)
    return Register(own.node, boot, seq, kind, payload, own.serial, data)


def read_register_untrusted(data: bytes) -> UnprovedRegister:
    """The register in these bytes, not proved; SignedError when they are none."""
    statement = open_untrusted(data, max_bytes=MAX_REGISTER_BYTES)
    if [type(one) for one in statement.fields] != [int, bytes, int, int, int, bytes, bytes]:
        raise SignedError("not the seven fields of a register")
    version, node, boot, seq, kind, payload, serial = statement.fields
    if version != FORMAT_VERSION or len(node) != ID_BYTES or len(serial) != ID_BYTES:
        raise SignedError("not a register of this format")
    if not (0 <= boot < 1 << 64 and 0 <= seq < 1 << 64 and 0 <= kind <= 255):
        raise SignedError("boot, seq or kind out of range")
    register = Register(node_id_from_bytes(node), boot, seq, kind, payload, serial, data)
    return UnprovedRegister(register, statement)


class RegisterTable:
    """The greatest value of every register heard of, our own included, with a hash of it all."""

    def __init__(self) -> None:
        self._registers: dict[NodeId, dict[int, Register]] = {}
        self._hash = 0

    def get(self, node: NodeId, kind: int) -> Register | None:
        """The value kept, if any."""
        return self._registers.get(node, {}).get(kind)

    def is_news(self, register: Register) -> bool:
        """Whether a value is greater than ours and may be kept."""
        kinds = self._registers.get(register.node, {})
        known = kinds.get(register.kind)
        if known is None:
            return len(kinds) < MAX_KINDS
        return register.version > known.version

    def put(self, register: Register) -> None:
        """Keep a proved value that is news."""
        kinds = self._registers.setdefault(register.node, {})
        known = kinds.get(register.kind)
        if known is not None:
            self._hash ^= _entry_hash(known)
        self._hash ^= _entry_hash(register)
        kinds[register.kind] = register

    def versions(self) -> tuple[RegisterVersion, ...]:
        """Which values are here."""
        return tuple(one.version for kinds in self._registers.values() for one in kinds.values())

    def newer_than(self, known: Sequence[RegisterVersion]) -> list[bytes]:
        """What an asker with these values lacks, as the owners made them."""
        told = {(one.node, one.kind): one for one in known}
        return [
            register.data
            for node, kinds in self._registers.items()
            for kind, register in kinds.items()
            if (node, kind) not in told or told[node, kind] < register.version
        ]

    @property
    def hash(self) -> bytes:
        """8 bytes that are equal on nodes that hold the same."""
        return self._hash.to_bytes(8, "big")


def _entry_hash(register: Register) -> int:
    return int.from_bytes(hashlib.sha256(register.data).digest()[:8], "big")
