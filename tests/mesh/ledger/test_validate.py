from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mesh.ledger.envelope import NO_HASH, Envelope, decode_untrusted, encode_envelope
from mesh.ledger.validate import WRITERS, Void, may_write, read_records
from mesh.trust import ROLES
from scheduler import cbor
from scheduler.ids import Dot
from scheduler.records import Kind, Record, encode_record
from tests.mesh.ledger.samples import OTHER, claim, every_kind
from tests.mesh.trust_stub import StubTrust, stub_certificate

OWN = stub_certificate("a")
TRUST = StubTrust(OWN)
SAMPLES = {Kind(record.kind): record for record in every_kind(OWN.node, 5)}
OPENED = encode_record(SAMPLES[Kind.EPOCH_OPENED])
CLAIMED = encode_record(claim(1))
UNKNOWN = cbor.encode([4000, 0, None, {"from": "a newer release"}])

MAY = {
    Kind.EPOCH_OPENED: ROLES,
    Kind.JOB_CREATED: ("orchestrate", "submit"),
    Kind.VERSION_ADDED: ("orchestrate", "submit"),
    Kind.STOP_REQUESTED: ("orchestrate", "submit"),
    Kind.OWNER_CLAIMED: ("orchestrate",),
    Kind.ATTEMPT_PLACED: ("orchestrate",),
    Kind.ATTEMPT_STOP_REQUESTED: ("orchestrate",),
    Kind.ATTEMPT_OBSERVED: ("compute",),
    Kind.PURGED: ("orchestrate",),
    Kind.CHECKPOINT_BEGUN: ROLES,
    Kind.CHECKPOINT_ENDED: ROLES,
    Kind.CERTIFICATE_ISSUED: ("admit",),
    Kind.MEMBER_REVOKED: ("admin",),
    Kind.MEMBER_RETIRED: ("admin", "orchestrate"),
    Kind.NODE_INTENT: ("admin", "admit"),
    Kind.JOB_EXPIRED: ("orchestrate",),
}
ABOUT_ITSELF = {
    Kind.ATTEMPT_PLACED: "node",
    Kind.PURGED: "author",
    Kind.MEMBER_RETIRED: "node",
    Kind.NODE_INTENT: "node",
}


def envelope_of(
    records: Sequence[bytes], *, first_seq: int = 1, count: int | None = None
) -> Envelope:
    previous = NO_HASH if first_seq == 1 else bytes([1] * 32)
    stored = encode_envelope(
        TRUST, epoch=5, first_seq=first_seq, previous=previous, records=records
    )
    envelope = decode_untrusted(stored.data)
    counted = replace(stored, count=len(records) if count is None else count)
    return replace(envelope, stored=counted)


def test_every_kind_has_its_writers() -> None:
    assert set(WRITERS) == set(MAY) == set(Kind)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
def test_a_role_may_write_what_the_table_says(kind: Kind, role: str) -> None:
    record = SAMPLES[kind]
    about_other = {**record.body, ABOUT_ITSELF.get(kind, "none"): OTHER}
    assert may_write(OWN.node, (role,), record._replace(body=about_other)) == (role in MAY[kind])


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
def test_some_kinds_a_node_may_write_about_itself_with_no_role(kind: Kind) -> None:
    record = SAMPLES[kind]
    about_itself = {**record.body, ABOUT_ITSELF.get(kind, "none"): OWN.node}
    allowed = kind in ABOUT_ITSELF or MAY[kind] == ROLES
    assert may_write(OWN.node, (), record._replace(body=about_itself)) == allowed


def test_records_come_with_their_dots() -> None:
    envelope = envelope_of([CLAIMED, encode_record(claim(2))], first_seq=7)
    assert read_records(envelope, OWN) == (
        (Dot(OWN.node, 5, 7), claim(1)),
        (Dot(OWN.node, 5, 8), claim(2)),
    )


def test_unknown_kinds_are_passed_over_and_keep_their_seq() -> None:
    envelope = envelope_of([OPENED, UNKNOWN, CLAIMED])
    read = read_records(envelope, stub_certificate("a", ("orchestrate",)))
    assert not isinstance(read, Void)
    assert [(dot.seq, record.kind) for dot, record in read] == [
        (1, Kind.EPOCH_OPENED),
        (3, Kind.OWNER_CLAIMED),
    ]


def _with_hlc(hlc: int) -> bytes:
    value = cbor.decode_untrusted(CLAIMED, max_bytes=1_000)
    return cbor.encode([value[0], hlc, *value[2:]])


@pytest.mark.parametrize(
    ("envelope", "why"),
    [
        (envelope_of([OPENED, CLAIMED], count=3), Void.COUNT),
        (envelope_of([OPENED, CLAIMED], count=1), Void.COUNT),
        (replace(envelope_of([OPENED]), records=()), Void.COUNT),
        (envelope_of([OPENED, b""]), Void.RECORD),
        (envelope_of([OPENED, CLAIMED + b"\0"]), Void.RECORD),
        (envelope_of([OPENED, _with_hlc(2**64 - 1)]), Void.RECORD),
        (envelope_of([CLAIMED]), Void.EPOCH_OPENED),
        (envelope_of([UNKNOWN]), Void.EPOCH_OPENED),
        (envelope_of([OPENED, OPENED]), Void.EPOCH_OPENED),
        (envelope_of([OPENED], first_seq=2), Void.EPOCH_OPENED),
        (
            envelope_of([OPENED, encode_record(SAMPLES[Kind.ATTEMPT_OBSERVED])]),
            Void.ROLE,
        ),
    ],
)
def test_what_no_rule_allows_is_void_as_a_whole(envelope: Envelope, why: Void) -> None:
    assert read_records(envelope, stub_certificate("a", ("orchestrate",))) is why


def test_another_nodes_certificate_makes_it_void() -> None:
    assert read_records(envelope_of([OPENED]), stub_certificate("b")) is Void.CERTIFICATE


def test_the_whole_table_is_read_by_a_node_with_all_roles() -> None:
    records = every_kind(OWN.node, 5)
    read = read_records(envelope_of([encode_record(record) for record in records]), OWN)
    assert not isinstance(read, Void)
    assert [record for _, record in read] == [Record(*record) for record in records]
