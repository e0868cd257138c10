from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import trio

from mesh.gossip.events import AddressHeard
from mesh.node import discovery as discovery_module
from mesh.node.discovery import Discovery, advertised_hosts
from scheduler.ids import NodeId, node_id_from_bytes

ONE, TWO = node_id_from_bytes(b"1" * 16), node_id_from_bytes(b"2" * 16)
CLUSTER = "ab" * 32


class Ear:
    def __init__(
        self, node: NodeId, *, cluster: str = CLUSTER, hosts: tuple = ("127.0.0.1",)
    ) -> None:
        self.heard: list[AddressHeard] = []
        self.said: list[str] = []
        self.news = trio.Event()
        self.hosts = hosts
        self.discovery = Discovery(
            cluster=cluster,
            node=node,
            port=4000 + node.count("a"),
            version="1",
            hosts=lambda: self.hosts,
            heard=self._hear,
            say=self._say,
        )

    def _hear(self, event: AddressHeard) -> None:
        self.heard.append(event)
        self.news.set()

    def _say(self, sentence: str) -> None:
        self.said.append(sentence)
        self.news.set()


@pytest.mark.real("loopback")
async def test_two_find_each_other_and_strangers_are_ignored(nursery: trio.Nursery) -> None:
    one, two = Ear(ONE), Ear(TWO)
    stranger = Ear(node_id_from_bytes(b"3" * 16), cluster="cd" * 32)
    for ear in (stranger, one, two):
        nursery.start_soon(ear.discovery.run)
    with trio.fail_after(10):
        await one.news.wait()
        await two.news.wait()
        while not one.discovery.counters["other_clusters_heard"]:  # noqa: ASYNC110 - its own thread tells
            await trio.sleep(0.01)
    assert set(one.heard) == {AddressHeard(f"127.0.0.1:{two.discovery._port}", TWO)}
    assert set(two.heard) == {AddressHeard(f"127.0.0.1:{one.discovery._port}", ONE)}
    assert one.said == two.said == []
    assert stranger.heard == []
    nursery.cancel_scope.cancel()


@pytest.mark.real("loopback")
async def test_network_that_comes_up_later_is_used(nursery, monkeypatch) -> None:
    monkeypatch.setattr(discovery_module, "RECHECK_S", 0.05)
    one, two = Ear(ONE, hosts=("192.0.2.1",)), Ear(TWO)
    nursery.start_soon(two.discovery.run)
    nursery.start_soon(one.discovery.run)
    with trio.fail_after(10):
        await one.news.wait()
        assert one.said[0].startswith("mDNS does not work on 192.0.2.1")
        one.hosts = ("127.0.0.1",)
        one.news = trio.Event()
        await one.news.wait()
    assert one.heard[0].node == TWO
    assert len(one.said) == 1  # tried every 50 ms, told once
    nursery.cancel_scope.cancel()


@pytest.mark.real("loopback")
async def test_trouble_that_passes_is_tried_again(nursery, monkeypatch) -> None:
    monkeypatch.setattr(discovery_module, "RECHECK_S", 0.05)
    one, two = Ear(ONE), Ear(TWO)
    start, troubles = one.discovery._start, iter([OSError("not yet")])

    def trouble_first(*arguments: Any) -> Any:
        for trouble in troubles:
            raise trouble
        return start(*arguments)

    monkeypatch.setattr(one.discovery, "_start", trouble_first)
    nursery.start_soon(two.discovery.run)
    nursery.start_soon(one.discovery.run)
    with trio.fail_after(10):
        while not one.heard:
            await one.news.wait()
            one.news = trio.Event()
    assert len(one.said) == 1
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("properties", "counter"),
    [
        ({}, "other_clusters_heard"),
        ({b"cluster": b"\xff"}, "other_clusters_heard"),
        ({b"cluster": CLUSTER[:16].encode()}, "entries_malformed"),
        ({b"cluster": CLUSTER[:16].encode(), b"node": b"\xff"}, "entries_malformed"),
        ({b"cluster": CLUSTER[:16].encode(), b"node": b"n-short"}, "entries_malformed"),
        ({b"cluster": CLUSTER[:16].encode(), b"node": b"n-" + b"!" * 26}, "entries_malformed"),
        ({b"cluster": CLUSTER[:16].encode(), b"node": None}, "entries_malformed"),
    ],
)
def test_entries_of_anybody(properties: dict[bytes, Any], counter: str) -> None:
    ear = Ear(ONE)
    ear.discovery.found(properties, ["h:1"])
    assert ear.heard == []
    assert ear.discovery.counters == {counter: 1}


def test_own_entry_says_nothing() -> None:
    ear = Ear(ONE)
    ear.discovery.found({b"cluster": CLUSTER[:16].encode(), b"node": ONE.encode()}, ["h:1"])
    assert (ear.heard, ear.discovery.counters) == ([], {})


@pytest.fixture
def interfaces(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Names to addresses, all up."""
    import socket

    table: dict[str, list[str]] = {}

    class Entry:
        def __init__(self, address: str) -> None:
            self.address = address
            self.family = socket.AF_INET6 if ":" in address else socket.AF_INET

    class State:
        isup = True

    monkeypatch.setattr(
        psutil,
        "net_if_addrs",
        lambda: {name: [Entry(one) for one in addresses] for name, addresses in table.items()},
    )
    monkeypatch.setattr(psutil, "net_if_stats", lambda: dict.fromkeys(table, State))
    return table


def test_advertised_addresses(interfaces: dict[str, Any]) -> None:
    assert advertised_hosts(["0.0.0.0", "::"]) == ("127.0.0.1",)
    interfaces["lo"] = ["127.0.0.1", "::1"]
    assert advertised_hosts(["0.0.0.0", "::"]) == ("127.0.0.1",)
    interfaces["eth0"] = ["10.0.0.7", "fe80::1%eth0", "2001:db8::7"]
    interfaces["docker0"] = ["172.17.0.1"]
    interfaces["br-12ab"] = ["172.18.0.1"]
    interfaces["veth9"] = ["169.254.1.1"]
    assert advertised_hosts(["0.0.0.0", "::"]) == ("10.0.0.7", "2001:db8::7")
    assert advertised_hosts(["127.0.0.1"]) == ("127.0.0.1",)
    assert advertised_hosts(["10.0.0.7"]) == ("10.0.0.7",)
