from __future__ import annotations

from random import Random

import pytest

from mesh.gossip.events import DialFailed, LinkClosed, LinkId, LinkOpened, MessageReceived
from sim.clock import Clock
from sim.network import CONNECT_S, Network, NetworkEvent, NetworkSettings
from sim.trust import issue

SEEDS = range(20)


def _address(name: str) -> str:
    return f"10.0.0.{ord(name) - 96}:1235"


class Rig:
    """Machines a, b, c that listen; what each is told, with its time."""

    def __init__(self, seed: int = 1, loss: float = 0.0) -> None:
        self.clock = Clock()
        self.told: dict[str, list[tuple[float, NetworkEvent]]] = {name: [] for name in "abc"}
        self.network = Network(
            clock=self.clock,
            random=Random(seed),
            settings=NetworkSettings(latency_s=0.001, loss=loss),
            deliver=lambda name, event: self.told[name].append((self.clock.now_s, event)),
        )
        for name in "abc":
            self.network.plug_in(name, issue(name, not_before_ms=0), _address(name))
            self.network.listen(name)

    def advance(self, duration_s: float) -> None:
        until_s = self.clock.now_s + duration_s
        while self.clock.step(until_s):
            pass

    def link(self, one: str, other: str) -> tuple[LinkId, LinkId]:
        while not (self.events(one) and isinstance(self.events(one)[-1], LinkOpened)):
            self.network.dial(one, _address(other))
            self.advance(12.0)
        here, there = self.events(one)[-1], self.events(other)[-1]
        assert isinstance(here, LinkOpened)
        assert isinstance(there, LinkOpened)
        return here.link, there.link

    def events(self, name: str) -> list[NetworkEvent]:
        return [event for _, event in self.told[name]]

    def frames(self, name: str) -> list[bytes]:
        return [one.data for one in self.events(name) if isinstance(one, MessageReceived)]


def test_a_call_opens_a_stream_that_both_ends_know() -> None:
    rig = Rig()
    here, there = rig.link("a", "b")
    opened, taken = rig.events("a")[0], rig.events("b")[0]
    b = issue("b", not_before_ms=0)
    assert opened == LinkOpened(here, b.node, True, _address("b"), b.der)
    assert isinstance(taken, LinkOpened)
    assert (taken.link, taken.dialled, taken.peer) == (
        there,
        False,
        issue("a", not_before_ms=0).node,
    )
    rig.network.send("a", here, b"ping")
    rig.network.send("b", there, b"pong")
    rig.advance(1.0)
    assert rig.events("b")[1:] == [MessageReceived(there, b"ping")]
    assert rig.events("a")[1:] == [MessageReceived(here, b"pong")]


@pytest.mark.parametrize("seed", SEEDS)
def test_frames_come_in_order_and_once_through_loss_and_splits(seed: int) -> None:
    rig = Rig(seed, loss=0.3)
    here, _ = rig.link("a", "b")
    sent = [b"%d" % number for number in range(60)]
    for number, frame in enumerate(sent):
        if number == 20:
            rig.network.split(["a", "bc"])
        if number == 40:
            rig.network.heal()
        rig.network.send("a", here, frame)
        rig.advance(0.05)
    rig.advance(30.0)
    assert rig.frames("b") == sent


def test_urgent_frames_may_overtake_bulk_ones_and_nothing_overtakes_the_end() -> None:
    for seed in SEEDS:
        rig = Rig(seed, loss=0.5)
        here, there = rig.link("a", "b")
        for number in range(10):
            rig.network.send("a", here, b"u%d" % number)
            rig.network.send("a", here, b"b%d" % number, bulk=True)
        rig.network.die("a")
        rig.advance(60.0)
        for kind in (b"u", b"b"):
            one_kind = [frame for frame in rig.frames("b") if frame.startswith(kind)]
            assert one_kind == [kind + b"%d" % number for number in range(10)]
        assert rig.events("b")[-1] == LinkClosed(there, goodbye=False)


def test_nothing_passes_a_split_and_each_end_gives_up_by_itself() -> None:
    rig = Rig()
    here, there = rig.link("a", "b")
    rig.network.split(["a", "bc"])
    rig.network.send("a", here, b"lost")
    rig.advance(4.0)
    assert rig.frames("b") == []
    rig.advance(60.0)
    assert rig.events("a")[-1] == LinkClosed(here, goodbye=False)
    assert rig.events("b")[-1] == LinkClosed(there, goodbye=False)
    assert rig.told["a"][-1][0] != rig.told["b"][-1][0]
    rig.network.heal()
    rig.advance(10.0)
    assert len(rig.events("b")) == 2, "a stream that was given up tells nothing more"


