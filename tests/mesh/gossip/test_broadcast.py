from __future__ import annotations

from mesh.gossip.broadcast import MAX_ASKED, Rumours, Wants, batches
from mesh.gossip.events import LinkId
from scheduler.ids import NodeId
from tests.mesh.gossip.solo import node, suspects


def test_batches_keep_the_order_and_their_bounds() -> None:
    items = [b"a" * 4, b"b" * 4, b"c" * 9, b"d", b"e", b"f"]
    groups = batches(items, max_bytes=8, max_count=2)
    assert groups == [(items[0], items[1]), (items[2],), (items[3], items[4]), (items[5],)]
    assert batches([]) == []


def test_a_rumour_is_told_a_bounded_number_of_times() -> None:
    rumours = Rumours()
    rumours.put(node("p1"), suspects("p1", "p2"))
    told = [rumours.take(node_count=10) for _ in range(10)]
    assert told == [(suspects("p1", "p2"),)] * 8 + [()] * 2
    assert len(rumours) == 0


def test_newer_news_of_a_member_starts_anew() -> None:
    rumours = Rumours()
    rumours.put(node("p1"), b"old")
    rumours.take(node_count=2)
    rumours.put(node("p1"), b"new")
    assert [rumours.take(node_count=2) for _ in range(5)] == [(b"new",)] * 4 + [()]


def test_the_least_told_goes_first_and_only_what_fits() -> None:
    rumours = Rumours()
    rumours.put(node("p1"), b"a" * 60)
    rumours.take(node_count=2)
    rumours.put(node("p2"), b"b" * 60)
    rumours.put(node("p3"), b"c" * 200)
    assert rumours.take(node_count=2, max_bytes=100) == (b"b" * 60,)
    rumours.clear()
    assert rumours.take(node_count=2) == ()


LINKED = [(NodeId("n-a"), LinkId(1)), (NodeId("n-b"), LinkId(2)), (NodeId("n-c"), LinkId(3))]


def test_each_silent_wait_asks_another_peer() -> None:
    asked: list[tuple[int, list[str]]] = []
    wants: Wants[str] = Wants(wait_s=1.0, ask=lambda link, keys: asked.append((link, keys)))
    wants.add(["x", "y"], 10.0)
    wants.ask_due(10.0, LINKED, first=LinkId(2))
    wants.ask_due(10.5, LINKED)
    for now_s in (11.0, 12.0, 13.0):
        wants.ask_due(now_s, LINKED)
    assert [link for link, _ in asked] == [2, 1, 3, 1]
    assert asked[0] == (2, ["x", "y"])


def test_what_was_asked_on_a_link_that_is_gone_is_asked_anew_at_once() -> None:
    asked: list[tuple[int, list[str]]] = []
    wants: Wants[str] = Wants(wait_s=1.0, ask=lambda link, keys: asked.append((link, keys)))
    wants.add(["x"], 10.0)
    wants.ask_due(10.0, LINKED[:1])
    wants.ask_due(10.1, [])
    wants.ask_due(10.1, [(LINKED[0][0], LinkId(4))])
    wants.ask_due(10.2, [(LINKED[0][0], LinkId(4))])
    assert asked == [(1, ["x"]), (4, ["x"])]


def test_what_has_arrived_is_asked_no_more() -> None:
    asked: list[str] = []
    wants: Wants[str] = Wants(wait_s=1.0, ask=lambda _, keys: asked.extend(keys))
    wants.add(["x"], 10.0)
    wants.ask_due(10.0, [])
    assert asked == []
    assert wants.arrived("x")
    assert not wants.arrived("x")
    wants.ask_due(11.0, LINKED)
    assert (asked, len(wants)) == ([], 0)


def test_thousands_are_asked_for_in_turn() -> None:
    asked: list[str] = []
    wants: Wants[str] = Wants(wait_s=1.0, ask=lambda _, keys: asked.extend(keys))
    wants.add([str(number) for number in range(1000)], 10.0)
    for _ in range(1000 // MAX_ASKED + 1):
        wants.ask_due(10.0, LINKED)
        assert len(asked) <= MAX_ASKED
        while asked:
            assert wants.arrived(asked.pop())
    assert len(wants) == 0


def test_what_nobody_holds_does_not_keep_the_rest_waiting() -> None:
    asked: list[str] = []
    wants: Wants[str] = Wants(wait_s=1.0, ask=lambda _, keys: asked.extend(keys))
    wants.add([f"lost {number}" for number in range(MAX_ASKED)], 10.0)
    wants.ask_due(10.0, LINKED)
    wants.add(["held"], 10.5)
    wants.ask_due(10.9, LINKED)
    assert "held" not in asked
    wants.ask_due(11.0, LINKED)
    assert "held" in asked
