"""Containers through the engine, beside the same by hand, in turns on one dockerd of its own."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import trio

from runtime.conformance import Subject, serving
from runtime.engines.docker import DockerEngine
from runtime.ports import EngineSetup
from tests.bench.figure import Figure, long_rows
from tests.runtime.engines.docker_programs import command, shell
from tests.system.docker_engine import IMAGE, PrivateEngine, absence, private_engine

ROUNDS = 15
AT_ONCE = 50
FLOOD_BYTES = 1_000_000_000


def figures() -> Iterable[Figure]:
    """None where no engine can be started."""
    if absence() is not None:
        return []
    with (
        tempfile.TemporaryDirectory() as folder,
        private_engine(Path(tempfile.mkdtemp(prefix="bench-docker-"))) as dockerd,
    ):
        return trio.run(_measure, dockerd, Path(folder))


async def _measure(dockerd: PrivateEngine, folder: Path) -> list[Figure]:
    engine = DockerEngine(EngineSetup(folder / "data", {"docker_host": dockerd.host}))
    programs = {"true": command("true"), "flood": shell(f"head -c {FLOOD_BYTES} /dev/zero")}
    subject = Subject(engine, programs, folder)

    async def ours(name: str, attempt: str) -> None:
        job = subject.job(name, attempt=attempt)
        ended = await engine.run(job, lambda: None)
        assert ended.exit_code == 0, ended
        await engine.release(job.attempt)

    async def by_hand() -> None:
        run = ("run", "--rm", "--network", "none", IMAGE, "true")
        await trio.to_thread.run_sync(dockerd.docker, *run)

    async with serving(engine):
        await ours("true", "e-warm")
        rows = [await _one_by_one(ours, by_hand), await _at_once(ours, dockerd)]
        if long_rows():
            rows.append(await _flood(ours))
    return rows


Ours = Callable[[str, str], Awaitable[None]]


async def _one_by_one(ours: Ours, by_hand: Callable[[], Awaitable[None]]) -> Figure:
    times: dict[str, list[float]] = {"ours": [], "hand": []}
    for number in range(ROUNDS):
        began_s = time.perf_counter()
        await ours("true", f"e-{number}")
        between_s = time.perf_counter()
        await by_hand()
        times["ours"].append(between_s - began_s)
        times["hand"].append(time.perf_counter() - between_s)
    mine, hand = (statistics.median(times[who]) for who in ("ours", "hand"))
    note = f"{mine * 1000:.0f} ms against {hand * 1000:.0f} ms, create to removed, no network"
    return Figure(
        "container running true", mine / hand, "x docker run --rm", 1.2, "less", note=note
    )


async def _at_once(ours: Ours, dockerd: PrivateEngine) -> Figure:
    began_s = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(ours, "true", f"e-at-once-{number}")
    mine_s = time.perf_counter() - began_s
    bare_s = await trio.to_thread.run_sync(bare_loop_s, dockerd.host)
    note = f"{mine_s:.1f} s against {bare_s:.1f} s"
    return Figure(
        f"{AT_ONCE} containers at once", mine_s / bare_s, "x bare SDK loop", 1.15, "less", note=note
    )


def bare_loop_s(host: str) -> float:
    """Seconds that the same containers take without a mesh."""
    import docker

    client = docker.DockerClient(base_url=host, max_pool_size=AT_ONCE)

    def one(_: int) -> None:
        container = client.containers.create(IMAGE, ["true"], network_mode="none")
        container.start()
        container.wait()
        container.logs()
        container.remove()

    began_s = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as executor:
        list(executor.map(one, range(AT_ONCE)))
    return time.perf_counter() - began_s


async def _flood(ours: Ours) -> Figure:
    process = psutil.Process()
    before = peak = process.memory_info().rss
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            nonlocal peak
            while True:
                peak = max(peak, process.memory_info().rss)
                await trio.sleep(0.05)

        nursery.start_soon(watch)
        began_s = time.perf_counter()
        await ours("flood", "e-flood")
        took_s = time.perf_counter() - began_s
        nursery.cancel_scope.cancel()
    note = f"{FLOOD_BYTES / took_s / 1e6:.0f} MB/s"
    return Figure(
        "memory taken by 1 GB of stdout", (peak - before) / 1e6, "MB", 8, "less", note=note
    )
