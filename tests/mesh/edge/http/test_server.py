from __future__ import annotations

import http.client
import json
import socket
import stat
import struct
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from mesh.edge.http.connection import Connection
from mesh.edge.http.server import IDLE_LOOK_S, IDLE_S, AddressUnusable, serve, serve_doors
from mesh.node.config import Address, NodeConfig
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.http.wires import read_all, read_until
from tests.mesh.edge.readings import job_reading

FOLLOW = b"GET /api/v1/mesh/watch?job=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def ask(connection: http.client.HTTPConnection, times: int) -> list[Any]:
    answers = []
    for _ in range(times):
        connection.request("GET", "/api/v1/agent/alive")
        answers.append(json.loads(connection.getresponse().read()))
    connection.close()
    return answers


@pytest.mark.real("loopback")
async def test_tcp_and_unix_socket(doors: FakeDoors, tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    bind = ["127.0.0.1:0", f"unix:{path}"]
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(partial(serve, doors, bind=bind))
        port = int(urls[0].rpartition(":")[2])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        tcp = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        assert await trio.to_thread.run_sync(ask, tcp, 3) == [{"Status": "OK"}] * 3
        unix = http.client.HTTPConnection("localhost", timeout=5)
        unix.sock = socket.socket(socket.AF_UNIX)
        unix.sock.connect(str(path))
        assert await trio.to_thread.run_sync(ask, unix, 2) == [{"Status": "OK"}] * 2
        nursery.cancel_scope.cancel()


@pytest.mark.real("loopback")
async def test_a_socket_file_left_by_a_killed_node_is_no_obstacle(
    doors: FakeDoors, tmp_path: Path
) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, doors, bind=[f"unix:{path}"]))
        nursery.cancel_scope.cancel()


@pytest.mark.real("loopback")
async def test_a_port_in_use_is_a_sentence(doors: FakeDoors) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.RaisesGroup(
            pytest.RaisesExc(AddressUnusable, match=r"in use.*--api"),
            allow_unwrapped=True,
            flatten_subgroups=True,
        ):
            await serve(doors, bind=[where])


@pytest.mark.real("loopback")
async def test_it_ends_when_asked(doors: FakeDoors) -> None:
    stop = trio.Event()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, doors, bind=["127.0.0.1:0"], shutdown=stop.wait))
            stop.set()


@pytest.mark.real("loopback")
async def test_a_stop_ends_idle_connections_at_once_and_open_feeds_soon(doors: FakeDoors) -> None:
    job = job_reading()
    doors.change(job)
    stop = trio.Event()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            serving = partial(serve, doors, bind=["127.0.0.1:0"], shutdown=stop.wait)
            [url] = await nursery.start(serving)
            port = int(url.rpartition(":")[2])
            idle = await trio.open_tcp_stream("127.0.0.1", port)
            feed = await trio.open_tcp_stream("127.0.0.1", port)
            await feed.send_all(FOLLOW % job.id.encode())
            await read_until(feed, b"\n\n")
            stop.set()
            assert await read_all(idle) == b""
            assert b"0\r\n\r\n" not in await read_all(feed)
            await idle.aclose()
            await feed.aclose()


@pytest.mark.real("loopback")
async def test_a_connection_on_which_nothing_is_asked_for_long_is_ended(
    doors: FakeDoors, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05
    job = job_reading()
    doors.change(job)
    async with trio.open_nursery() as nursery:
        [url] = await nursery.start(partial(serve, doors, bind=["127.0.0.1:0"]))
        port = int(url.rpartition(":")[2])
        async with (
            await trio.open_tcp_stream("127.0.0.1", port) as idle,
            await trio.open_tcp_stream("127.0.0.1", port) as feed,
        ):
            await feed.send_all(FOLLOW % job.id.encode())
            await read_until(feed, b"\n\n")
            began_s = trio.current_time()
            assert await read_all(idle) == b""
            assert IDLE_S <= trio.current_time() - began_s <= IDLE_S + IDLE_LOOK_S
            await trio.sleep(2 * IDLE_S)
            with trio.move_on_after(0):
                assert b"0\r\n\r\n" not in await read_all(feed), "what is answered is not idle"
        nursery.cancel_scope.cancel()


@pytest.mark.real("loopback")
async def test_a_feed_whose_reader_resets_the_connection_ends(doors: FakeDoors) -> None:
    job = job_reading()
    doors.change(job)
    async with trio.open_nursery() as nursery:
        [url] = await nursery.start(partial(serve, doors, bind=["127.0.0.1:0"]))
        feed = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
        feed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await feed.send_all(FOLLOW % job.id.encode())
        await read_until(feed, b"\n\n")
        await trio.testing.wait_all_tasks_blocked()
        assert len(doors.listeners) == 1
        await feed.aclose()
        with trio.fail_after(5):
            await doors.nobody_waits()
        nursery.cancel_scope.cancel()


@pytest.mark.real("loopback")
async def test_a_connection_that_breaks_off_ends_no_other(
    doors: FakeDoors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run, broken = Connection.run, iter([True, False])

    async def breaks_once(connection: Connection) -> None:
        if next(broken):
            connection.wire.close()
            raise RuntimeError("a mistake of ours")
        await run(connection)

    monkeypatch.setattr(Connection, "run", breaks_once)
    async with trio.open_nursery() as nursery:
        [url] = await nursery.start(partial(serve, doors, bind=["127.0.0.1:0"]))
        port = int(url.rpartition(":")[2])
        lost = await trio.open_tcp_stream("127.0.0.1", port)
        assert await read_all(lost) == b""
        other = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        assert await trio.to_thread.run_sync(ask, other, 1) == [{"Status": "OK"}]
        nursery.cancel_scope.cancel()
    assert "a mistake of ours" in caplog.text


@pytest.mark.real("loopback")
async def test_the_page_has_an_address_of_its_own(doors: FakeDoors, tmp_path: Path) -> None:
    page = Address("127.0.0.1", 0)
    config = NodeConfig(tmp_path, "here", api=page, page=page)
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(serve_doors, doors, config)
        assert len(urls) == 2
        host, _, port = doors.status.page_address.rpartition(":")
        assert urls[0] != f"http://{host}:{port}"
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        told = await trio.to_thread.run_sync(ask_status, connection, "/api/v1/agent/alive")
        assert told == 401
        nursery.cancel_scope.cancel()


def ask_status(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.real("loopback")
async def test_a_page_that_cannot_be_served_is_a_sentence(doors: FakeDoors, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        page = Address("127.0.0.1", taken.getsockname()[1])
        config = NodeConfig(tmp_path, "here", api=Address("127.0.0.1", 0), page=page)
        await refused(doors, config, r"page address .* in use.*--page")
    (tmp_path / "page.token").unlink()
    (tmp_path / "page.token.new").mkdir()
    config = NodeConfig(tmp_path, "here", api=Address("127.0.0.1", 0), page=config.api)
    await refused(doors, config, r"token cannot be kept")


async def refused(doors: FakeDoors, config: NodeConfig, words: str) -> None:
    with pytest.RaisesGroup(
        pytest.RaisesExc(AddressUnusable, match=words), allow_unwrapped=True, flatten_subgroups=True
    ):
        await serve_doors(doors, config)