def test_one_machine_may_stand_on_two_sides() -> None:
    rig = Rig()
    rig.network.split(["ab", "bc"])
    passing = [(x, y) for x in "abc" for y in "abc" if x < y and rig.network.passes(x, y)]
    assert passing == [("a", "b"), ("b", "c")]


@pytest.mark.parametrize(
    ("what", "refused", "least_s", "most_s"),
    [("dead", True, 0.0, 0.1), ("split", False, 4.9, 5.1), ("nobody", False, 4.9, 5.1),
     ("itself", False, 0.0, 0.1)],
)  # fmt: skip
def test_a_call_that_comes_to_nothing(
    what: str, refused: bool, least_s: float, most_s: float
) -> None:
    rig = Rig()
    address = {"nobody": "10.9.9.9:1", "itself": _address("a")}.get(what, _address("b"))
    if what == "dead":
        rig.network.die("b")
    if what == "split":
        rig.network.split(["a", "bc"])
    rig.network.dial("a", address)
    rig.advance(20.0)
    ((at_s, event),) = rig.told["a"]
    assert event == DialFailed(address, refused)
    assert least_s <= at_s <= most_s


def test_a_call_into_a_short_split_is_repeated() -> None:
    rig = Rig()
    rig.network.split(["a", "bc"])
    rig.network.dial("a", _address("b"))
    rig.advance(1.5)
    rig.network.heal()
    rig.advance(CONNECT_S)
    assert isinstance(rig.events("a")[0], LinkOpened)


def test_a_goodbye_comes_after_what_was_sent_and_both_ends_meant_it() -> None:
    rig = Rig()
    here, there = rig.link("a", "b")
    rig.network.send("a", here, b"last word")
    rig.network.close("a", here)
    rig.network.send("a", here, b"too late")
    rig.network.close("a", here)
    rig.advance(5.0)
    assert rig.events("b")[1:] == [MessageReceived(there, b"last word"), LinkClosed(there, True)]
    assert rig.events("a")[1:] == [LinkClosed(here, True)]


def test_a_process_that_died_hears_nothing_and_its_next_one_starts_clean() -> None:
    rig = Rig()
    here, there = rig.link("a", "b")
    rig.network.send("b", there, b"to the dead")
    rig.network.die("a")
    rig.network.listen("a")
    rig.advance(5.0)
    assert rig.frames("a") == []
    rig.told["a"].clear()
    again, _ = rig.link("a", "b")
    assert again > here


@pytest.mark.parametrize("seed", SEEDS)
def test_a_caller_that_dies_while_it_calls_leaves_no_open_end(seed: int) -> None:
    rig = Rig(seed)
    rig.network.dial("a", _address("b"))
    rig.advance(0.0005 * seed)
    rig.network.die("a")
    rig.network.listen("a")
    rig.advance(20.0)
    assert rig.events("a") == [] or rig.told["a"][0][0] <= 0.0005 * seed
    opened = [one for one in rig.events("b") if isinstance(one, LinkOpened)]
    closed = [one for one in rig.events("b") if isinstance(one, LinkClosed)]
    assert [one.link for one in opened] == [one.link for one in closed]


def test_a_cut_is_one_way() -> None:
    rig = Rig()
    here, there = rig.link("a", "b")
    rig.network.cut([("a", "b")])
    rig.network.send("a", here, b"lost")
    rig.network.send("b", there, b"heard")
    rig.advance(1.0)
    assert (rig.frames("a"), rig.frames("b")) == ([b"heard"], [])
    assert not rig.network.meet("b", "a")
    rig.network.heal()
    rig.advance(4.0)
    assert rig.frames("b") == [b"lost"]


def test_over_a_cut_no_call_is_taken_and_streams_are_given_up() -> None:
    rig = Rig()
    rig.link("a", "b")
    rig.network.cut([("b", "a")])
    rig.network.dial("c", _address("a"))
    rig.network.dial("a", _address("b"))
    rig.advance(60.0)
    assert any(isinstance(one, LinkOpened) for one in rig.events("c"))
    assert any(isinstance(one, DialFailed) for one in rig.events("a"))
    assert any(isinstance(one, LinkClosed) for one in rig.events("a"))
