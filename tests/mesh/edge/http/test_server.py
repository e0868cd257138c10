from __future__ import annotations

import http.client
import json
import socket
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from mesh.edge.http.server import AddressUnusable, serve
from tests.mesh.edge.fake_doors import FakeDoors


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
