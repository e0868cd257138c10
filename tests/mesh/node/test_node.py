"""Whole nodes in one process: real sockets, real disks, doors that are the test's own."""

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from mesh.gossip.events import LinkClosed, PeerState
from mesh.member.commands import GetJob, JobReading, ListNodes, NodeDetail, SubmitJob, Submitted
from mesh.node import identity, reopen
from mesh.node import node as node_module
from mesh.node.config import Address, ConfigError, NodeConfig
from mesh.node.doors import RESTARTING, Doors
from mesh.node.errors import NodeError
from mesh.node.node import run_node
from mesh.node.observe import Observer
from mesh.node.store import Store
from scheduler.jobs import JobState

pytestmark = pytest.mark.slow


@dataclass
class Running:
    doors: Doors
    page: dict[str, Any]
    stop: trio.Event


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "SCRYPT_N", 2)
    monkeypatch.setattr(reopen, "REOPEN_S", 0.01)


def config(folder: Path, name: str, *peers: str, **settings: Any) -> NodeConfig:
    return NodeConfig(
        data_dir=folder / name,
        name=name,
        bind=Address("127.0.0.1", 0),
        api=Address("127.0.0.1", 0),
        peers=peers,
        mdns=False,
        **{"lab": "secret", **settings},
    )


@asynccontextmanager
async def node(settings: NodeConfig) -> AsyncIterator[Running]:
    """A node from its first socket until it has stopped in good order."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        opened: dict[str, Doors] = {}

        async def serve(
            doors: Doors,
            _: NodeConfig,
            *,
            task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            opened["doors"] = doors
            task_status.started(["http://127.0.0.1:7", "http://unix:/x"])
            await trio.sleep_forever()

        async def run() -> None:
            await run_node(settings, serve_doors=serve, stop=stop)

        nursery.start_soon(run)
        page = settings.data_dir / "node.json"
        with trio.fail_after(10):
            while not page.exists():  # noqa: ASYNC110 - what another process would do
                await trio.sleep(0.01)
        yield Running(opened["doors"], json.loads(page.read_text()), stop)
        stop.set()
    assert not page.exists()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    with trio.fail_after(15):
        while not await condition():  # noqa: ASYNC110 - asked as a client would
            await trio.sleep(0.02)


async def peers(one: Running) -> dict[str, NodeDetail]:
    reply = await one.doors.ask(ListNodes())
    assert isinstance(reply, tuple)
    return {detail.reading.name: detail for detail in reply}


def scripted(name: str = "") -> SubmitJob:
    task = {"Name": "main", "Engine": {"Type": "scripted", "Params": {"Stdout": "hello\n"}}}
    return SubmitJob({"Name": name, "Type": "batch", "Count": 1, "Tasks": [task]})


async def finished(one: Running, job: str) -> JobReading:
    with trio.fail_after(15):
        while True:
            reading = await one.doors.ask(GetJob(job))
            if isinstance(reading, JobReading):
                if reading.state.terminal:
                    return reading
                await one.doors.wait_job_changed(reading.id, reading.revision)
            else:
                await trio.sleep(0.02)


async def test_two_nodes_meet_run_a_job_and_part(tmp_path: Path) -> None:
    async with node(config(tmp_path, "a")) as a:
        address = a.page["mesh_addresses"][0]
        async with node(config(tmp_path, "b", address)) as b:
            assert a.page["cluster"] == b.page["cluster"]

            async def met() -> bool:
                return len(await peers(a)) == len(await peers(b)) == 2

            await until(met)
            taken = await a.doors.ask(scripted())
            assert isinstance(taken, Submitted)
            there = await finished(b, taken.job)
            assert there.state == JobState.COMPLETED
            attempt = there.attempts[0]
            assert attempt.observation.stdout_tail == "hello\n"
            for one in (a, b):
                manifest = attempt.observation.result
                assert manifest is not None
                assert (await one.doors.fetch_blob(manifest, [attempt.node])).exists()
                parts, after, _ = await one.doors.read_logs(
                    attempt.id, attempt.node, offset=0, limit=1000
                )
                assert [(stream, bytes(data)) for stream, data in parts] == [(1, b"hello\n")]
                assert (
                    await one.doors.read_logs(attempt.id, attempt.node, offset=after, limit=1000)
                )[2]

        async def left() -> bool:
            return (await peers(a))["b"].state == PeerState.LEFT

        await until(left)


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    async with node(config(tmp_path, "a")) as first:
        taken = await first.doors.ask(scripted())
        assert isinstance(taken, Submitted)
        done = await finished(first, taken.job)
        identity_before = first.page["node"]
    async with node(config(tmp_path, "a", lab="")) as second:
        assert second.page["node"] == identity_before
        reading = await second.doors.ask(GetJob(taken.job))
        assert isinstance(reading, JobReading)
        assert reading.state == done.state == JobState.COMPLETED


async def test_idle_node_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its timers go on (gossip alone fires twice a second), its disk may sleep."""
    happened: Counter[str] = Counter()
    monkeypatch.setattr(Observer, "note", lambda _, item: happened.update([type(item).__name__]))
    async with node(config(tmp_path, "a")) as a:
        await a.doors.ask(ListNodes())

        async def settled() -> bool:
            return happened["TimerFired"] >= 2 and happened["CapacityMeasured"] >= 1

        await until(settled)
        written, fired = happened["Persist"], happened["TimerFired"]

        async def later() -> bool:
            return happened["TimerFired"] >= fired + 3

        await until(later)
        assert happened["Persist"] == written > 0


