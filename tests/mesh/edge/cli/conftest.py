"""A node's API with a fake node behind it, in a thread: what commands talk to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from mesh.edge.cli.app import run_command
from mesh.edge.http.server import serve
from tests.mesh.edge.fake_doors import FakeDoors


@dataclass
class Node:
    doors: FakeDoors
    port: int
    token: trio.lowlevel.TrioToken

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Run something on the node's own thread."""
        trio.from_thread.run_sync(function, *args, trio_token=self.token)

    def run(self, *arguments: str) -> int:
        """A command against this node."""
        return run_command(arguments)


class Server:
    """One server for a file of tests; each test puts doors of its own behind it."""

    doors: FakeDoors
    port: int
    token: trio.lowlevel.TrioToken
    stop: trio.Event

    def __init__(self) -> None:
        self.ready = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.doors, name)

    async def run(self) -> None:
        self.stop = trio.Event()
        self.token = trio.lowlevel.current_trio_token()
        doors: Any = self
        async with trio.open_nursery() as nursery:
            [url] = await nursery.start(
                partial(serve, doors, bind=["127.0.0.1:0"], shutdown=self.stop.wait)
            )
            self.port = int(url.rpartition(":")[2])
            self.ready.set()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server()
    server.doors = FakeDoors(tmp_path_factory.mktemp("api"))
    thread = threading.Thread(target=trio.run, args=(server.run,), daemon=True)
    thread.start()
    assert server.ready.wait(10), "the server did not start"
    yield server
    trio.from_thread.run_sync(server.stop.set, trio_token=server.token)
    thread.join(10)


def at_node(
    server: Server, doors: FakeDoors, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Node:
    """Commands ask these doors, and are given in this folder."""
    server.doors = doors
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BACALHAU_API_PORT", str(server.port))
    return Node(doors, server.port, server.token)


@pytest.fixture
def node(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    folder = tmp_path / "node"
    folder.mkdir()
    return at_node(server, FakeDoors(folder), tmp_path, monkeypatch)
