import ssl
import struct

import pytest
import trio

from mesh.gossip.events import DialFailed, LinkClosed, LinkOpened, MessageReceived
from mesh.node import links as links_module
from mesh.node.frames import CONTROL, MESSAGES, REQUESTS, Hello, encode_frame, encode_hello
from mesh.node.identity import NodeTrust
from mesh.node.tls import make_contexts
from mesh.node.transport import PREAUTH_BYTES
from tests.mesh.node.support import OTHER_ROOT, Peer, free_port, make_trust, running

HANG_UP_AT_ONCE = struct.pack("ii", 1, 0)
DAY_MS = 24 * 3600 * 1000
YEAR_MS = 365 * DAY_MS


async def test_frames_travel_both_ways_in_order() -> None:
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        here, there = await one.wait_for(LinkOpened), await two.wait_for(LinkOpened)
        assert (here.peer, here.dialled, here.address) == (two.node, True, two.address)
        assert (there.peer, there.dialled) == (one.node, False)
        assert here.certificate == two.trust.own.der
        for number in range(100):
            one.links.send(here.link, MESSAGES, b"%d" % number)
        two.links.send(there.link, MESSAGES, b"x" * 900_000)
        got = [(await two.wait_for(MessageReceived, number + 1)).data for number in range(100)]
        assert got == [b"%d" % number for number in range(100)]
        assert (await one.wait_for(MessageReceived)).data == b"x" * 900_000


async def test_urgent_frames_pass_bulk_ones() -> None:
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        link = (await one.wait_for(LinkOpened)).link
        for _ in range(8):
            one.links.send(link, MESSAGES, b"bulk" * 60_000, bulk=True)
        one.links.send(link, MESSAGES, b"urgent")
        await two.wait_for(MessageReceived, 9)
        sizes = [len(event.data) for event in two.events if type(event) is MessageReceived]
        assert sizes.index(6) == 0


async def test_goodbye_is_told_after_what_was_queued() -> None:
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        link = (await one.wait_for(LinkOpened)).link
        one.links.send(link, MESSAGES, b"last words" * 50_000, bulk=True)
        one.links.close(link, "enough")
        assert await two.wait_for(LinkClosed) == LinkClosed(two.events[0].link, goodbye=True)
        assert type(two.events[1]) is MessageReceived
        assert await one.wait_for(LinkClosed) == LinkClosed(link, goodbye=True)
        assert one.links.peer_links() == {}


async def test_goodbye_arrives_though_the_peer_was_sending() -> None:
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        link = (await one.wait_for(LinkOpened)).link
        there = (await two.wait_for(LinkOpened)).link
        one.room = trio.Event()  # it stops reading: bytes of the peer stay unread at the close
        for _ in range(14):  # more than the kernel's buffers take: its writer waits
            two.links.send(there, MESSAGES, b"y" * 1_000_000)
        await one.wait_for(LinkOpened)
        one.links.close(link, "enough")
        assert (await two.wait_for(LinkClosed)).goodbye


async def test_link_that_breaks_says_no_goodbye() -> None:
    one, two = Peer(), Peer()
    async with running(two):
        async with running(one):
            one.links.dial(two.address)
            await two.wait_for(LinkOpened)
        assert not (await two.wait_for(LinkClosed)).goodbye


async def test_a_cut_loses_frames_both_ways_and_lets_no_link_open() -> None:
    one, two, other = Peer(), Peer(), Peer()
    async with running(one, two, other):
        one.links.dial(two.address)
        one.links.dial(other.address)
        links = {
            event.peer: event.link
            for event in (await one.wait_for(LinkOpened), await one.wait_for(LinkOpened, 2))
        }
        there = (await two.wait_for(LinkOpened)).link
        one.links.cut_off([two.node])
        one.links.send(links[two.node], MESSAGES, b"lost")
        two.links.send(there, MESSAGES, b"lost too")
        one.links.send(links[other.node], MESSAGES, b"comes")
        assert (await other.wait_for(MessageReceived)).data == b"comes"
        two.links.dial(one.address)
        assert await two.wait_for(DialFailed) == DialFailed(one.address, refused=False)
        one.links.dial(two.address)
        assert not (await one.wait_for(DialFailed)).refused
        one.links.cut_off([])
        assert not (await one.wait_for(LinkClosed)).goodbye, "the old link is of no use"
        one.links.dial(two.address)
        again = (await one.wait_for(LinkOpened, 3)).link
        one.links.send(again, MESSAGES, b"heard")
        assert (await two.wait_for(MessageReceived)).data == b"heard"
        assert one.links.peer_links().keys() == {two.node, other.node}


