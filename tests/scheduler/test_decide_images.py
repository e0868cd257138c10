"""What an owner does about an image that nodes could not get."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.decide import IMAGE_AGAIN_MS
from scheduler.ids import NodeId
from scheduler.instant import Hlc, hlc_wall_ms
from scheduler.jobs import AttemptState, Expiry, JobState, NodeReading, Plan, Resources, Source
from tests.scheduler.histories import BEN, CAT, reading, spec
from tests.scheduler.owner import Owner

A = AttemptState
SMALL = spec()


def test_a_node_that_got_no_image_is_asked_again_in_time_and_ever_more_rarely() -> None:
    owner = Owner(SMALL, reading(BEN))
    owner.act(limit=1)
    owner.hear(A.REFUSED, reason="image_unavailable")
    refused_ms = hlc_wall_ms(Hlc(owner.ledger.hlc))
    for wait_ms in (IMAGE_AGAIN_MS, 2 * IMAGE_AGAIN_MS):
        waiting = owner.act(now_ms=refused_ms + wait_ms - 1).waiting
        assert waiting is not None
        assert waiting.again_ms == refused_ms + wait_ms
        assert len(owner.act(now_ms=refused_ms + wait_ms).placements) == 1
        owner.hear(A.REFUSED, reason="image_unavailable")
        refused_ms = hlc_wall_ms(Hlc(owner.ledger.hlc))


def test_an_image_that_comes_ends_the_refusal_even_within_the_same_tick() -> None:
    owner = Owner(SMALL, reading(BEN))
    owner.act(limit=1)
    owner.hear(A.REFUSED, reason="image_unavailable")
    assert owner.act().waiting is not None
    owner.index.set_reading(reading(BEN, images=("a:b",)), heard=Hlc(owner.ledger.hlc))
    assert len(owner.act().placements) == 1


MISSPELT = Source("docker", {"Image": "busibox"})


def docker_reading(node: NodeId, **fields: Any) -> NodeReading:
    return reading(node, **({"engines": ("docker",)} | fields))


def test_a_job_whose_image_no_registry_knows_ends_once_every_node_has_said_so() -> None:
    owner = Owner(spec(engine=MISSPELT), docker_reading(BEN), docker_reading(CAT), count=2)
    said = []
    for _ in range(2):
        plan = owner.act(limit=1)
        assert (len(plan.placements), plan.ends) == (1, None)
        said.append(plan.placements[0].node)
        owner.hear(A.REFUSED, reason="image_missing", message="Nobody knows busibox.")
    assert set(said) == {BEN, CAT}
    assert owner.act() == Plan(ends=Expiry.IMAGE_MISSING)
    owner.ledger.expire(owner.birth, owner.version, Expiry.IMAGE_MISSING)
    owner.catch_up()
    assert (owner.job.state(), owner.job.message()) == (JobState.FAILED, "Nobody knows busibox.")
    assert owner.act() == Plan()


@pytest.mark.parametrize(
    ("other", "ends"),
    [
        ({}, False),
        ({"engines": ()}, True),
        ({"roles": ("orchestrate",)}, True),
        ({"capacity": Resources()}, True),
        ({"intent": "cordoned"}, True),
        ({"reachable": False}, True),
        ({"intent": "draining", "images": ("busibox:latest",)}, False),
        ({"reachable": False, "images": ("docker.io/library/busibox:latest",)}, False),
    ],
)
def test_who_keeps_a_job_waiting_whose_image_a_node_could_not_find(
    other: dict[str, Any], ends: bool
) -> None:
    """Who can be asked, and who is known to have it."""
    owner = Owner(spec(engine=MISSPELT), docker_reading(BEN))
    owner.act()
    owner.hear(A.REFUSED, reason="image_missing")
    owner.index.set_reading(docker_reading(CAT, **other), heard=Hlc(1))
    assert (owner.act().ends is Expiry.IMAGE_MISSING) == ends


@pytest.mark.parametrize("reason", ["image_unavailable", "policy"])
def test_another_nodes_other_reason_keeps_it_waiting(reason: str) -> None:
    owner = Owner(spec(engine=MISSPELT), docker_reading(BEN), docker_reading(CAT))
    for said in ("image_missing", reason):
        owner.act()
        owner.hear(A.REFUSED, reason=said)
    plan = owner.act()
    assert (plan.ends, plan.placements) == (None, ())
    assert plan.waiting is not None


def test_an_image_that_comes_in_time_is_asked_for_again() -> None:
    owner = Owner(spec(engine=MISSPELT), docker_reading(BEN))
    owner.act()
    owner.hear(A.REFUSED, reason="image_missing")
    come = docker_reading(BEN, images=("busibox:latest",))
    owner.index.set_reading(come, heard=Hlc(owner.ledger.hlc + 1))
    plan = owner.act()
    assert (len(plan.placements), plan.ends) == (1, None)
