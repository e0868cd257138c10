"""Who waits for a container is woken by its end, and by the engine's coming and going."""

from __future__ import annotations

import json

import trio
import trio.testing

from runtime.engines.docker_events import EventStream
from tests.runtime.engines.fake_docker import SILENT, fake_docker

HEAD = b"HTTP/1.0 200 OK\r\n\r\n"


def died(name, action="die", **more) -> bytes:
    facts = {"Action": action, "Actor": {"Attributes": {"name": name, **more}}}
    return json.dumps(facts).encode() + b"\n"


async def test_turns_come_and_are_not_missed(tmp_path):
    events, connections = EventStream("a=b"), []
    events.watch("e-one")
    events.watch("e-two")
    raw = HEAD + b'{"Actor":{}}\n' + died("e-other") + died("e-one")
    async with (
        fake_docker(tmp_path, {"/events": raw}) as (socket, asked),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(events.serve, lambda: socket, lambda: connections.append(events.losses))
        with trio.fail_after(30):
            await events.turn("e-one")  # the connection, the event and the loss, at once or not
            await events.turn("e-two")
            while len(connections) < 2:
                await events.turn("e-two")
        nursery.cancel_scope.cancel()
    assert connections == [0, 1]
    assert "%22label%22%3A+%5B%22a%3Db%22%5D" in asked[0]


async def test_the_end_of_one_is_not_the_end_of_another(tmp_path):
    events, woken = EventStream("a=b"), []
    raw = HEAD + died("e-one")

    async def wait(name):
        await events.turn(name)
        woken.append(name)

    def connected():  # the turn that the connection itself brings has been before this
        for name in ("e-one", "e-two"):
            events.watch(name)
            nursery.start_soon(wait, name)

    async with (
        fake_docker(tmp_path, {"/events": (raw, SILENT)}) as (socket, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(events.serve, lambda: socket, connected)
        with trio.fail_after(30):
            while not woken:
                await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    assert woken == ["e-one"]


async def test_an_end_tells_the_exit_code_of_who_is_watched(tmp_path):
    events = EventStream("a=b")
    for name in ("e-none", "e-odd", "e-good", "e-bad"):
        events.watch(name)
    told = [died("e-none"), died("e-odd", exitCode="x"), died("e-unwatched", exitCode="0")]
    told += [died("e-good", exitCode="0"), died("e-good", "destroy", exitCode="3")]
    told += [died("e-bad", exitCode="137")]
    async with (
        fake_docker(tmp_path, {"/events": (HEAD + b"".join(told), SILENT)}) as (socket, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(events.serve, lambda: socket, lambda: None)
        with trio.fail_after(30):
            while events.exit_code("e-bad") is None:
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert events.is_connected
        nursery.cancel_scope.cancel()
    codes = [events.exit_code(one) for one in ("e-none", "e-odd", "e-unwatched", "e-good", "e-bad")]
    assert codes == [None, None, None, 0, 137]
    events.forget("e-good")
    assert events.exit_code("e-good") is None
    assert not events.is_connected


async def test_an_engine_that_is_away_is_asked_again(tmp_path, autojump_clock):
    events, path = EventStream("a=b"), str(tmp_path / "docker.sock")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(events.serve, lambda: path, lambda: None)
        await trio.sleep(5)
        assert events.losses == 0
        nursery.cancel_scope.cancel()
