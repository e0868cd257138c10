"""Every refusal has a case, and its sentence names what it is about."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.capacity import CapacityIndex, Load
from scheduler.feasibility import CHECKS, could_ever, deepest_entry, room_under, verdict
from scheduler.instant import Hlc
from scheduler.jobs import Constraint, DataEntry, Input, Refusal, Resources, Source
from tests.scheduler.histories import BEN, attempt_id, reading, spec

LOCAL = Input(Source("local", {"SourcePath": "/data/boats/7.csv"}), "/in")
WRITE = Input(Source("local", {"SourcePath": "/data/out", "ReadWrite": True}), "/out")
OFFER = (DataEntry("/data", 100), DataEntry("/data/boats", 90))

CASES: list[tuple[dict[str, Any], dict[str, Any], Refusal | None, str]] = [
    ({}, {}, None, ""),
    ({}, {"roles": ("orchestrate",)}, Refusal.NOT_COMPUTE, "compute"),
    ({"engine": Source("docker")}, {}, Refusal.ENGINE_MISSING, "docker"),
    ({"inputs": (Input(Source("s3"), "/in"),)}, {}, Refusal.STORAGE_MISSING, "s3"),
    ({"inputs": (LOCAL,)}, {"sources": ("inline",)}, Refusal.STORAGE_MISSING, "local"),
    ({"publisher": Source("s3")}, {}, Refusal.PUBLISHER_MISSING, "s3"),
    ({"publisher": Source("s3")}, {"publishers": ("s3",)}, None, ""),
    ({"publisher": Source("local")}, {}, None, ""),
    ({"publisher": Source("mesh")}, {}, None, ""),
    ({"publisher": Source("")}, {}, None, ""),
    ({"constraints": (Constraint("site", "=", ("hull",)),)}, {}, Refusal.CONSTRAINT, "site=hull"),
    (
        {"constraints": (Constraint("site", "=", ("hull",)),)},
        {"labels": {"site": "deck"}},
        Refusal.CONSTRAINT,
        "deck",
    ),
    ({"constraints": (Constraint("site", "=", ("a",)),)}, {"labels": {"site": "a"}}, None, ""),
    ({"constraints": (Constraint("favour_site", "=", ("a",)),)}, {}, None, ""),
    ({"resources": Resources(cpu_milli=4001)}, {}, Refusal.TOO_LARGE, "4 in all"),
    ({"resources": Resources(memory_bytes=2000)}, {}, Refusal.TOO_LARGE, "2 kB memory"),
    ({"resources": Resources(gpu=1)}, {}, Refusal.TOO_LARGE, "1 GPU"),
    ({"inputs": (LOCAL,)}, {}, Refusal.INPUT_MISSING, "/data/boats/7.csv"),
    ({"inputs": (LOCAL,)}, {"data": (DataEntry("/dat", 1),)}, Refusal.INPUT_MISSING, "/data"),
    ({"inputs": (LOCAL,)}, {"data": OFFER[:1]}, None, ""),
    ({"inputs": (LOCAL,)}, {"data": (DataEntry("/data/boats/7.csv", 9),)}, None, ""),
    ({"inputs": (LOCAL,)}, {"data": (DataEntry("/", 9),)}, None, ""),
    ({"inputs": (Input(Source("mesh", {"Digest": "a" * 64}), "/in"),)}, {}, None, ""),
    ({"inputs": (Input(Source("inline", {"ReadWrite": True}), "/in"),)}, {}, None, ""),
    ({"inputs": (WRITE,)}, {"data": OFFER}, Refusal.POLICY, "/data/out"),
    ({"inputs": (WRITE,)}, {"data": OFFER, "writable": ("/data",)}, None, ""),
    ({}, {"reachable": False}, Refusal.UNREACHABLE, "reachable"),
    ({}, {"intent": "cordoned"}, Refusal.CORDONED, "operator"),
    ({}, {"intent": "draining"}, Refusal.DRAINING, "operator"),
]


@pytest.mark.parametrize(("job", "node", "refusal", "named"), CASES)
def test_verdicts(
    job: dict[str, Any], node: dict[str, Any], refusal: Refusal | None, named: str
) -> None:
    found = verdict(spec(**job), reading(BEN, **node), CapacityIndex())
    assert found.refusal is refusal
    assert named in found.detail
    assert bool(found.detail) is (refusal is not None)


def test_a_refusal_that_still_holds_is_named() -> None:
    found = verdict(spec(), reading(BEN), CapacityIndex(), refused="policy")
    assert found.refusal is Refusal.REFUSED_BEFORE
    assert "policy" in found.detail


def test_capacity_is_what_is_free_and_a_queue_of_eight() -> None:
    index = CapacityIndex()
    index.set_reading(reading(BEN), heard=Hlc(1))
    wanted = spec()
    taken = 0
    while verdict(wanted, reading(BEN), index).refusal is None:
        index.add(attempt_id(taken), BEN, wanted.task.resources, waiting=True)
        taken += 1
        assert taken < 100
    assert taken == 4 + 8
    found = verdict(wanted, reading(BEN), index)
    assert found.refusal is Refusal.CAPACITY
    assert "1 CPU is wanted, 0 is free" in found.detail
    assert room_under(wanted, reading(BEN), index.load(BEN)) == found
    index.release(attempt_id(0))
    assert verdict(wanted, reading(BEN), index).refusal is None


def test_lasting_problems_are_named_before_those_that_pass() -> None:
    lasting = [check.lasting for check in CHECKS]
    assert lasting == sorted(lasting, reverse=True)


@pytest.mark.parametrize(("job", "node", "refusal", "named"), CASES)
def test_waiting_could_help_unless_the_refusal_lasts(
    job: dict[str, Any], node: dict[str, Any], refusal: Refusal | None, named: str
) -> None:
    passes = refusal in (None, Refusal.UNREACHABLE, Refusal.CORDONED, Refusal.DRAINING)
    assert could_ever(spec(**job), reading(BEN, **node)) is passes


def test_a_path_counts_as_its_deepest_listed_ancestor() -> None:
    node = reading(BEN, data=OFFER)
    assert deepest_entry(node, "/data/boats/7.csv") == OFFER[1]
    assert deepest_entry(node, "/data/boats/") == OFFER[1]
    assert deepest_entry(node, "/data/boatsheds") == OFFER[0]
    assert deepest_entry(node, "/dat") is None


def test_room_under_knows_nothing_but_room() -> None:
    assert room_under(spec(), reading(BEN, reachable=False), Load()).refusal is None