async def test_a_goodbye_does_not_pass_a_cut() -> None:
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        link = (await one.wait_for(LinkOpened)).link
        await two.wait_for(LinkOpened)
        one.links.cut_off([two.node])
        one.links.close(link, "given up")
        assert not (await two.wait_for(LinkClosed)).goodbye


async def test_bytes_are_counted() -> None:
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        one.links.send((await one.wait_for(LinkOpened)).link, MESSAGES, b"x" * 1000)
        await two.wait_for(MessageReceived)
        assert 1000 <= one.links.facts()["sent_bytes"] < 1100
        assert two.links.facts()["received_bytes"] == 1000


async def test_crossing_dials_give_two_links_and_the_core_chooses() -> None:
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        two.links.dial(one.address)
        await one.wait_for(LinkOpened, 2)
        await two.wait_for(LinkOpened, 2)
        mine = next(e for e in one.events if type(e) is LinkOpened and e.dialled)
        one.links.close(mine.link, "crossed")
        assert (await two.wait_for(LinkClosed)).goodbye
        assert one.links.peer_links().keys() == {two.node}
        assert two.links.peer_links().keys() == {one.node}


async def test_refused_dial_is_told_apart_from_a_silent_one() -> None:
    one = Peer()
    async with running(one), trio.open_nursery() as nursery:
        refused = f"127.0.0.1:{free_port()}"
        one.links.dial(refused)
        assert await one.wait_for(DialFailed) == DialFailed(refused, refused=True)
        for number, nonsense in enumerate(("no-port", "127.0.0.1:99999", "127.0.0.1:x", "\0:1")):
            one.links.dial(nonsense)
            assert await one.wait_for(DialFailed, number + 2) == DialFailed(nonsense, False)
        nursery.cancel_scope.cancel()


async def test_dial_into_a_dying_process_is_refused_in_the_end() -> None:
    one, dying = Peer(), trio.socket.socket()
    await dying.bind(("127.0.0.1", 0))
    dying.listen()
    address = f"127.0.0.1:{dying.getsockname()[1]}"
    async with running(one):
        one.links.dial(address)
        dialled, _ = await dying.accept()
        dialled.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, HANG_UP_AT_ONCE)
        dying.close()
        dialled.close()
        assert await one.wait_for(DialFailed) == DialFailed(address, refused=True)
        assert [type(event) for event in one.events] == [DialFailed]


@pytest.mark.parametrize(
    ("made_ms", "now_ms", "welcome"),
    [
        (0, 5 * YEAR_MS + DAY_MS // 24, True),
        (0, 5 * YEAR_MS + DAY_MS + 1000, False),
        (10 * DAY_MS, 8 * DAY_MS + 1000, True),
        (10 * DAY_MS, 8 * DAY_MS - 1000, False),
    ],
    ids=["expired an hour ago", "over a day ago", "begins within a day", "begins later"],
)
async def test_dates_have_a_day_of_tolerance(made_ms: int, now_ms: int, welcome: bool) -> None:
    base_ms = 1_700_000_000_000
    one = Peer(make_trust(made_ms=base_ms + now_ms), wall_ms=base_ms + now_ms)
    two = Peer(make_trust(made_ms=base_ms + made_ms), wall_ms=base_ms + now_ms)
    async with running(one, two):
        one.links.dial(two.address)
        await one.wait_for(LinkOpened if welcome else DialFailed)
        if not welcome:
            assert two.links.peer_links() == {}


async def test_other_cluster_is_refused_on_both_sides() -> None:
    one, two = Peer(), Peer(make_trust(OTHER_ROOT))
    async with running(one, two):
        one.links.dial(two.address)
        assert not (await one.wait_for(DialFailed)).refused
        two.links.dial(one.address)
        assert not (await two.wait_for(DialFailed)).refused
        assert [type(event) for event in one.events + two.events] == [DialFailed, DialFailed]
        assert one.links.counters["handshake_failed"] == 2


async def test_node_does_not_link_to_itself() -> None:
    one = Peer()
    async with running(one):
        one.links.dial(one.address)
        await one.wait_for(DialFailed)
        assert one.links.peer_links() == {}


async def test_stranger_without_certificate_gets_nothing() -> None:
    one = Peer()
    async with running(one):
        context = make_contexts(make_trust()).client
        bare = type(context)(context.protocol)
        bare.check_hostname = False
        bare.verify_mode = ssl.CERT_NONE
        host, port = one.address.split(":")
        stream = trio.SSLStream(await trio.open_tcp_stream(host, int(port)), bare)
        with trio.fail_after(5):
            assert await read_to_end(stream)
        assert one.events == []


async def test_slow_and_loud_strangers_are_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links_module, "HANDSHAKE_S", 0.2)
    one = Peer()
    async with running(one):
        host, port = one.address.split(":")
        quiet = await trio.open_tcp_stream(host, int(port))
        loud = await trio.open_tcp_stream(host, int(port))
        # A TLS record that claims 16 KiB, again and again, none of it a handshake that ends.
        record = b"\x16\x03\x01\x40\x00" + bytes(0x4000)
        with trio.fail_after(5):
            assert await send_for_ever(loud, record * (PREAUTH_BYTES // len(record)))
            assert await read_to_end(quiet)
        assert one.events == []


async def send_for_ever(stream: trio.abc.Stream, data: bytes) -> bool:
    try:
        while True:
            await stream.send_all(data)
    except trio.BrokenResourceError:
        return True


async def read_to_end(stream: trio.abc.Stream) -> bool:
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass
    return True


async def test_pending_handshakes_of_one_address_are_bounded() -> None:
    one = Peer()
    async with running(one):
        host, port = one.address.split(":")
        waiting = [
            await trio.open_tcp_stream(host, int(port)) for _ in range(links_module.MAX_PENDING)
        ]
        extra = await trio.open_tcp_stream(host, int(port))
        with trio.fail_after(3):
            assert await read_to_end(extra)
        assert one.links.counters["accept_refused"] == 1
        for stream in waiting:
            await stream.aclose()


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack(">IB", 2**20 + 1, MESSAGES),
        struct.pack(">I", 0) + b"\0",
        encode_frame(CONTROL, b"nonsense"),
    ],
    ids=["over 1 MiB", "empty", "control that is no goodbye"],
)
async def test_bad_frame_ends_the_link_and_nothing_else(raw: bytes) -> None:
    one, trust = Peer(), make_trust()
    async with running(one):
        stream = await dial_by_hand(one, trust)
        await stream.send_all(raw)
        assert not (await one.wait_for(LinkClosed)).goodbye
        again = Peer()
        async with running(again):
            again.links.dial(one.address)
            await again.wait_for(LinkOpened)