async def test_failed_flush_builds_the_member_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P30: no acknowledgement from a store that failed; afterwards all that was told is there."""
    failing = threading.Event()
    commit = Store._commit

    def maybe_commit(store: Store, batch: Any) -> None:
        if failing.is_set():
            failing.clear()
            raise sqlite3.OperationalError("disk I/O error")
        commit(store, batch)

    monkeypatch.setattr(Store, "_commit", maybe_commit)
    async with node(config(tmp_path, "a")) as a:
        before = await a.doors.ask(scripted("kept"))
        assert isinstance(before, Submitted)
        boot = (await peers(a))["a"].boot
        await finished(a, before.job)
        failing.set()
        assert await a.doors.ask(scripted("lost")) == RESTARTING

        async def back() -> bool:
            return await a.doors.ask(GetJob(before.job)) != RESTARTING

        await until(back)
        reading = await a.doors.ask(GetJob(before.job))
        assert isinstance(reading, JobReading)
        assert reading.state == JobState.COMPLETED
        assert (await peers(a))["a"].boot > boot
        after = await a.doors.ask(scripted("after"))
        assert isinstance(after, Submitted)
        assert (await finished(a, after.job)).state == JobState.COMPLETED


async def test_peers_meet_the_member_that_was_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing: set[Path] = set()
    commit = Store._commit

    def maybe_commit(store: Store, batch: Any) -> None:
        if store.path in failing:
            failing.clear()
            raise sqlite3.OperationalError("disk I/O error")
        commit(store, batch)

    monkeypatch.setattr(Store, "_commit", maybe_commit)
    ends: list[LinkClosed] = []
    monkeypatch.setattr(Observer, "_link_closed", lambda _, event: ends.append(event))
    async with (
        node(config(tmp_path, "a")) as a,
        node(config(tmp_path, "b", a.page["mesh_addresses"][0])) as b,
    ):

        async def linked() -> bool:
            return all(one.linked or one.is_self for one in (await peers(b)).values()) and (
                len(await peers(b)) == len(await peers(a)) == 2
            )

        await until(linked)
        boot = (await peers(b))["a"].boot
        failing.add(tmp_path / "a" / "mesh.sqlite")
        assert await a.doors.ask(scripted()) == RESTARTING

        async def met_again() -> bool:
            return (await peers(b))["a"].boot > boot and await linked()

        await until(met_again)
        assert ends  # the link of the old member did not stay
        taken = await a.doors.ask(scripted())
        assert isinstance(taken, Submitted)
        assert (await finished(b, taken.job)).state == JobState.COMPLETED


async def test_second_node_on_one_folder_is_one_sentence(tmp_path: Path) -> None:
    async with node(config(tmp_path, "a")):
        with pytest.raises(NodeError, match="is in use by the node with process id"):
            await run_node(config(tmp_path, "a"), serve_doors=never)


async def test_taken_mesh_port_is_one_sentence(tmp_path: Path) -> None:
    async with node(config(tmp_path, "a")) as a:
        taken = Address("127.0.0.1", a.page["mesh_port"])
        settings = NodeConfig(tmp_path / "b", "b", bind=taken, mdns=False, lab="secret")
        with pytest.raises(ConfigError, match="the port is taken"):
            await run_node(settings, serve_doors=never)


async def test_other_secret_is_one_sentence(tmp_path: Path) -> None:
    async with node(config(tmp_path, "a")):
        pass
    with pytest.raises(NodeError, match="belongs to cluster"):
        await run_node(config(tmp_path, "a", lab="other"), serve_doors=never)


async def test_error_of_the_doors_comes_out_by_itself(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no such door"):
        await run_node(config(tmp_path, "a"), serve_doors=no_door)
    async with node(config(tmp_path, "a")):
        pass  # nothing of the failed start is left: lock, port, writer thread


async def test_lonely_node_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node_module, "LONELY_S", 0.05)
    said = ""
    async with node(config(tmp_path, "a")):

        async def told() -> bool:
            nonlocal said
            said += capsys.readouterr().err
            return "nobody heard yet" in said

        await until(told)
    assert "mDNS is off" in said
    assert "--peer HOST:PORT" in said


async def test_local_data_are_offered(tmp_path: Path) -> None:
    from storage.allow import AllowedPath

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "readings").write_bytes(b"x" * 1000)
    settings = config(tmp_path, "a", allow_paths=(AllowedPath(str(tmp_path / "data"), True),))
    async with node(settings) as a:

        async def offered() -> bool:
            return bool((await peers(a))["a"].reading.data)

        await until(offered)
        reading = (await peers(a))["a"].reading
        assert {entry.path: entry.size_bytes for entry in reading.data} == {
            str(tmp_path / "data"): 1000,
            str(tmp_path / "data" / "readings"): 1000,
        }
        assert reading.writable == (str(tmp_path / "data"),)


async def never(
    doors: Doors,
    settings: NodeConfig,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    raise AssertionError("the doors of a node that cannot start")


async def no_door(
    doors: Doors,
    settings: NodeConfig,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    raise LookupError("no such door")
