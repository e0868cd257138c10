from __future__ import annotations

import math
import socket
import struct
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from mesh.edge.http.wire import LINGER_S, READ_BYTES, SEND_S, Wire

MORE_THAN_FITS = bytes(4 << 20)
"""Into the buffers of both ends together."""


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        yield Wire(ours), theirs


def drain(theirs: socket.socket) -> int:
    """Read all that is there; how much that was."""
    size_bytes = 0
    try:
        while more := theirs.recv(1 << 20):
            size_bytes += len(more)
    except BlockingIOError:
        pass
    return size_bytes


async def test_bytes_come_as_they_are_and_the_end_is_seen(ends: tuple[Wire, socket.socket]) -> None:
    wire, theirs = ends
    theirs.send(b"some")
    assert await wire.receive() == b"some"
    assert not wire.ended
    theirs.shutdown(socket.SHUT_WR)
    assert await wire.receive() == b""
    assert (wire.ended, wire.broken) == (True, False)
    await wire.send(b"answer")
    assert theirs.recv(10) == b"answer"


async def test_no_more_is_read_than_asked_for(ends: tuple[Wire, socket.socket]) -> None:
    wire, theirs = ends
    theirs.send(bytes(READ_BYTES + 1))
    assert len(await wire.receive()) == READ_BYTES
    assert len(await wire.receive()) == 1


async def test_all_is_sent_however_slowly_it_is_taken(
    ends: tuple[Wire, socket.socket], autojump_clock: trio.testing.MockClock
) -> None:
    wire, theirs = ends
    taken = 0
    with wire.patience:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.send, MORE_THAN_FITS)
            while taken < len(MORE_THAN_FITS):
                await trio.sleep(SEND_S / 2)
                taken += drain(theirs)
    assert taken == len(MORE_THAN_FITS)
    assert not wire.broken
    assert wire.patience.deadline == math.inf


async def test_a_reader_that_takes_nothing_is_given_up(
    ends: tuple[Wire, socket.socket], autojump_clock: trio.testing.MockClock
) -> None:
    wire, _ = ends
    began_s = trio.current_time()
    with wire.patience:
        await wire.send(MORE_THAN_FITS)
    assert wire.patience.cancelled_caught
    assert trio.current_time() - began_s == pytest.approx(SEND_S)
    assert wire.broken


async def test_nothing_follows_what_was_cut_short(
    ends: tuple[Wire, socket.socket], autojump_clock: trio.testing.MockClock
) -> None:
    wire, theirs = ends
    with trio.move_on_after(1):
        await wire.send(MORE_THAN_FITS)
    assert wire.broken
    drain(theirs)
    await wire.send(b"in the midst of it")
    assert drain(theirs) == 0


async def test_who_has_gone_is_noticed_and_sent_nothing(ends: tuple[Wire, socket.socket]) -> None:
    wire, theirs = ends
    theirs.close()
    await wire.send(b"news")
    assert wire.broken
    await wire.send(MORE_THAN_FITS)
    assert await wire.receive() == b""
    assert wire.ended


async def test_a_reset_is_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        taken, _ = listener.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with taken:
            wire = Wire(taken)
            assert await wire.receive() == b""
            assert (wire.ended, wire.broken) == (True, True)


@pytest.mark.parametrize("closes", [False, True])
async def test_what_nobody_wants_is_read_for_a_while(
    ends: tuple[Wire, socket.socket], closes: bool, autojump_clock: trio.testing.MockClock
) -> None:
    wire, theirs = ends
    await wire.send(b"the answer")
    theirs.send(b"the rest of an upload")
    began_s = trio.current_time()
    with wire.patience:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.linger)
            await trio.testing.wait_all_tasks_blocked()
            assert theirs.recv(100) == b"the answer"
            assert theirs.recv(100) == b""
            if closes:
                theirs.shutdown(socket.SHUT_WR)
    assert trio.current_time() - began_s == pytest.approx(0 if closes else LINGER_S)
    assert wire.patience.cancelled_caught is not closes


async def test_closing_wakes_who_reads(ends: tuple[Wire, socket.socket]) -> None:
    wire, _ = ends

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await wire.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        wire.close()
