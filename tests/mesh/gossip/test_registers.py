from __future__ import annotations

from random import Random

import pytest

from mesh.gossip.registers import (
    DOMAIN,
    MAX_KINDS,
    Register,
    RegisterTable,
    read_register_untrusted,
    sign_register,
)
from mesh.gossip.signed import SignedError, sign
from scheduler.ids import node_id_to_bytes
from tests.mesh.gossip.solo import CERTIFICATES, node, trust

NODE = node_id_to_bytes(node("p1"))
SERIAL = CERTIFICATES["p1"].serial


def _register(name: str, boot: int, seq: int, kind: int = 1) -> Register:
    payload = f"{boot}.{seq}".encode()
    return sign_register(trust(name), boot=boot, seq=seq, kind=kind, payload=payload)


def test_a_register_survives_the_wire() -> None:
    register = _register("p1", 2**63, 7, kind=255)
    assert read_register_untrusted(register.data).register == register


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [2, NODE, 1, 1, 1, b"", SERIAL],
        [1, NODE[1:], 1, 1, 1, b"", SERIAL],
        [1, NODE, -1, 1, 1, b"", SERIAL],
        [1, NODE, 1, -1, 1, b"", SERIAL],
        [1, NODE, 1, 1, 256, b"", SERIAL],
        [1, NODE, 1, 1, 1, "", SERIAL],
        [1, NODE, 1, 1, 1, b"", SERIAL[1:]],
    ],
    ids=str,
)
def test_what_is_no_register_is_refused(fields: list[object]) -> None:
    with pytest.raises(SignedError):
        read_register_untrusted(sign(trust("p1"), DOMAIN, fields))


def test_the_greatest_boot_and_seq_win_in_any_order() -> None:
    values = [
        _register(name, boot, seq, kind)
        for name in ("p1", "p2")
        for boot in (1, 2)
        for seq in (1, 2)
        for kind in (1, 2)
    ]
    hashes = set()
    for seed in range(20):
        Random(seed).shuffle(values)
        table = RegisterTable()
        for value in values:
            if table.is_news(value):
                table.put(value)
        assert table.get(node("p1"), 1).payload == b"2.2"
        assert len(table.versions()) == 4
        hashes.add(table.hash)
    assert len(hashes) == 1
    assert hashes != {bytes(8)}


def test_an_asker_gets_what_is_newer_and_nothing_else() -> None:
    table, asker = RegisterTable(), RegisterTable()
    for value in (_register("p1", 1, 2), _register("p2", 1, 1), _register("p3", 1, 1)):
        table.put(value)
    for value in (_register("p1", 1, 1), _register("p2", 1, 1), _register("p4", 1, 1)):
        asker.put(value)
    lacking = [_register("p1", 1, 2).data, _register("p3", 1, 1).data]
    assert table.newer_than(asker.versions()) == lacking
    assert table.newer_than(table.versions()) == []


def test_kinds_that_a_member_makes_up_are_bounded() -> None:
    table = RegisterTable()
    for kind in range(MAX_KINDS):
        table.put(_register("p1", 1, 1, kind))
    assert not table.is_news(_register("p1", 1, 1, MAX_KINDS))
    assert table.is_news(_register("p1", 1, 2, 3))
    assert table.is_news(_register("p2", 1, 1, MAX_KINDS))
