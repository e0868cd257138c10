"""A node's API with a fake node behind it, in a thread: what commands talk to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, object], int]]:
    """One server for a file of tests; each test puts doors of its own behind it."""
    folder = tmp_path_factory.mktemp("api")
    ready = threading.Event()
    shared: dict[str, object] = {}

    class Current:
        """Whatever doors the running test has."""

        def __getattr__(self, name: str) -> object:
            return getattr(shared["doors"], name)

    async def main() -> None:
        stop = trio.Event()
        shared["doors"] = FakeDoors(folder)
        async with trio.open_nursery() as nursery:
            [url] = await nursery.start(
                partial(serve, Current(), bind=["127.0.0.1:0"], shutdown=stop.wait)
            )
            shared["token"] = trio.lowlevel.current_trio_token()
            shared["port"] = int(url.rpartition(":")[2])
            shared["stop"] = stop
            ready.set()

    thread = threading.Thread(target=trio.run, args=(main,), daemon=True)
    thread.start()
    assert ready.wait(10), "the server did not start"
    yield shared, shared["port"]
    trio.from_thread.run_sync(shared["stop"].set, trio_token=shared["token"])
    thread.join(10)


@pytest.fixture
def node(
    api: tuple[dict[str, object], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Node:
    shared, port = api
    folder = tmp_path / "node"
    folder.mkdir()
    shared["doors"] = FakeDoors(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACALHAU_API_PORT", str(port))
    return Node(shared["doors"], port, shared["token"])