async def test_unknown_channels_are_counted_and_skipped() -> None:
    one, trust = Peer(), make_trust()
    async with running(one):
        stream = await dial_by_hand(one, trust)
        await stream.send_all(encode_frame(77, b"later release") + encode_frame(REQUESTS, b""))
        await stream.send_all(encode_frame(MESSAGES, b"known"))
        assert (await one.wait_for(MessageReceived)).data == b"known"
        assert one.links.counters["frames_unknown"] == 2


@pytest.mark.parametrize("wrong", ["version", "cluster", "node"])
async def test_hello_must_agree_with_the_certificate(wrong: str) -> None:
    one, trust = Peer(), make_trust()
    hello = Hello(
        2 if wrong == "version" else 1,
        "00" * 32 if wrong == "cluster" else trust.root.fingerprint,
        one.node if wrong == "node" else trust.own.node,
    )
    async with running(one):
        stream = await dial_by_hand(one, trust, hello)
        with trio.fail_after(5):
            assert await read_to_end(stream)
        assert one.events == []


async def dial_by_hand(
    peer: Peer, trust: NodeTrust, hello: Hello | None = None
) -> "trio.SSLStream[trio.SocketStream]":
    host, port = peer.address.split(":")
    tcp = await trio.open_tcp_stream(host, int(port))
    stream = trio.SSLStream(tcp, make_contexts(trust).client)
    hello = hello or Hello(1, trust.root.fingerprint, trust.own.node)
    await stream.send_all(encode_frame(CONTROL, encode_hello(hello)))
    return stream


async def test_peer_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "SEND_S", 0.2)
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        link = (await one.wait_for(LinkOpened)).link
        two.room = trio.Event()
        for _ in range(16):
            one.links.send(link, MESSAGES, b"z" * 900_000, bulk=True)
        assert not (await one.wait_for(LinkClosed)).goodbye


async def test_queue_is_bounded() -> None:
    one, two = Peer(), Peer()
    async with running(one, two):
        one.links.dial(two.address)
        link = (await one.wait_for(LinkOpened)).link
        for _ in range(20):
            one.links.send(link, MESSAGES, b"z" * 900_000, bulk=True)
        assert not (await one.wait_for(LinkClosed)).goodbye
        one.links.send(link, MESSAGES, b"to a link that is gone: nothing happens")


async def test_goodbye_to_all_ends_every_link_and_takes_no_new_one() -> None:
    one, two, three = Peer(), Peer(), Peer()
    async with running(one, two, three):
        two.links.dial(one.address)
        three.links.dial(one.address)
        await one.wait_for(LinkOpened, 2)
        await one.links.say_goodbye("stopping")
        assert (await two.wait_for(LinkClosed)).goodbye
        assert (await three.wait_for(LinkClosed)).goodbye
        two.links.dial(one.address)
        await two.wait_for(DialFailed)
