from __future__ import annotations

from tests.mesh.gossip.solo import Solo


def test_all_parts_of_a_node_stand_on_one_ground() -> None:
    """One outbox keeps effects in the order in which the parts decided them."""
    gossip = Solo("p1").gossip
    parts = (gossip._dials, gossip._swim, gossip._antientropy, gossip._intake, gossip._exchange)
    assert {id(part._outbox) for part in parts} == {id(gossip._outbox)}
    assert {id(part._links) for part in parts} == {id(gossip._links)}
