"""The live feed of real nodes: a snapshot, what changes, going on, a slow reader, a new start."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from mesh.edge.cli.connect import Endpoint, Frame, NodeApi
from mesh.edge.feed_reader import Picture
from tests.runtime.programs import assemble
from tests.system.mesh_processes import PATIENCE_S, Mesh, Node, wasm_job

pytestmark = [pytest.mark.real("loopback"), pytest.mark.real("wasm")]
WATCH = "/api/v1/mesh/watch"
SMALL_BUFFER_BYTES = 4096
LABELS = {f"label-{number}": "x" * 200 for number in range(40)}
NOWHERE = {"Key": "name", "Operator": "=", "Values": ["nobody"]}
WAITING_JOBS = 700
"""With such labels more than the ring of changes and the buffers of a socket hold."""


class Reader:
    """One reader of a node's feed."""

    def __init__(self, node: Node, last_id: str = "", *, job: str = "") -> None:
        assert node.page is not None
        api = NodeApi(Endpoint(socket_path=node.page["api_socket"]))
        deadline_s = time.monotonic() + 2 * PATIENCE_S
        self.picture = Picture()
        self.events: list[str] = []
        self.last_id = last_id
        query = {"job": job} if job else {}
        self._frames: Iterator[Frame] = api.frames(
            WATCH, query, last_id=last_id, deadline_s=deadline_s
        )

    def until(self, seen: Callable[[Picture], bool]) -> Picture:
        """Read on until the picture shows it."""
        while not (self.picture.complete and seen(self.picture)):
            frame = next(self._frames)
            self.last_id = frame.id
            self.events.append(frame.event)
            self.picture.apply(frame.event, frame.data)
        return self.picture


def completed(picture: Picture) -> int:
    return sum(one["State"] == "Completed" for one in picture.jobs.values())


def test_a_far_nodes_job_is_seen_and_a_lost_node_and_a_new_start(mesh: Mesh) -> None:
    mesh.started("north", "south")
    north, south = mesh["north"], mesh["south"]
    first = Reader(north)
    picture = first.until(lambda seen: len(seen.nodes) == 2)
    assert {one["Name"] for one in picture.nodes.values()} == {"north", "south"}
    assert first.events[0] == "snapshot"
    south.api.finished(south.api.run_program("two_streams"))
    picture = first.until(lambda seen: completed(seen) == 1)
    (execution,) = picture.executions.values()
    assert execution["Accepted"]
    assert execution["ExitCode"] == 0
    assert any("was submitted to south" in one["Sentence"] for one in picture.events)

    south.api.finished(south.api.run_program("two_streams"))
    again = Reader(north, first.last_id)
    again.picture = picture
    again.until(lambda seen: completed(seen) == 2)
    assert set(again.events) == {"changes"}

    # Of one job alone, at another node than it was submitted to: to the end that all confirm.
    job = south.api.run_program("two_streams", Name="alone")
    alone = Reader(north, job=job)
    picture = alone.until(lambda seen: any(one["Settled"] for one in seen.jobs.values()))
    assert [one["Name"] for one in picture.jobs.values()] == ["alone"]
    assert [one["State"] for one in picture.executions.values()] == ["Succeeded"]
    assert not picture.nodes
    again.until(lambda seen: completed(seen) == 3)
    told = north.run("events", "-n", "100")
    assert re.search(
        r"\(alone\) is settled: both members have confirmed .* is accepted\.", told.stdout
    )

    south.kill()
    picture = again.until(lambda seen: bool(seen.mesh and seen.mesh["Split"]))
    assert any("The mesh is split" in one["Sentence"] for one in picture.events)
    told = north.run("events", "-n", "100")
    assert "south cannot be reached: its process is gone." in told.stdout, told

    north.terminate()
    north.start().ready()
    anew = Reader(north, again.last_id)
    anew.until(lambda seen: completed(seen) == 3)
    assert set(anew.events) == {"snapshot"}
    assert anew.last_id.partition("-")[0] != again.last_id.partition("-")[0]


def test_a_reader_that_does_not_read_gets_a_snapshot(mesh: Mesh) -> None:
    node = mesh.started("alone", options={"alone": ["--no-mdns"]})["alone"]
    assert node.page is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        slow.settimeout(PATIENCE_S)
        slow.connect(node.page["api_socket"])
        slow.sendall(f"GET {WATCH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        heard = slow.recv(64)
        reader = Reader(node)
        reader.until(lambda seen: bool(seen.nodes))
        document = wasm_job(assemble("two_streams"), Labels=LABELS, Constraints=[NOWHERE])
        for _ in range(WAITING_JOBS):
            assert node.api.submit(document).status == 200
        reader.until(lambda seen: len(seen.jobs) == WAITING_JOBS)
        assert "snapshot" not in reader.events[1:], "who reads is sent what changes"
        while kinds_in(heard).count("snapshot") < 2:
            heard += slow.recv(1 << 20)


def kinds_in(heard: bytes) -> list[str]:
    """The names of events, in order, the pieces of one snapshot as one."""
    kinds = [
        line[7:].decode().strip() for line in heard.split(b"\n") if line.startswith(b"event: ")
    ]
    return [one for at, one in enumerate(kinds) if at == 0 or kinds[at - 1] != one]
